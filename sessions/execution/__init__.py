"""What carries a session: one file per engine. All of them end in `worker().submit`, under the same lease."""

from collections.abc import Callable
from importlib import import_module

from django.conf import settings
from django.db import transaction

from sessions.actions.log import append
from sessions.models import Session
from sessions.writer import Draft

ENGINES = {"celery": "sessions.execution.celery", "direct": "sessions.execution.direct"}


class EngineUnreachable(Exception):  # noqa: N818
    """The engine asked for cannot be reached now; the session can be carried by another."""


def dispatch(session_id: int) -> None:
    """Bring a queued session to a worker; when the engine cannot be reached, carry it in this process and say so."""
    name = settings.CRUCIBLE_ENGINE
    try:
        _engine(name)(session_id)
    except EngineUnreachable:
        with transaction.atomic():
            queued = Session.objects.filter(pk=session_id, status="queued")
            if not queued.update(engine="direct"):
                return
            append(queued.get(), [Draft("session.fell_back", {"engine": "direct", "why": "redis_unreachable"})])
        _engine("direct")(session_id)


def _engine(name: str) -> Callable[[int], None]:
    carry: Callable[[int], None] = import_module(ENGINES[name]).carry
    return carry
