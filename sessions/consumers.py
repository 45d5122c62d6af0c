"""The one session socket: hello with a cursor, backlog from the database, then live.

The database is the truth: events are always read from it, by cursor, in the same query that checks the rights. Token
deltas come from the hub and may be dropped. A reader that does not acknowledge what it was sent gets no more deltas,
and is closed when that goes on; it comes back with its cursor and misses nothing.
"""

import asyncio
import logging
import time
from contextlib import suppress
from importlib import import_module
from typing import Any
from uuid import UUID

import orjson
from autobahn.exception import Disconnected
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db.models import BigAutoField, BigIntegerField, UUIDField

from sessions import live
from sessions.access import readable_log
from sessions.compiled import Compiled, Given
from sessions.db import db
from sessions.people import User

logger = logging.getLogger(__name__)

DENIED, TOO_SLOW, BAD_FRAME, SILENT, FAILED = 4403, 4008, 4400, 4408, 1011
POLL_SECONDS = 4.0
UNACKED_LIMIT = 256 * 1024
SLOW_SECONDS = 20.0
HELLO_SECONDS = 10.0
PAGE = 500
MAX_FRAME = 4_096


# Every open socket asks every few seconds.
_LOG = Compiled(
    lambda: readable_log(Given("user", BigAutoField()), Given("code", UUIDField())).filter(
        seq__gt=Given("after", BigIntegerField())
    )[:PAGE]
)
_FIRST = Compiled(lambda: readable_log(Given("user", BigAutoField()), Given("code", UUIDField()))[:1])
_USER = Compiled(lambda: User.objects.filter(pk=Given("user", BigAutoField())))


def may_read(user: Any, code: UUID) -> bool:
    """Signed-out, switched-off and removed people may not."""
    return user.is_authenticated and bool(_FIRST(user=user.pk, code=code))


def read_log(user: Any, code: UUID, after: int) -> list[dict[str, Any]] | None:
    """Events after the cursor; None for somebody who may not read them any more."""
    found = _LOG(user=user.pk, code=code, after=after)
    if not found and not may_read(user, code):
        return None
    return [{"seq": row.seq, "kind": row.kind, "at": row.at, "data": row.data} for row in found]


def still_signed_in(cookie_session: Any, user: Any) -> bool:
    """Whether the cookie session the socket came with still signs this person in (logout, password change)."""
    kept = import_module(settings.SESSION_ENGINE).SessionStore(cookie_session.session_key).load()
    if str(kept.get(SESSION_KEY)) != str(user.pk):
        return False
    fresh = _USER(user=user.pk)
    return bool(fresh) and kept.get(HASH_SESSION_KEY) == fresh[0].get_session_auth_hash()


class SessionConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`rooms` is what it hears of, `cursor` how far the page has read."""

    rooms: frozenset[str] = frozenset()
    cursor: int | None = None
    unacked = 0
    task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.code: UUID = self.scope["url_route"]["kwargs"]["code"]
        self.user = self.scope["user"]
        if await db(may_read, self.user, self.code):
            await self.welcome(str(self.code))
        else:
            await self.close()

    async def welcome(self, room: str, *others: str) -> None:
        """Let them in, to be told of these rooms once they have said hello."""
        hub = live.bus.hub()
        self.mailbox, self.rooms = hub.join(room), frozenset({room, *others})
        for other in others:
            hub.enter(other, self.mailbox)
        self.acked_at = time.monotonic()
        await self.accept()
        self.task = asyncio.ensure_future(self._close_unless_greeted())

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' visit to its database thread before every frame: we read through `db`, which looks after
        its own connections, and an acknowledgement needs none."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Without that visit, as well."""
        await self.disconnect(message["code"])
        raise StopConsumer

    async def disconnect(self, code: int) -> None:
        for room in self.rooms:
            live.bus.hub().leave(room, self.mailbox)
        if self.task:
            self.task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        frame = _parsed(text_data)
        if frame is None:
            await self.close(BAD_FRAME)
        elif frame["type"] == "ping":
            await self._send({"type": "pong"})
        elif frame["type"] == "ack":
            self._acknowledged(frame["bytes"])
        elif self.cursor is None:
            self.cursor = frame["after"]
            assert self.task is not None
            self.task.cancel()
            self.task = asyncio.ensure_future(self._pump_or_close())

    def _acknowledged(self, size: int) -> None:
        if size:
            waits = self.unacked > UNACKED_LIMIT
            self.unacked, self.acked_at = max(self.unacked - size, 0), time.monotonic()
            if waits:
                self.mailbox.wake()

    async def _close_unless_greeted(self) -> None:
        """A socket that asks for nothing holds a mailbox for nothing. Cancelled by the hello."""
        await asyncio.sleep(HELLO_SECONDS)
        with suppress(Disconnected):
            await self.close(SILENT)

    async def _pump_or_close(self) -> None:
        try:
            await self._pump()
        except Disconnected:
            return
        except Exception:
            logger.exception("the socket %s failed", self.scope["path"])
            await self.close(FAILED)

    async def _pump(self) -> None:
        """Send what is new, for as long as the person may read it."""
        checked_at = 0.0
        while True:
            poll = self.mailbox.recheck or time.monotonic() - checked_at > POLL_SECONDS
            if poll:
                self.mailbox.recheck, checked_at = False, time.monotonic()
                if not await db(still_signed_in, self.scope["session"], self.user):
                    return await self._deny()
            assert self.cursor is not None
            if self.unacked > UNACKED_LIMIT:
                self.mailbox.take()
                self.mailbox.behind = True
                if time.monotonic() - self.acked_at > SLOW_SECONDS:
                    await self.close(TOO_SLOW)
                    return
            else:
                # Deltas first: what an event says of an answer comes after the answer's last words.
                await self._send_deltas()
                if (poll or self.mailbox.seq > self.cursor) and not await self._send_log(poll):
                    return await self._deny()
            await self.mailbox.wait(POLL_SECONDS)

    async def _send_log(self, poll: bool) -> bool:
        """Send events after the cursor; False when the person may not read them. A poll asks the database."""
        while True:
            assert self.cursor is not None
            found = None if poll else self.mailbox.take_log(self.cursor)
            if found is None:
                found = await db(read_log, self.user, self.code, self.cursor)
                if found is None:
                    return False
            if found:
                self.cursor = found[-1]["seq"]
                await self._send({"type": "events", "events": found, "next": self.cursor})
            if len(found) < PAGE or self.unacked > UNACKED_LIMIT:
                return True

    async def _send_deltas(self) -> None:
        deltas = self.mailbox.take()
        if self.mailbox.behind:
            self.mailbox.behind = False
            await self._send({"type": "behind"})
        elif deltas:
            await self._send({"type": "deltas", "deltas": [{key: d[key] for key in ("p", "t", "n")} for d in deltas]})

    async def _deny(self) -> None:
        await self._send({"type": "bye", "code": "denied"})
        await self.close(DENIED)

    async def _send(self, frame: dict[str, Any]) -> None:
        text = orjson.dumps(frame, option=orjson.OPT_UTC_Z).decode()
        if not self.unacked:
            self.acked_at = time.monotonic()
        self.unacked += len(text)
        await self.send(text_data=text)


def _parsed(text: str | None) -> dict[str, Any] | None:
    """A frame of a known type with fields of the right type, or None."""
    if text is None or len(text) > MAX_FRAME:
        return None
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    fields = {"hello": "after", "ack": "bytes", "ping": None}
    kind = frame.get("type") if isinstance(frame, dict) else None
    if not isinstance(kind, str) or kind not in fields:
        return None
    field = fields[kind]
    value = frame.get(field) if field else 0
    return frame if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 60 else None
