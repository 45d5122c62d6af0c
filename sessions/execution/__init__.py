"""What carries a session: one file per engine. All of them end in `worker().submit`, under the same lease."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from django.conf import settings
from django.db import transaction

from sessions.actions.log import append
from sessions.models import Session
from sessions.writer import Draft

ENGINES = {"celery": "sessions.execution.celery", "direct": "sessions.execution.direct"}


class EngineUnreachable(Exception):  # noqa: N818
    """The engine asked for cannot be reached now; the session can be carried by another."""


def dispatch(*session_ids: int) -> None:
    """Bring queued sessions to a worker; when the engine cannot be reached, carry them in this process and say so."""
    try:
        _engine(settings.CRUCIBLE_ENGINE)(*session_ids)
    except EngineUnreachable:
        for session_id in session_ids:
            _fall_back(session_id)


def _fall_back(session_id: int) -> None:
    with transaction.atomic():
        queued = Session.objects.filter(pk=session_id, status="queued")
        if not queued.update(engine="direct"):
            return
        append(queued.get(), [Draft("session.fell_back", {"engine": "direct", "why": "redis_unreachable"})])
    _engine("direct")(session_id)


def pass_on(session_id: int) -> None:
    """Bring a queued session to another process than this one, which stops. Where no bell rings, a sweeper looks."""
    if settings.CRUCIBLE_ENGINE != "direct":
        with suppress(EngineUnreachable):
            _engine(settings.CRUCIBLE_ENGINE)(session_id)


def _engine(name: str) -> Callable[..., None]:
    carry: Callable[..., None] = import_module(ENGINES[name]).carry
    return carry
