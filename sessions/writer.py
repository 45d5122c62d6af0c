"""The one journal writer of a worker process: a group commit.

Everything the process's sessions have to record in the same moment is committed together: a batch starts when the
last commit finished, so an idle process waits for nothing and a loaded one pays one commit for many rows. Whoever
depends on a row awaits `commit`; what nobody depends on yet is `enqueue`d and stands before it in the same queue.

The fence test and the taking of event numbers are one statement. A session that lost its lease gets no row of that
statement and its entry is lost, not the batch. On an error every entry is tried again in a transaction of its own, so
one bad entry cannot take others along. A database that went away is waited for, and asked whether the commit in
between has gone through: an error may mean that only the answer was lost.
"""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection

from sessions import events, faultpoints, rows
from sessions.models import Event, Session
from sessions.projections import Change, Occurred, Patch, project

logger = logging.getLogger(__name__)

# How long a database that went away (a restart, a fail-over) is waited for, and how often it is asked, in seconds.
PATIENCE, POLL_SECONDS = 30.0, 0.1
# How long an entry that nobody waits for may lie until another takes it along, in seconds.
LINGER_SECONDS = 0.015


class LeaseLost(Exception):  # noqa: N818 - a fact about the session, caught by name in the runner
    """Another worker owns the session now, or a person ended it. Nothing of the entry was written."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a number. `key` makes it unique in its session; `checked` says that whoever made it has
    brought `data` into the form that is stored."""

    kind: str
    data: dict[str, Any]
    key: str | None = None
    checked: bool = False


@dataclass(slots=True)
class Entry:
    """What one session records in one go. `changes` are written before the projections of `events`.

    `cost` is added to the session's cost, None says that a price is unknown; `progress` says that a step was finished,
    so that recoveries are counted per step; `release` gives the lease back with the status in it. `broken` is shared by
    the entries of one lease that build on each other: when one of them cannot be written, what went wrong stands in it
    and those behind it are not written either.
    """

    session_id: int
    session_code: UUID
    fence: int
    changes: list[Change] = field(default_factory=list)
    events: list[Draft] = field(default_factory=list)
    cost: int | None = 0
    progress: bool = False
    release: dict[str, Any] | None = None
    broken: list[BaseException] = field(default_factory=list)
    done: "Future[int]" = field(default_factory=Future)


class Logged(NamedTuple):
    """The number of a session's last event, and the events that took it there, as readers see them."""

    seq: int
    events: list[dict[str, Any]]


Lease = tuple[int, int]
"""(session id, fence)"""
LOGGED = ("seq", "kind", "at", "data")
Doorbell = Callable[[UUID, int, list[dict[str, Any]]], None]


