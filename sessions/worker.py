"""What makes a process a worker: one event loop thread, one journal writer, one gateway, a heartbeat and a sweeper.

All sessions of the process are coroutines on the loop. The sweeper is the safety net under every doorbell: it finds
sessions that are due, leases that lapsed and messages that were not sent, whatever happened to Celery or Redis.
"""

import asyncio
import gc
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from sessions import execution, live, outbox
from sessions.actions.expiry import expire_some
from sessions.actions.gates import settle_due
from sessions.actions.unpacking import unpack_due
from sessions.claims import LEASE, Claims, release
from sessions.compaction import compact
from sessions.db import db
from sessions.deliveries import deliver_due
from sessions.gateway import CLOUD, LOCAL, Gateway
from sessions.models import Session
from sessions.providers import close_adapters
from sessions.providers.egress import close_sessions
from sessions.reports.project_export import make_exports
from sessions.retention import drop_some
from sessions.runner import drive
from sessions.stacks import with_room
from sessions.writer import Writer

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 3.0
SWEEP_SECONDS = 2.0
SWEEP_BATCH = 200
TIDY_SECONDS = 600.0


class Worker:
    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[:80]
        self.loop = asyncio.new_event_loop()
        self.writer = Writer(live.ring)
        self._claims = Claims(self.name)
        cloud, local = (replace(limits, **settings.CRUCIBLE_DEADLINES) for limits in (CLOUD, LOCAL))
        self.gateway = Gateway(live.delta, cloud, local)
        self._driving: dict[int, asyncio.Task[None]] = {}
        self._leased: set[int] = set()
        self._background: list[asyncio.Task[None]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine-loop", daemon=True)
        self._thread.start()

    def submit(self, session_id: int) -> "Future[None]":
        """Drive the session here, from any thread. Done when it rests, or when the lease was not to be had."""
        return asyncio.run_coroutine_threadsafe(self._drive(session_id), self.loop)

    def watch(self, *, sweeps: bool = True) -> None:
        """Start heartbeat, the ear for stop requests and, unless told not to, the sweeper."""
        asyncio.run_coroutine_threadsafe(self._watch(sweeps), self.loop).result()

    def stop(self) -> None:
        """Give every session back, so that another worker goes on at once. Nothing recorded is lost."""
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        with_room(self.loop.run_forever)
        self.loop.close()

    async def _drive(self, session_id: int) -> None:
        while running := self._driving.get(session_id):
            await asyncio.wait([running])  # and see whether it was queued again meanwhile: claiming is cheap
        if self._stopping:
            return
        leased = partial(self._leased.add, session_id)
        task = asyncio.ensure_future(drive(session_id, self._claims, self.writer, self.gateway, leased))
        self._driving[session_id] = task
        try:
            await asyncio.wait([task])
        finally:
            self._driving.pop(session_id, None)
            self._leased.discard(session_id)
        if not task.cancelled() and (error := task.exception()):
            logger.error("driving session %s failed: %s", session_id, type(error).__name__, exc_info=error)

    async def _watch(self, sweeps: bool) -> None:
        live.bus.hub().look_for(self._look)
        watches = [(HEARTBEAT_SECONDS, self._beat)]
        if sweeps:
            watches += [(SWEEP_SECONDS, self._sweep), (TIDY_SECONDS, self._tidy)]
            watches += [(SWEEP_SECONDS, deliver_due), (SWEEP_SECONDS, make_exports), (SWEEP_SECONDS, _settle_gates)]
            watches += [(SWEEP_SECONDS, unpack_due)]
        self._background = [asyncio.ensure_future(self._every(seconds, what)) for seconds, what in watches]

    async def _stop(self) -> None:
        self._stopping, driving = True, list(self._driving.values())
        tasks = [*self._background, *driving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._claims.settle()
        await asyncio.to_thread(self.writer.stop)
        if driving:
            await self._give_back()
        await live.bus.hub().close()
        await close_adapters()
        await close_sessions()

    async def _give_back(self) -> None:
        try:
            for session_id in await db(release, self.name):
                await db(execution.pass_on, session_id)
        except (OperationalError, InterfaceError):
            logger.warning("the database cannot be reached; this worker's leases lapse in %s", LEASE)

    @staticmethod
    async def _every(seconds: float, what: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await what()
            except (OperationalError, InterfaceError):
                logger.warning("the database cannot be reached; trying again in %s s", seconds)
            except Exception:
                logger.exception("a worker's watch failed; trying again in %s s", seconds)
            await asyncio.sleep(seconds)

    async def _beat(self) -> None:
        """Extend every lease we hold by the database's clock; let go of sessions that are no longer ours. A drive
        that is still waiting for its lease is left alone: the session belongs to nobody or to the dead."""
        if not self._leased:
            return
        held = await db(_extend, self.name, list(self._leased))
        missing = list(self._leased - held)
        for session_id in await db(_not_ours, self.name, missing) if missing else ():
            if task := self._driving.get(session_id):
                task.cancel()

    async def _sweep(self) -> None:
        await db(outbox.send_due)
        for session_id in await db(_due):
            if session_id not in self._driving:
                asyncio.ensure_future(self._drive(session_id))

    async def _tidy(self) -> None:
        for tidy in (drop_some, expire_some):
            while True:
                if not await db(tidy):
                    break
                await asyncio.sleep(0.1)  # others have to write, too
        await db(compact)

    def _look(self, code: UUID) -> None:
        asyncio.ensure_future(self._beat())


async def _settle_gates() -> None:
    await db(settle_due)


def _extend(owner: str, leased: list[int]) -> set[int]:
    """Which of them we hold. A session we own and do not drive any more (its drive broke) is left to lapse."""
    with transaction.atomic():
        # Whoever locks several sessions locks them by id; an update alone takes them as they lie in the table.
        rows = Session.objects.filter(pk__in=leased, owner=owner, status="running").order_by("pk")
        held = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
        Session.objects.filter(pk__in=held).update(lease_until=Now() + LEASE)
    return set(held)


def _not_ours(owner: str, session_ids: list[int]) -> list[int]:
    """Those somebody else runs or that have ended."""
    rows = Session.objects.filter(pk__in=session_ids)
    return list(rows.exclude(owner=owner, status="running").values_list("pk", flat=True))


def _due() -> list[int]:
    lapsed = Q(status="running", lease_until__lt=Now())
    queued = Q(status="queued", started_at__lt=Now() - LEASE / 5)
    return list(Session.objects.filter(lapsed | queued).order_by("pk").values_list("pk", flat=True)[:SWEEP_BATCH])


_worker: Worker | None = None
_lock = threading.Lock()


def worker(*, sweeps: bool = True) -> Worker:
    """This process's worker, made on first use; one that does not sweep carries only what it is given."""
    global _worker
    with _lock:
        if _worker is None:
            tune_interpreter()
            _worker = Worker()
            _worker.watch(sweeps=sweeps)
        return _worker


def tune_interpreter() -> None:
    """For a process of many short waits on a database and one busy loop.

    What is loaded by now stays for good: a full collection over Django's objects would stop all threads for 50 ms, so
    they are left out of every later one. A thread that comes back from the database waits for the interpreter; with
    the default of 5 ms each of a commit's statements would wait that long while the loop works.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sys.setswitchinterval(0.0005)


def stop_worker() -> None:
    global _worker
    with _lock:
        if _worker is not None:
            _worker.stop()
            _worker = None
