"""Waiting for a session without holding anybody up: doorbells from the hub, and a look into the database each second
or so in case one was lost."""

import asyncio
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest

from sessions import access, live
from sessions.access import READ
from sessions.api.auth import actor_still
from sessions.db import db
from sessions.models import Session
from sessions.states import AT_REST, ENDED

POLL_SECONDS = 1.0
EVENTS_OF_REST = frozenset(
    {"session.completed", "session.failed", "session.cancelled", "session.parked", "session.gave_up", "gate.proposed"}
)
# Nothing more comes of its own accord: a gate that somebody asked for is judged when the session ends, and that is said
# before the session counts as being at rest.
RESTING = Q(status__in=AT_REST) & ~Q(status__in=ENDED, gate__state="withheld")


async def until_at_rest(code: UUID, seconds: float) -> None:
    """Return when the session is at rest, its gate judged, or gone, or after `seconds`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    hub = live.bus.hub()
    mailbox = hub.join(str(code), streams=False)
    seen = 0
    try:
        while (left := until - loop.time()) > 0:
            told = mailbox.take_log(seen)
            seen = mailbox.seq  # before the look: what rings during it wakes us again
            if _may_be_at_rest(told) and not await db(_is_moving, code):
                return
            await news(mailbox, seen, min(POLL_SECONDS, left))
    finally:
        hub.leave(str(code), mailbox)


async def news(mailbox: live.Mailbox, seen: int, seconds: float) -> None:
    """Return when the log went past event `seen`, when rights may have changed, or after `seconds`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0 and mailbox.seq <= seen and not mailbox.recheck:
        await mailbox.wait(left)
    mailbox.recheck = False


def readable_session(request: HttpRequest, code: UUID) -> Session | None:
    """The session, if the credentials of this long request may still read it."""
    actor = actor_still(request)
    session = Session.objects.select_related("project").filter(code=code, deleted_at=None).first()
    may_read = actor and session and READ in access.grants_in(actor, session.project)
    return session if may_read else None


def _may_be_at_rest(told: list[live.Frame] | None) -> bool:
    """Whether the database must be asked: an event of rest came, or nothing whole did."""
    return told is None or any(event["kind"] in EVENTS_OF_REST for event in told)


def _is_moving(code: UUID) -> bool:
    return Session.objects.filter(code=code, deleted_at=None).exclude(RESTING).exists()
