"""The log of a session: a page of it, or a stream of server-sent events that resumes where it broke off."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Router, Schema

from sessions import access, live
from sessions.api.auth import actor_of
from sessions.api.bodies import Cursor, Limit, replies
from sessions.api.waiting import RESTING, news, readable_session
from sessions.db import db
from sessions.models import Session
from sessions.queries import LoggedEvent, events_after
from sessions.states import AT_REST

router = Router()

LOOK_SECONDS = 4.0  # also the longest a stream outlives its reader's rights
PAGE = 500


class EventOut(Schema):
    """`data` holds ids, codes and numbers; its fields depend on `kind`."""

    seq: int
    kind: str
    at: datetime
    data: dict[str, Any]


class EventsOut(Schema):
    """`next` is the `after` of the next request."""

    events: list[EventOut]
    next: int


STREAMED = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
    204: {"description": "A finished session, and you have all of it"},
}


@router.get("/sessions/{uuid:code}/events", response=replies(200, EventsOut), openapi_extra={"responses": STREAMED})
async def get_events(request: HttpRequest, code: UUID, after: Cursor = 0, limit: Limit = PAGE) -> Any:
    """With `Accept: text/event-stream` a stream: `id` is the event's number, `data` the event, from `Last-Event-ID`
    or `after` on, until the session is at rest and a gate that was asked for is judged; then `event: end`, and 204 to
    whoever comes back for more."""
    session = await sync_to_async(access.find_session)(actor_of(request), code)
    if "text/event-stream" not in request.headers.get("Accept", ""):
        events = await sync_to_async(events_after)(session.pk, after, limit)
        return {"events": events, "next": events[-1]["seq"] if events else after}
    return await _stream_reply(request, session, _resumed(request, after))


async def _stream_reply(request: HttpRequest, session: Session, after: int) -> HttpResponseBase:
    if session.status in AT_REST and await db(_is_at_rest, session, after):
        return HttpResponse(status=204)
    return StreamingHttpResponse(
        _stream(request, session.code, after),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(request: HttpRequest, code: UUID, after: int) -> AsyncIterator[bytes]:
    """Rights are looked up again together with every page of the log."""
    hub = live.bus.hub()
    mailbox = hub.join(str(code), streams=False)
    try:
        yield b"retry: 2000\n\n"
        while True:
            found = await db(_look, request, code, after)
            if found is None:
                yield _frame("bye", {"code": "denied"})
                return
            at_rest, events = found
            for event in events:
                yield b"id: %d\ndata: %s\n\n" % (event["seq"], orjson.dumps(event))
                after = event["seq"]
            if len(events) == PAGE:
                continue
            if at_rest:
                yield _frame("end", {"next": after})
                return
            if not events:
                yield b": still here\n\n"
            await news(mailbox, after, LOOK_SECONDS)
    finally:
        hub.leave(str(code), mailbox)


def _look(request: HttpRequest, code: UUID, after: int) -> tuple[bool, list[LoggedEvent]] | None:
    """(is at rest, events after the cursor); None when the reader may not read any more. The status is read before
    the log: a session that came to rest in between is at rest on the next look."""
    session = readable_session(request, code)
    if session is None:
        return None
    events = events_after(session.pk, after, PAGE)
    last = events[-1]["seq"] if events else after
    return session.status in AT_REST and _is_at_rest(session, last), events


def _is_at_rest(session: Session, after: int) -> bool:
    """Whether it is now, its gate judged, and event `after` was the last."""
    return Session.objects.filter(RESTING, pk=session.pk, next_seq__lte=after + 1).exists()


def _resumed(request: HttpRequest, after: int) -> int:
    last = request.headers.get("Last-Event-ID", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 16 else after


def _frame(event: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data))
