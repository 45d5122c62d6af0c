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
from typing import Any, NamedTuple
from uuid import UUID

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)

from sessions import events, faultpoints, rows
from sessions.models import Event, Session
from sessions.projections import Change, Occurred, Patch, project

logger = logging.getLogger(__name__)

# How long a database that went away (a restart, a fail-over) is waited for, and how often it is asked, in seconds.
PATIENCE, POLL_SECONDS = 30.0, 0.1


class LeaseLost(Exception):  # noqa: N818 - a fact about the session, caught by name in the runner
    """Another worker owns the session now, or a person ended it. Nothing of the entry was written."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a number. `key` makes it unique in its session."""

    kind: str
    data: dict[str, Any]
    key: str | None = None


@dataclass(slots=True)
class Entry:
    """What one session records in one go. `changes` are written before the projections of `events`.

    `cost` is added to the session's cost; `progress` says that a step was finished, so that recoveries are
    counted per step; `release` gives the lease back with the status in it.
    """

    session_id: int
    session_code: UUID
    fence: int
    changes: list[Change] = field(default_factory=list)
    events: list[Draft] = field(default_factory=list)
    cost: int = 0
    progress: bool = False
    release: dict[str, Any] | None = None
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
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
        self._thread.start()

    def enqueue(self, entry: Entry) -> "Future[int]":
        """Write `entry` soon, after everything enqueued before it. The future gives its last event number."""
        with self._wake:
            if self._stopping:
                raise RuntimeError("the journal writer has stopped")
            # A running future cannot be cancelled: whoever waits may give up, the entry is written all the same.
            entry.done.set_running_or_notify_cancel()
            self._queue.append(entry)
            self._wake.notify()
        return entry.done

    async def commit(self, entry: Entry) -> int:
        """Return when `entry` is durable. Raises LeaseLost or the database's error."""
        return await asyncio.wrap_future(self.enqueue(entry))

    def stop(self) -> None:
        """Write what waits, then end the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(10)

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._stopping)
                batch, self._queue = self._queue, []
            if not batch:
                connection.close()
                return
            self._flush(batch)

    def _flush(self, batch: list[Entry]) -> None:
        faultpoints.reach("before_commit")
        try:
            written = write_batch(batch)
        except Exception:  # noqa: BLE001 - whatever it is, it is about one entry, and the others must not suffer
            self._flush_one_by_one(batch)
            return
        faultpoints.reach("after_commit")
        self._settle(batch, written)

    def _flush_one_by_one(self, batch: list[Entry]) -> None:
        for entry in batch:
            try:
                written = write_batch([entry])
            except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the entry
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


def write_batch(batch: Sequence[Entry]) -> dict[Lease, Logged]:
    """Commit all entries whose fence still holds. Returns what was logged, by lease."""
    leases: dict[Lease, list[Entry]] = defaultdict(list)
    for entry in sorted(batch, key=lambda entry: entry.session_id):
        leases[entry.session_id, entry.fence].append(entry)
    plan = _Plan(datetime.now(UTC))
    try:
        with transaction.atomic():
            for lease, (next_seq, head) in _take_numbers(leases).items():
                plan.add(leases[lease], next_seq, head)
            with rows.one_round_trip():
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
        data = events.checked(draft.kind, draft.data)
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


def _take_numbers(leases: dict[Lease, list[Entry]]) -> dict[Lease, tuple[int, str]]:
    """Test the fences and take event numbers: lease -> (next seq after ours, chain head). Lost ones are absent."""
    values: list[Any] = []
    for (session_id, fence), entries in leases.items():
        values += [
            session_id,
            fence,
            sum(len(entry.events) for entry in entries),
            sum(entry.cost for entry in entries),
            0 if any(entry.progress for entry in entries) else 1,
        ]
    table = connection.ops.quote_name(Session._meta.db_table)
    row = "(CAST(%s AS bigint), CAST(%s AS integer), CAST(%s AS integer), CAST(%s AS bigint), CAST(%s AS integer))"
    sql = (
        f"UPDATE {table} SET next_seq = next_seq + v.column3, cost_microcredits = cost_microcredits + v.column4,"  # noqa: S608
        f" recoveries = recoveries * v.column5 FROM (VALUES {', '.join([row] * len(leases))}) AS v"
        f" WHERE {table}.id = v.column1 AND {table}.fence = v.column2 AND {table}.status = 'running'"
        f" RETURNING id, fence, next_seq, chain_head"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return {(found[0], found[1]): (found[2], found[3]) for found in cursor.fetchall()}