class Writer:
    """One thread, one connection. After each commit `rang` is told (session code, last seq, events)."""

    def __init__(self, rang: Doorbell) -> None:
        self._rang = rang
        self._queue: list[Entry] = []
        self._wake = threading.Condition()
        self._due = self._lingering = self._stopping = False
        self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
        self._thread.start()

    def enqueue(self, entry: Entry) -> "Future[int]":
        """Write `entry` at once, after everything queued before it. The future gives its last event number."""
        self._queue_up(entry)
        self._hand_over()
        return entry.done

    async def commit(self, entry: Entry) -> int:
        """Return when `entry` is durable. Raises LeaseLost or the database's error. Handed over at the end of the
        loop's turn, so that what several branches ask for in one turn is one commit."""
        self._queue_up(entry)
        asyncio.get_running_loop().call_soon(self._hand_over)
        return await asyncio.wrap_future(entry.done)

    def later(self, entry: Entry) -> "Future[int]":
        """Write `entry` before whatever is queued behind it, and within LINGER_SECONDS. From the event loop."""
        self._queue_up(entry)
        if not self._lingering:
            self._lingering = True
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._hand_over)
        return entry.done

    def stop(self) -> None:
        """Write what waits, then end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(10)

    def _queue_up(self, entry: Entry) -> None:
        with self._wake:
            if self._stopping:
                raise RuntimeError("the journal writer has stopped")
            # A running future cannot be cancelled: whoever waits may give up, the entry is written all the same.
            entry.done.set_running_or_notify_cancel()
            self._queue.append(entry)

    def _hand_over(self) -> None:
        with self._wake:
            self._due, self._lingering = True, False
            self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._due or self._stopping)
                batch, self._queue, self._due = self._queue, [], False
            if not batch and self._stopping:
                connection.close()
                return
            self._flush(batch)

    def _flush(self, batch: list[Entry]) -> None:
        sound = [entry for entry in batch if not _is_broken(entry)]
        if not sound:
            return
        faultpoints.reach("before_commit")
        try:
            written = write_batch(sound)
        except Exception:  # noqa: BLE001 - whatever it is, it is about one entry, and the others must not suffer
            self._flush_one_by_one(sound)
            return
        faultpoints.reach("after_commit")
        self._settle(sound, written)

    def _flush_one_by_one(self, batch: list[Entry]) -> None:
        for entry in batch:
            if _is_broken(entry):
                continue
            try:
                written = write_batch([entry])
            except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the entry
                entry.broken.append(error)
                entry.done.set_exception(error)
            else:
                self._settle([entry], written)

    def _settle(self, batch: list[Entry], written: dict[Lease, Logged]) -> None:
        rung: dict[UUID, Logged] = {}
        for entry in batch:
            logged = written.get((entry.session_id, entry.fence))
            if logged is None:
                entry.done.set_exception(LeaseLost(str(entry.session_code)))
            else:
                entry.done.set_result(logged.seq)
                if logged.events:
                    rung[entry.session_code] = logged
        for code, logged in rung.items():
            try:
                self._rang(code, logged.seq, logged.events)
            except Exception:
                logger.exception("the bell for session %s did not ring; its readers poll", code)


def _is_broken(entry: Entry) -> bool:
    """Whether something that `entry` builds on was not written; whoever waits for it is told."""
    if entry.broken:
        entry.done.set_exception(entry.broken[0])
    return bool(entry.broken)


def write_batch(batch: Sequence[Entry]) -> dict[Lease, Logged]:
    """Commit all entries whose fence still holds. Returns what was logged, by lease."""
    leases: dict[Lease, list[Entry]] = defaultdict(list)
    for entry in sorted(batch, key=lambda entry: entry.session_id):
        leases[entry.session_id, entry.fence].append(entry)
    plan = _Plan(datetime.now(UTC))
    try:
        with rows.one_transaction():
            for lease, (next_seq, head) in _take_numbers(leases).items():
                plan.add(leases[lease], next_seq, head)
            rows.apply(plan.changes)
            rows.append(Event, plan.events)
            rows.apply(plan.sessions)
    except (DatabaseError, InterfaceError):
        _reach_database()
        if not _stands(plan.events):
            raise
    return plan.logged


@dataclass(slots=True)
class _Plan:
    """What a batch writes: rows that changed, then events, then the sessions' own rows."""

    now: datetime
    changes: list[Change] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[Change] = field(default_factory=list)
    logged: dict[Lease, Logged] = field(default_factory=dict)

    def add(self, entries: Sequence[Entry], next_seq: int, head: str) -> None:
        """The entries of one lease. Their numbers, taken already, end before `next_seq`; `head` is the chain's."""
        seq = next_seq - sum(len(entry.events) for entry in entries)
        for entry in entries:
            self.changes.extend(entry.changes)
            for draft in entry.events:
                head = self._append(entry, draft, seq, head)
                seq += 1
            if entry.release is not None:
                self.sessions.append(Patch(Session, {"id": entry.session_id}, entry.release))
        self.sessions.append(Patch(Session, {"id": entries[0].session_id}, {"chain_head": head}))
        taken = sum(len(entry.events) for entry in entries)
        new = [{name: row[name] for name in LOGGED} for row in self.events[len(self.events) - taken :]]
        self.logged[entries[0].session_id, entries[0].fence] = Logged(next_seq - 1, new)

    def _append(self, entry: Entry, draft: Draft, seq: int, head: str) -> str:
        data = draft.data if draft.checked else events.checked(draft.kind, draft.data)
        digest = events.link(head, seq, draft.kind, self.now, data)
        row = {"session_id": entry.session_id, "seq": seq, "kind": draft.kind, "key": draft.key, "data": data}
        self.events.append(row | {"digest": digest, "at": self.now})
        self.changes.extend(project(Occurred(entry.session_id, entry.session_code, draft.kind, data, self.now)))
        return digest


def _reach_database() -> None:
    """Return when the database answers. Raises OperationalError after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while True:
        close_old_connections()
        try:
            connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _stands(written: Sequence[dict[str, Any]]) -> bool:
    """Whether a transaction that was reported as failed was committed all the same. The digest of an event holds
    everything before it, so no other transaction can have written it."""
    first = {name: written[0][name] for name in ("session_id", "seq", "digest")} if written else {}
    return bool(first) and Event.objects.filter(**first).exists()


@cache
def _take_sql(vendor: str) -> str:
    """Of fixed text, so that the database plans it once: the leases travel as one JSON parameter."""
    columns = {"id": "bigint", "fence": "integer", "events": "integer", "cost": "bigint", "kept": "integer"}
    if vendor == "postgresql":
        typed = ", ".join(f"{name} {kind}" for name, kind in {**columns, "unpriced": "boolean"}.items())
        source = f"jsonb_to_recordset(CAST(%s AS jsonb)) AS v({typed})"
    else:
        picked = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in (*columns, "unpriced"))
        source = f"(SELECT {picked} FROM json_each(%s)) AS v"  # noqa: S608
    table = connection.ops.quote_name(Session._meta.db_table)
    return (
        f"UPDATE {table} SET next_seq = next_seq + v.events, cost_microcredits = cost_microcredits + v.cost,"  # noqa: S608
        f" recoveries = recoveries * v.kept, price_unknown = (price_unknown OR v.unpriced) FROM {source}"
        f" WHERE {table}.id = v.id AND {table}.fence = v.fence AND {table}.status = 'running'"
        f" RETURNING {table}.id, {table}.fence, next_seq, chain_head"
    )


def _take_numbers(leases: dict[Lease, list[Entry]]) -> dict[Lease, tuple[int, str]]:
    """Test the fences and take event numbers: lease -> (next seq after ours, chain head). Lost ones are absent."""
    asked = [
        {
            "id": session_id,
            "fence": fence,
            "events": sum(len(entry.events) for entry in entries),
            "cost": sum(entry.cost or 0 for entry in entries),
            "kept": 0 if any(entry.progress for entry in entries) else 1,
            "unpriced": any(entry.cost is None for entry in entries),
        }
        for (session_id, fence), entries in leases.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_take_sql(connection.vendor), [orjson.dumps(asked).decode()])
        return {(found[0], found[1]): (found[2], found[3]) for found in cursor.fetchall()}
