"""The group commit: what one entry does to another, to the log, and to a writer that serves everybody."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from crucible_site.models import User
from sessions.actions.log import append
from sessions.invariants import logs_are_whole, violations
from sessions.models import Attempt, Event, Project, Session, Step
from sessions.models.ids import uuid7
from sessions.projections import Change, Patch, Put
from sessions.writer import Draft, Entry, LeaseLost, Writer, write_batch
from tests import factories

FINGERPRINT = "f" * 64


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    """A review that some worker holds."""
    session = factories.running(owner, project)
    Session.objects.filter(pk=session.pk).update(owner="somebody")
    session.refresh_from_db()
    return session


@pytest.fixture
def rung() -> list[tuple[UUID, int]]:
    return []


@pytest.fixture
def writer(rung: list[tuple[UUID, int]], transactional_db: None) -> Iterator[Writer]:
    made = Writer(lambda code, seq, events: rung.append((code, seq)))
    yield made
    made.stop()


@contextmanager
def held(session: Session) -> Iterator[None]:
    """Inside, no writer can commit to the session: its row is locked by this thread."""
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(title="locked")
        yield


def entry(session: Session, *events: Draft, changes: list[Change] | None = None, **fields: Any) -> Entry:
    fields = {"fence": session.fence, **fields}
    return Entry(session.pk, session.code, changes=changes or [], events=list(events), **fields)


def claimed(number: int, key: str | None = None) -> Draft:
    return Draft("session.claimed", {"fence": number}, key)


def fences(session: Session) -> list[int]:
    """What the events of `claimed` hold, in the order of the log."""
    found = Event.objects.filter(session=session, kind="session.claimed").order_by("seq")
    return [data["fence"] for data in found.values_list("data", flat=True)]


def step(session: Session, path: str, **fields: Any) -> Put:
    base = {
        "session_id": session.pk,
        "path": path,
        "fingerprint": FINGERPRINT,
        "code_version": "test",
        "created_at": datetime.now(UTC),
    }
    return Put(Step, uuid7(), {**base, **fields})


# --- one batch


@pytest.mark.django_db
def test_an_entry_with_an_old_fence_is_lost_and_the_batch_is_not(owner: User, project: Project) -> None:
    stale, live = factories.running(owner, project), factories.running(owner, project)
    put = step(stale, "review/a")

    written = write_batch([entry(stale, claimed(1), fence=7, changes=[put], cost=5), entry(live, claimed(2))])

    assert {lease: logged.seq for lease, logged in written.items()} == {(live.pk, live.fence): live.next_seq}
    assert (fences(stale), fences(live)) == ([], [2])
    assert not Step.objects.filter(pk=put.pk).exists()
    stale.refresh_from_db()
    assert (stale.cost_microcredits, list(logs_are_whole(Session.objects.all()))) == (0, [])


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["queued", "waiting", "cancelled", "completed", "needs_attention"])
def test_a_session_that_does_not_run_takes_no_entry(session: Session, status: str) -> None:
    Session.objects.filter(pk=session.pk).update(status=status)
    assert write_batch([entry(session, claimed(1))]) == {}
    assert fences(session) == []


@pytest.mark.django_db
def test_events_are_numbered_in_the_order_of_entries(session: Session) -> None:
    first, second = entry(session, claimed(1), claimed(2)), entry(session, claimed(3))
    write_batch([first, second])
    assert fences(session) == [1, 2, 3]
    assert list(logs_are_whole(Session.objects.all())) == []


@pytest.mark.django_db
def test_two_leases_of_one_session_do_not_mix_in_one_batch(session: Session) -> None:
    written = write_batch([entry(session, claimed(1), fence=session.fence + 1), entry(session, claimed(2))])
    assert list(written) == [(session.pk, session.fence)]
    assert fences(session) == [2]


@pytest.mark.django_db
def test_costs_of_a_batch_add_up(session: Session) -> None:
    write_batch([entry(session, cost=3), entry(session, cost=4)])
    session.refresh_from_db()
    assert session.cost_microcredits == 7


@pytest.mark.django_db
def test_a_finished_step_forgives_earlier_deaths(session: Session) -> None:
    Session.objects.filter(pk=session.pk).update(recoveries=2)
    write_batch([entry(session, claimed(1))])
    session.refresh_from_db()
    assert session.recoveries == 2
    write_batch([entry(session, progress=True)])
    session.refresh_from_db()
    assert session.recoveries == 0


@pytest.mark.django_db
def test_a_release_is_written_with_the_last_event(session: Session) -> None:
    release = {"status": "waiting", "waiting_for": "cap", "owner": "", "lease_until": None}
    write_batch([entry(session, Draft("session.parked", {"waiting_for": "cap"}), release=release)])
    session.refresh_from_db()
    assert (session.status, session.waiting_for, session.owner) == ("waiting", "cap", "")


@pytest.mark.django_db
def test_the_later_patch_of_a_row_wins_whatever_its_shape(session: Session) -> None:
    put = step(session, "review/a")
    changes: list[Change] = [
        put,
        Patch(Step, {"id": put.pk}, {"error_code": "first", "letter": "A"}),
        Patch(Step, {"id": put.pk}, {"error_code": "second"}),
    ]
    write_batch([entry(session, changes=changes)])
    row = Step.objects.get(pk=put.pk)
    assert (row.error_code, row.letter) == ("second", "A")


@pytest.mark.django_db
def test_a_row_that_is_there_is_overwritten(session: Session) -> None:
    put = step(session, "review/a")
    write_batch([entry(session, changes=[put])])
    write_batch([entry(session, changes=[Put(Step, put.pk, {**put.fields, "letter": "B"})])])
    assert Step.objects.get().letter == "B"


@pytest.mark.django_db
def test_many_sessions_cost_no_more_statements_than_one(owner: User, project: Project) -> None:
    one, *many = [factories.running(owner, project) for _ in range(9)]
    with CaptureQueriesContext(connection) as alone:
        write_batch([entry(one, claimed(1), changes=[step(one, "review/a")])])
    with CaptureQueriesContext(connection) as together:
        write_batch([entry(each, claimed(1), changes=[step(each, "review/a")]) for each in many])
    assert len(together) == len(alone)


# --- the thread that serves everybody


def test_one_bad_entry_is_refused_and_the_others_are_written(
    writer: Writer, session: Session, owner: User, project: Project
) -> None:
    other = factories.running(owner, project)
    writer.enqueue(entry(session, claimed(1, "once"))).result(5)
    with held(session):
        writer.enqueue(entry(other, claimed(0)))  # the batch that waits for the lock
        batch = [entry(other, claimed(1)), entry(session, claimed(2, "once")), entry(other, claimed(3))]
        futures = [writer.enqueue(each) for each in batch]
    with pytest.raises(IntegrityError):
        futures[1].result(5)
    futures[2].result(5)
    assert (fences(session), fences(other)) == ([1], [0, 1, 3])
    assert violations(Session.objects.filter(pk=session.pk)) == []


@pytest.mark.parametrize(
    ("draft", "error"),
    [
        (Draft("session.invented", {}), KeyError),
        (Draft("session.claimed", {"fence": "many"}), ValueError),
        (Draft("session.claimed", {"fence": 1, "words": "no"}), ValueError),
    ],
)
def test_an_entry_nobody_could_write_does_not_end_the_writer(
    writer: Writer, session: Session, draft: Draft, error: type[Exception]
) -> None:
    bad, good = writer.enqueue(entry(session, draft)), writer.enqueue(entry(session, claimed(1)))
    with pytest.raises(error):
        bad.result(5)
    good.result(5)
    assert fences(session) == [1]


def test_a_text_no_database_takes_does_not_end_the_writer(writer: Writer, session: Session) -> None:
    bad = writer.enqueue(entry(session, changes=[step(session, "half of a character: \ud800")]))
    with pytest.raises(TypeError, match="surrogates"):
        bad.result(5)
    assert writer.enqueue(entry(session, claimed(1))).result(5) == session.next_seq


def test_a_bell_that_breaks_does_not_end_the_writer(session: Session, transactional_db: None) -> None:
    def broken(code: UUID, seq: int, events: object) -> None:
        raise RuntimeError("no more threads")

    writer = Writer(broken)
    try:
        writer.enqueue(entry(session, claimed(1))).result(5)
        writer.enqueue(entry(session, claimed(2))).result(5)
    finally:
        writer.stop()
    assert fences(session) == [1, 2]


def test_who_gives_up_waiting_does_not_end_the_writer(writer: Writer, session: Session) -> None:
    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await writer.commit(entry(session, claimed(1)))

    with held(session):
        async_to_sync(impatient)()
    writer.enqueue(entry(session, claimed(2))).result(5)
    assert fences(session) == [1, 2]


def test_a_lost_lease_is_told_to_whoever_waits(writer: Writer, session: Session) -> None:
    with pytest.raises(LeaseLost):
        async_to_sync(writer.commit)(entry(session, claimed(1), fence=9))


def test_what_waits_is_written_before_the_writer_stops(session: Session, transactional_db: None) -> None:
    writer = Writer(lambda code, seq, events: None)
    futures = [writer.enqueue(entry(session, claimed(number))) for number in range(20)]
    writer.stop()
    assert [future.result(0) - session.next_seq for future in futures][-1] == 19
    with pytest.raises(RuntimeError, match="stopped"):
        writer.enqueue(entry(session, claimed(21)))


def test_a_bell_rings_once_per_session_and_commit(
    writer: Writer, session: Session, rung: list[tuple[UUID, int]]
) -> None:
    with held(session):
        writer.enqueue(entry(session, claimed(0)))
        time.sleep(0.05)  # the writer has taken the first and waits for the lock
        last = [writer.enqueue(entry(session, claimed(number))) for number in range(1, 6)][-1]
    last.result(5)
    writer.enqueue(entry(session)).result(5)  # the bell is rung before the next batch is taken
    assert rung == [(session.code, session.next_seq), (session.code, session.next_seq + 5)]


def test_numbers_have_no_gaps_when_people_and_workers_append_at_once(writer: Writer, session: Session) -> None:
    def act() -> None:
        for _ in range(10):
            with transaction.atomic():
                append(session, [Draft("session.answered", {"by": 1, "waiting_for": "cap"})])
        connections.close_all()

    people = [threading.Thread(target=act) for _ in range(4)]
    for person in people:
        person.start()
    futures = [writer.enqueue(entry(session, claimed(number), claimed(number))) for number in range(40)]
    for person in people:
        person.join()
    futures[-1].result(10)
    assert Event.objects.filter(session=session).count() == 2 + 40 + 80
    assert list(logs_are_whole(Session.objects.all())) == []
    assert fences(session) == [number for number in range(40) for _ in "ab"]


def test_what_one_turn_of_the_loop_asks_for_is_one_commit(
    writer: Writer, session: Session, rung: list[tuple[UUID, int]]
) -> None:
    async def branches() -> None:
        await asyncio.gather(*(writer.commit(entry(session, claimed(number))) for number in range(5)))

    async_to_sync(branches)()
    writer.enqueue(entry(session)).result(5)
    assert rung == [(session.code, session.next_seq + 4)]


def test_what_nobody_waits_for_goes_along_with_what_somebody_waits_for(
    writer: Writer, session: Session, rung: list[tuple[UUID, int]]
) -> None:
    async def use() -> None:
        written = [writer.later(entry(session, claimed(number))) for number in range(3)]
        await writer.commit(entry(session, claimed(3)))
        assert all(future.done() for future in written)

    async_to_sync(use)()
    assert fences(session) == [0, 1, 2, 3]
    writer.stop()  # the bell rings after whoever waits was told
    assert rung[0] == (session.code, session.next_seq + 3)


def test_what_nobody_waits_for_is_written_soon_all_the_same(writer: Writer, session: Session) -> None:
    async def use() -> int:
        return await asyncio.wait_for(asyncio.wrap_future(writer.later(entry(session, claimed(1)))), 5)

    assert async_to_sync(use)() == session.next_seq


def test_what_builds_on_an_entry_that_could_not_be_written_is_not_written_either(
    writer: Writer, session: Session
) -> None:
    broken: list[BaseException] = []
    other = entry(session, claimed(7))

    async def use() -> None:
        first = writer.later(entry(session, Draft("session.claimed", {"fence": "many"}), broken=broken))
        writer.later(entry(session, claimed(1), broken=broken))
        writer.later(other)
        with pytest.raises(ValueError, match="fence"):
            await writer.commit(entry(session, claimed(2), broken=broken))
        assert isinstance(first.exception(), ValueError)

    async_to_sync(use)()
    assert fences(session) == [7]


# --- a database that answers late, twice or not at all


class AfterCommit(Mapping[str, Any]):
    """Fields of a row; the first time they are read, the transaction's commit will be reported as failed."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields, self._armed = fields, True

    def __getitem__(self, name: str) -> Any:
        if self._armed:
            self._armed = False
            transaction.on_commit(_connection_lost)
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _connection_lost() -> None:
    raise OperationalError("server closed the connection unexpectedly")


