"""Live frames from workers to sockets: token deltas and doorbells, one hub per process.

A frame is a small dict. `{"s": code, "seq": n, "e": events}` is a doorbell: the session's log has reached `n`; the
committed events that took it there come along, so that a reader without a gap need not ask the database. A project has
a room of its own, in which it rings at time `n` when what needs people there may have changed.
`{"s": code, "p": letter, "t": text}` is a token delta: ephemeral, dropped first. `{"x": code}` tells the worker that
holds a session to look at it again (somebody stopped it), and `{"u": user id}` tells sockets that somebody's rights may
have changed.

All frames of a process leave in one message as soon as the last one has left: no delay when idle, fewer and larger
messages when loaded. In embedded mode the message is a function call, else it goes over Redis: one channel for what
sockets read, one for what workers look at, because a worker would spend a tenth of its time on reading what its peers
write. Any frame may be lost without harm: the database is the truth and every reader has a cursor into it.
"""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

logger = logging.getLogger(__name__)

Frame = dict[str, Any]
CHANNEL, LOOKS = "crucible:live", "crucible:look"
# Every message costs each web process a third of a millisecond, whatever is in it.
LEAST_INTERVAL = 0.005


class Mailbox:
    """What one reader has not read yet, bounded. Deltas give way first; `behind` tells the reader to use its cursor.
    Without `streams` there are none, and none wakes the reader."""

    LIMIT = 64 * 1024
    MOST_EVENTS = 200

    def __init__(self, *, streams: bool = True) -> None:
        self.seq = 0
        self._streams = streams
        self._log: list[Frame] = []
        self.deltas: list[Frame] = []
        self.recheck = False
        self.behind = False
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()

    def put(self, frame: Frame) -> None:
        if "seq" in frame:
            self.seq = max(self.seq, frame["seq"])
            self._keep(frame.get("e", ()))
        elif "u" in frame:
            self.recheck = True
        elif not self._streams:
            return
        elif self._size > self.LIMIT:
            self.behind, self.deltas, self._size = True, [], 0
        else:
            self.deltas.append(frame)
            self._size += len(frame["t"]) + 40
        self._ready.set()

    def wake(self) -> None:
        self._ready.set()

    async def wait(self, seconds: float) -> None:
        """Return when something is here, or after `seconds`."""
        if not self._ready.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ready.wait()
        self._ready.clear()

    def _keep(self, events: Sequence[Frame]) -> None:
        follows = bool(events) and (not self._log or events[0]["seq"] == self._log[-1]["seq"] + 1)
        if follows and len(self._log) < self.MOST_EVENTS:
            self._log.extend(events)
        else:
            self._log = []

    def take_log(self, after: int) -> list[Frame] | None:
        """The events after the cursor up to `seq`, or None when they are not all here and the database must say."""
        log, self._log = self._log, []
        if not log or log[0]["seq"] > after + 1 or log[-1]["seq"] < self.seq:
            return None
        return [event for event in log if event["seq"] > after]

    def take(self) -> list[Frame]:
        deltas, self.deltas, self._size = self.deltas, [], 0
        return deltas


