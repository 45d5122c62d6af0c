"""Workers that sleep, wake up, stop or crowd together: one session, one result."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import connections, transaction

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import stop_session
from sessions.claims import claim
from sessions.invariants import violations
from sessions.models import Attempt, Content, Event, Project, Session, Step
from sessions.providers.base import ProviderCall
from sessions.worker import Worker, worker
from tests import factories
from tests.doubles import ScriptedProvider, installed
from tests.driving import again, answering, is_review, kinds, lab, lapse, queued, status_of, to_rest, until
from tests.faults.workers import drive, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=answering)) as scripted:
        yield scripted


def rows() -> list[object]:
    """Everything a worker writes."""
    return [list(model.objects.order_by("pk").values()) for model in (Event, Content, Attempt, Step, Session)]


# --- stale workers


def test_a_stale_worker_that_wakes_up_in_a_call_writes_nothing(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session, wake_up = queued(owner, project, *lab("a")), threading.Event()
    provider.before = lambda call: wake_up.wait(20) if len(provider.calls) == 1 else None
    other = Worker()
    try:
        stale = worker().submit(session.pk)
        until(lambda: provider.calls)
        lapse(session)
        other.submit(session.pk).result(20)
        assert status_of(session) == "completed"
        before = rows()
        wake_up.set()
        stale.result(20)
    finally:
        wake_up.set()
        other.stop()
    assert rows() == before
    assert sorted(Attempt.objects.values_list("state", flat=True)) == ["delivered"] * 3 + ["lost"]
    assert violations() == []


def test_a_stopped_process_that_goes_on_later_writes_nothing(review: Session) -> None:
    stale = start(review.pk, pauses=0.3)
    until(lambda: Attempt.objects.filter(state="running").exists())
    os.kill(stale.pid or 0, signal.SIGSTOP)
    try:
        assert status_of(review) == "running"
        lapse(review)
        assert drive(review.pk) == 0
        assert status_of(review) == "completed"
        before = rows()
    finally:
        os.kill(stale.pid or 0, signal.SIGCONT)
    stale.join(20)
    assert (stale.exitcode, rows() == before) == (0, True)
    assert violations() == []


def test_a_worker_that_waits_for_a_lock_to_take_over_is_not_taken_for_one_that_lost(
    owner: User, project: Project, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.worker.HEARTBEAT_SECONDS", 0.01)
    session = queued(owner, project, *lab("a"))
    claim([session.pk], "dead")
    lapse(session)
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(title="locked")
        driven = worker().submit(session.pk)
        time.sleep(0.2)
    driven.result(20)
    assert (status_of(session), kinds(session).count("session.recovered")) == ("completed", 1)
    assert violations() == []


def test_a_worker_that_lost_its_lease_sends_no_further_request(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a", "b", "c"))

    def overtaken(call: ProviderCall) -> None:
        lapse(session)
        assert claim([session.pk], "another").get(session.pk)
        connections.close_all()

    provider.before = overtaken
    worker().submit(session.pk).result(10)
    assert len(provider.calls) == 1
    assert status_of(session) == "running"


# --- stopping


def test_stopping_in_a_call_records_nothing_afterwards(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a"))
    provider.play = lambda call: ["half an answer", 30.0]
    driven = worker().submit(session.pk)
    until(lambda: Attempt.objects.exists() and provider.open)

    stop_session(Actor(owner), Session.objects.get(pk=session.pk))
    driven.result(5)

    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.error_code, attempt.cost_microcredits) == ("lost", "stopped", None)
    assert (status_of(session), kinds(session)[-1], provider.open) == ("cancelled", "session.cancelled", 0)
    assert session.events.get(kind="session.cancelled").data["in_flight"] == 1
    assert violations() == []


def test_stopping_before_the_answer_is_recorded_keeps_the_log_closed(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a"))

    def stop(call: ProviderCall) -> None:
        stop_session(Actor(owner), Session.objects.get(pk=session.pk))
        connections.close_all()

    provider.before = stop
    to_rest(session)
    assert (session.status, kinds(session)[-1], len(provider.calls)) == ("cancelled", "session.cancelled", 1)
    assert not Step.objects.filter(state="done").exists()
    assert violations() == []


def test_a_stopped_session_goes_on_where_it_was_when_retried(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a", "b", "c"))
    provider.play = lambda call: ["half", 30.0] if call.member == "B" else answering(call)
    driven = worker().submit(session.pk)
    until(lambda: Step.objects.filter(state="done").count() == 3)  # the brief and two reviews
    stop_session(Actor(owner), Session.objects.get(pk=session.pk))
    driven.result(5)
    provider.play, paid = answering, len(provider.calls)

    again(owner, session)

    assert [(call.member, is_review(call)) for call in provider.calls[paid:]] == [("B", True), ("C", False)]
    assert session.status == "completed"
    assert violations() == []


@pytest.mark.parametrize("moment", ["early", "late"])
def test_stopping_at_the_end_is_either_too_late_or_complete(
    owner: User, project: Project, provider: ScriptedProvider, moment: str
) -> None:
    """Somebody presses Stop while the last step is being recorded: both ends are whole, there is no third."""
    session = queued(owner, project, *lab("a"))

    def press() -> None:
        time.sleep(0 if moment == "early" else 0.02)
        with suppress(Refused):
            stop_session(Actor(owner), Session.objects.get(pk=session.pk))
        connections.close_all()

    person = threading.Thread(target=press)
    provider.before = lambda call: person.start() if call.schema is None else None  # the summary is the last
    to_rest(session)
    person.join()
    assert sum(kind in {"session.completed", "session.cancelled"} for kind in kinds(session)) == 1
    assert violations() == []


def test_a_worker_that_stops_gives_its_sessions_back_and_another_asks_only_what_was_in_flight(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a", "b"))
    provider.play = lambda call: [30.0] if call.member == "B" else answering(call)
    first = Worker()
    first.submit(session.pk)
    until(lambda: Step.objects.filter(state="done").count() == 2)
    first.stop()
    session.refresh_from_db()
    assert (session.status, session.owner, session.lease_until, provider.open) == ("queued", "", None, 0)
    assert session.events.get(kind="session.released").data == {"fence": 1, "lost": 1}
    assert Attempt.objects.get(state="lost").error_code == "worker_stopped"
    assert violations() == []

    provider.play, paid = answering, len(provider.calls)
    assert to_rest(session).status == "completed"
    assert [call.member for call in provider.calls[paid:]] == ["B", "A"]  # B's review, and the summary
    assert "session.recovered" not in kinds(session)
    assert violations() == []


def test_no_number_of_stops_is_a_death(owner: User, project: Project, provider: ScriptedProvider) -> None:
    session = queued(owner, project, *lab("a"))
    provider.play = lambda call: ["half", 30.0]
    for stops in range(1, 5):
        stopping = Worker()
        stopping.submit(session.pk)
        until(lambda: provider.open)
        stopping.stop()
        session.refresh_from_db()
        assert (session.status, session.recoveries, session.fence) == ("queued", 0, stops)
    provider.play = answering
    assert to_rest(session).status == "completed"
    assert violations() == []


def test_deaths_before_a_stop_are_still_counted_after_it(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a"))
    claim([session.pk], "dead")
    lapse(session)
    provider.play = lambda call: [30.0]
    stopping = Worker()
    stopping.submit(session.pk)
    until(lambda: provider.open)
    stopping.stop()
    session.refresh_from_db()
    assert (session.status, session.recoveries) == ("queued", 1)


def test_a_worker_that_stops_while_it_takes_a_session_gives_that_back_too(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    provider.play = lambda call: [30.0]
    first, waiting = (queued(owner, project, *lab(name)) for name in "ab")
    stopping = Worker()
    stopping.submit(first.pk)
    until(lambda: provider.open)
    with transaction.atomic():
        Session.objects.filter(pk=waiting.pk).update(title="locked")
        stopping.submit(waiting.pk)
        time.sleep(0.2)
        stop = threading.Thread(target=stopping.stop)
        stop.start()
        time.sleep(0.2)
    stop.join(20)
    assert [status_of(first), status_of(waiting)] == ["queued", "queued"]
    assert not Session.objects.exclude(owner="").exists()
    assert violations() == []


def test_a_worker_that_has_stopped_takes_nothing_more(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a"))
    provider.play = lambda call: [30.0]
    stopping = Worker()
    driven = stopping.submit(session.pk)
    again = stopping.submit(session.pk)  # the doorbell rang twice: it waits for the first drive to end
    until(lambda: provider.open)
    stopping.stop()
    assert (driven.done(), again.done(), status_of(session)) == (True, True, "queued")


# --- crowds


def test_many_processes_that_want_one_session_make_one_result(review: Session) -> None:
    crowd = [start(review.pk) for _ in range(4)]
    for process in crowd:
        process.join(30)
    assert [process.exitcode for process in crowd] == [0] * 4
    assert (status_of(review), kinds(review).count("session.claimed")) == ("completed", 1)
    assert violations() == []


def test_many_sessions_at_once_with_people_at_work_lock_nobody_out(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    """F24: writers of one process and eight busy people; on SQLite there is one lock for all of them."""
    models = lab("a", "b", "c")
    sessions = [queued(owner, project, *models) for _ in range(20)]
    errors: list[BaseException] = []
    waits: list[float] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                begun = time.monotonic()
                factories.draft(owner, project, seats=factories.seats(*models), title=f"{number} {turn}")
                waits.append(time.monotonic() - begun)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            errors.append(error)
        finally:
            connections.close_all()

    people = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for person in people:
        person.start()
    worker().watch()
    for driven in [worker().submit(session.pk) for session in sessions]:
        driven.result(60)
    for person in people:
        person.join()
    assert errors == []
    assert max(waits) < 5
    # One that found the file locked when it was to be claimed is still queued: that is what the sweeper is for.
    until(lambda: {status_of(session) for session in sessions} == {"completed"}, seconds=30)
    assert violations() == []