def test_a_commit_that_only_seemed_to_fail_is_not_written_twice(writer: Writer, session: Session) -> None:
    put = step(session, "review/a")
    attempt = Put(
        Attempt,
        uuid7(),
        {
            "step_id": put.pk,
            "session_id": session.pk,
            "ordinal": 1,
            "fence": session.fence,
            "model_id": "demo/atlas",
            "request_hash": "0" * 64,
            "state": "failed",
            "cost_microcredits": 50,
            "started_at": datetime.now(UTC),
        },
    )
    trap = Put(attempt.model, attempt.pk, AfterCommit(attempt.fields))  # type: ignore[arg-type]

    last = writer.enqueue(entry(session, claimed(1), changes=[put, trap], cost=50)).result(5)

    session.refresh_from_db()
    assert (last, session.next_seq - 1, session.cost_microcredits) == (session.next_seq - 1, last, 50)
    assert fences(session) == [1]
    assert violations() == []


def cut_waiting_connections() -> None:
    """End the server's side of every connection that waits for a lock; wait until there was one."""
    deadline, cut = time.monotonic() + 5, 0
    with connection.cursor() as cursor:
        while not cut and time.monotonic() < deadline:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            cut = cursor.fetchone()[0]


@pytest.mark.postgres
def test_a_connection_that_is_cut_in_a_transaction_loses_nothing(writer: Writer, session: Session) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only a server can cut a connection")
    with held(session):
        future = writer.enqueue(entry(session, claimed(1)))
        cut_waiting_connections()
    assert future.result(10) == session.next_seq
    assert fences(session) == [1]