class Hub:
    """Rooms of one process, on one event loop. `listen` brings a channel's frames from other processes; what nobody
    here has asked for is not listened to."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listen: "Callable[[Hub, str], Coroutine[Any, Any, None]] | None" = None,
    ) -> None:
        self.loop = loop
        self._rooms: dict[str, set[Mailbox]] = defaultdict(set)
        self._on_look: Callable[[UUID], None] | None = None
        self._listen = listen
        self.listeners: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        for listener in self.listeners.values():
            listener.cancel()
        await asyncio.gather(*self.listeners.values(), return_exceptions=True)

    def _hear(self, channel: str) -> None:
        if self._listen and channel not in self.listeners:
            self.listeners[channel] = self.loop.create_task(self._listen(self, channel))

    def look_for(self, on_look: Callable[[UUID], None]) -> None:
        """`on_look` is told the code of every session that a worker should look at."""
        self._on_look = on_look
        self._hear(LOOKS)

    def join(self, room: str, *, streams: bool = True) -> Mailbox:
        self._hear(CHANNEL)
        mailbox = Mailbox(streams=streams)
        self.enter(room, mailbox)
        return mailbox

    def enter(self, room: str, mailbox: Mailbox) -> None:
        """Let `mailbox` hear of one more room."""
        self._rooms[room].add(mailbox)

    def leave(self, room: str, mailbox: Mailbox) -> None:
        self._rooms[room].discard(mailbox)
        if not self._rooms[room]:
            del self._rooms[room]

    def deliver(self, frames: list[Frame]) -> None:
        for frame in frames:
            if "s" in frame:
                for mailbox in self._rooms.get(frame["s"], ()):
                    mailbox.put(frame)
            elif "u" in frame:
                for room in self._rooms.values():
                    for mailbox in room:
                        mailbox.put(frame)
            elif "x" in frame and self._on_look:
                self._on_look(UUID(frame["x"]))

    def everyone_behind(self) -> None:
        """Frames may have been lost: every reader looks into the database."""
        for room in self._rooms.values():
            for mailbox in room:
                mailbox.behind = True
                mailbox.put({"u": 0})


class Bus:
    """Carries frames between the hubs of all processes. `send` may be called from any thread."""

    def __init__(self) -> None:
        self._hubs: list[Hub] = []
        self._lock = threading.Lock()
        self._pending: list[Frame] = []
        self._sender: threading.Thread | None = None
        self._wake = threading.Condition(self._lock)
        self._redis: Any = None
        self._silent = False

    def hub(self) -> Hub:
        """The hub of the running loop; the first call per loop makes it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for hub in self._hubs:
                if hub.loop is loop:
                    return hub
            hub = Hub(loop, self._listen if settings.REDIS_URL else None)
            self._hubs = [other for other in self._hubs if not other.loop.is_closed()] + [hub]
        return hub

    def send(self, frame: Frame) -> None:
        with self._wake:
            self._pending.append(frame)
            if self._sender is None:
                self._sender = threading.Thread(target=self._work, name="live-bus", daemon=True)
                self._sender.start()
            self._wake.notify()

    def _work(self) -> None:
        pause = threading.Event()
        while True:
            with self._wake:
                while not self._pending:
                    self._wake.wait()
                frames, self._pending = self._pending, []
            self._publish(_joined(frames))
            pause.wait(LEAST_INTERVAL)

    def _publish(self, frames: list[Frame]) -> None:
        if settings.REDIS_URL:
            try:
                for channel, part in _by_channel(frames):
                    self._client().publish(channel, orjson.dumps(part, option=orjson.OPT_UTC_Z))
            except Exception:  # noqa: BLE001 - a hint got lost; readers have cursors, and the reason may name a URL
                if not self._silent:
                    logger.warning("live frames are lost until Redis can be reached again; pages poll meanwhile")
                self._silent = True
            else:
                self._silent = False
            return
        for hub in self._hubs:
            with suppress(RuntimeError):  # its loop is closed; the next hub() forgets it
                hub.loop.call_soon_threadsafe(hub.deliver, frames)

    def _client(self) -> Any:
        if self._redis is None:
            import redis

            self._redis = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)
        return self._redis

    async def _listen(self, hub: Hub, name: str) -> None:
        import redis.asyncio

        wait = 0.1
        while True:
            # Protocol 3 would write out every message for a log that nobody keeps.
            client = redis.asyncio.Redis.from_url(
                settings.REDIS_URL, protocol=2, socket_timeout=None, socket_connect_timeout=2
            )
            try:
                async with client.pubsub() as channel:
                    await channel.subscribe(name)
                    hub.everyone_behind()
                    wait = 0.1
                    async for message in channel.listen():
                        if message["type"] == "message":
                            _deliver(hub, message["data"])
            except (redis.exceptions.RedisError, OSError):
                await asyncio.sleep(wait)
                wait = min(wait * 2, 2.0)
            finally:
                await client.aclose()


def _deliver(hub: Hub, message: bytes) -> None:
    try:
        hub.deliver(orjson.loads(message))
    except (ValueError, TypeError, KeyError, AttributeError):
        logger.warning("a live message was no list of frames")


def _by_channel(frames: list[Frame]) -> list[tuple[str, list[Frame]]]:
    """Those there are frames for."""
    looks = [frame for frame in frames if "x" in frame]
    others = [frame for frame in frames if "x" not in frame]
    return [(channel, part) for channel, part in ((CHANNEL, others), (LOOKS, looks)) if part]


def _joined(frames: list[Frame]) -> list[Frame]:
    """Deltas of one instance that waited together become one."""
    joined: list[Frame] = []
    last: dict[tuple[str, str], Frame] = {}
    for frame in frames:
        if "t" not in frame:
            joined.append(frame)
            continue
        key = frame["s"], frame["p"]
        if key in last:
            last[key]["t"] += frame["t"]
            last[key]["n"] += frame["n"]
        else:
            last[key] = dict(frame)
            joined.append(last[key])
    return joined


bus = Bus()


def ring(code: UUID, seq: int, events: Sequence[Frame] = ()) -> None:
    """The log has reached `seq`, by these committed `events`."""
    bus.send({"s": str(code), "seq": seq, "e": events})


def delta(code: UUID, letter: str, text: str) -> None:
    bus.send({"s": str(code), "p": letter, "t": text, "n": 1})


def look(code: UUID) -> None:
    bus.send({"x": str(code)})


def project_room(pk: int) -> str:
    return f"project-{pk}"


def person_room(pk: int) -> str:
    return f"person-{pk}"


def needs_changed(project_id: int) -> None:
    """What waits for people in the project may be another now."""
    bus.send({"s": project_room(project_id), "seq": time.time_ns()})


def rights_changed(user_id: int) -> None:
    bus.send({"u": user_id})
