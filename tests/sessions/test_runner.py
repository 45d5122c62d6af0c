"""One session, one lease: who gets it, who keeps it, and how a session comes to rest."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import DataError, OperationalError, connections

from crucible_site.celery import app as celery
from crucible_site.models import User
from sessions import execution, outbox
from sessions.access import Actor
from sessions.actions.lifecycle import retry_session, start_session, stop_session
from sessions.claims import Claims, claim
from sessions.engine.run import Message, Prompt, Run
from sessions.gateway import Gateway
from sessions.invariants import violations
from sessions.kinds import KINDS
from sessions.models import Attempt, Content, Outbox, Project, Session, Step
from sessions.providers.base import ProviderCall
from sessions.runner import drive
from sessions.worker import worker
from sessions.writer import Entry, Writer
from tests import factories
from tests.doubles import ScriptedProvider, Turn, failing, installed
from tests.driving import (
    LONG_AGO,
    again,
    answering,
    kinds,
    lab,
    lapse,
    queued,
    status_of,
    to_rest,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=answering)) as scripted:
        yield scripted


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that beats and looks for work every moment."""
    monkeypatch.setattr("sessions.worker.SWEEP_SECONDS", 0.05)
    monkeypatch.setattr("sessions.worker.HEARTBEAT_SECONDS", 0.05)


# --- claiming


def test_a_queued_session_is_claimed_once(owner: User, project: Project) -> None:
    session = queued(owner, project)
    first, second = claim([session.pk], "one").get(session.pk), claim([session.pk], "two").get(session.pk)
    assert first is not None
    assert (first.session.owner, first.session.fence, second) == ("one", 1, None)


@pytest.mark.parametrize("status", ["draft", "waiting", "completed", "failed", "cancelled", "needs_attention"])
def test_a_session_at_rest_is_not_claimed(owner: User, project: Project, status: str) -> None:
    session = queued(owner, project)
    Session.objects.filter(pk=session.pk).update(status=status, lease_until=LONG_AGO)
    assert claim([session.pk], "one").get(session.pk) is None


@pytest.mark.parametrize("lapsed", [False, True])
def test_of_many_workers_exactly_one_gets_the_lease(owner: User, project: Project, lapsed: bool) -> None:
    sessions = [queued(owner, project) for _ in range(5)]
    if lapsed:
        for session in sessions:
            claim([session.pk], "dead")
            lapse(session)
    start = threading.Barrier(8)

    def race(number: int) -> list[int]:
        start.wait()
        try:
            return [session.pk for session in sessions if claim([session.pk], f"worker-{number}").get(session.pk)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        won = Counter(pk for wins in pool.map(race, range(8)) for pk in wins)
    assert won == {session.pk: 1 for session in sessions}


def test_a_lease_that_holds_is_not_taken(owner: User, project: Project) -> None:
    session = queued(owner, project)
    claim([session.pk], "one")
    assert claim([session.pk], "two").get(session.pk) is None


def test_a_lapsed_lease_is_taken_with_a_new_fence_and_lost_attempts_are_marked(owner: User, project: Project) -> None:
    session = queued(owner, project)
    claim([session.pk], "one")
    factories.ask(session, "A", "brief/a", cost=None)
    Attempt.objects.update(state="running")
    Step.objects.update(state="running")
    lapse(session)

    lease = claim([session.pk], "two").get(session.pk)

    assert lease is not None
    assert (lease.session.fence, lease.session.recoveries, lease.recovered) == (2, 1, True)
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.error_code, attempt.cost_microcredits) == ("lost", "attempt_lost", None)
    assert session.events.get(kind="session.recovered").data == {"fence": 2, "recoveries": 1, "lost": 1}


def test_the_third_death_on_one_step_asks_for_a_person(owner: User, project: Project) -> None:
    session = queued(owner, project)
    claim([session.pk], "one")
    for _ in range(2):
        lapse(session)
        assert claim([session.pk], "next").get(session.pk)
    lapse(session)
    assert claim([session.pk], "last").get(session.pk) is None
    session.refresh_from_db()
    assert (session.status, session.owner, kinds(session)[-1]) == ("needs_attention", "", "session.gave_up")
    assert violations() == []


def test_a_session_that_needs_attention_can_be_retried(owner: User, project: Project) -> None:
    session = queued(owner, project)
    Session.objects.filter(pk=session.pk).update(status="needs_attention", recoveries=3)
    assert again(owner, session).status == "completed"
    assert violations() == []


# --- coming to rest


def test_an_adapter_that_breaks_costs_one_instance_and_not_the_session(
    owner: User, project: Project, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.play = lambda call: [ZeroDivisionError("sk-secret")] if call.member == "B" else answering(call)
    session = to_rest(queued(owner, project, *lab("a", "b", "c")))
    assert (session.status, session.reason) == ("completed", "2_of_3_answered")
    assert session.participants.get(letter="B").error_code == "internal"
    assert "ZeroDivisionError" in caplog.text
    assert "sk-secret" not in caplog.text
    assert violations() == []


def test_words_that_no_database_takes_fail_nothing(owner: User, project: Project, provider: ScriptedProvider) -> None:
    def hostile(call: ProviderCall) -> Turn:
        text, end = answering(call)
        return ["\0\ud800", str(text).replace("says", "says \\ud800\\u0000\udfff\0"), end]

    provider.play = hostile
    session = to_rest(queued(owner, project, *lab("a", "b")))
    assert (session.status, session.findings.count()) == ("completed", 1)
    assert violations() == []


def test_all_failing_instances_fail_the_session_and_a_retry_asks_them_again(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    provider.play = lambda call: failing("provider_auth")
    session = to_rest(queued(owner, project, *lab("a", "b")))
    assert (session.status, session.reason) == ("failed", "no_answers")
    assert {row.state for row in session.participants.all()} == {"missing"}
    provider.play = answering
    assert again(owner, session).status == "completed"
    assert violations() == []


async def broken_pattern(run: Run, spec: Any) -> None:
    """A pattern with a bug: what the registry names instead of the review in one test."""
    await run.call("brief/a", Prompt("A", "lab/a", (Message("user", "hello"),)))
    raise LookupError("a bug of ours")


def test_a_bug_of_ours_fails_the_session_and_keeps_what_was_paid(
    owner: User, project: Project, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = replace(KINDS["review"].phases["review"], pattern=f"{__name__}.broken_pattern")
    monkeypatch.setitem(KINDS, "review", replace(KINDS["review"], phases={"review": phase}))
    session = to_rest(queued(owner, project, *lab("a")))
    assert (session.status, session.reason) == ("failed", "internal")
    assert session.cost_microcredits > 0
    assert violations() == []


class PickyWriter(Writer):
    """Refuses what `refuses` says with an error of the database."""

    def __init__(self, error: Exception, refuses: Any) -> None:
        super().__init__(lambda code, seq, events: None)
        self.error, self.refuses = error, refuses

    def _queue_up(self, entry: Entry) -> None:
        if self.refuses(entry):
            entry.broken.append(self.error)
        super()._queue_up(entry)


def drive_with(writer: Writer, session: Session) -> None:
    try:
        asyncio.run(drive(session.pk, Claims("one"), writer, Gateway(lambda code, letter, text: None), lambda: None))
    finally:
        writer.stop()
    session.refresh_from_db()


def test_an_answer_that_cannot_be_recorded_leaves_no_attempt_open(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a"))
    drive_with(PickyWriter(DataError("value too long"), lambda entry: entry.progress), session)
    assert (session.status, session.reason) == ("failed", "internal")
    assert Attempt.objects.get().state == "lost"
    assert violations() == []


@pytest.mark.parametrize("kind", ["session.claimed", "call.started", "call.finished", "session.completed"])
def test_a_database_that_goes_away_does_not_fail_the_session(
    owner: User, project: Project, provider: ScriptedProvider, kind: str
) -> None:
    session = queued(owner, project, *lab("a"))
    gone = PickyWriter(OperationalError("gone"), lambda entry: kind in {draft.kind for draft in entry.events})
    with pytest.raises(OperationalError):
        drive_with(gone, session)
    assert status_of(session) == "running"
    lapse(session)
    assert to_rest(session).status == "completed"
    assert violations() == []


def test_a_session_whose_artifact_was_erased_says_so(owner: User, project: Project) -> None:
    session = queued(owner, project)
    Content.objects.filter(kind="artifact").update(text="", erased_at=LONG_AGO)
    to_rest(session)
    assert (session.status, session.reason) == ("failed", "source_erased")
    assert violations() == []


def test_a_model_that_was_switched_off_meanwhile_is_missing(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a", "b"))
    model = session.participants.get(letter="B").language_model
    model.enabled = False
    model.save()
    to_rest(session)
    assert session.participants.get(letter="B").error_code == "model_disabled"
    assert {call.member for call in provider.calls} == {"A"}
    assert violations() == []


def test_simulated_and_real_instances_share_a_session(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    factories.demo_models()
    session = to_rest(queued(owner, project, "demo/atlas", *lab("a")))
    assert session.status == "completed"
    assert [row.simulated for row in session.participants.order_by("letter")] == [True, False]
    assert violations() == []


# --- doorbells


@pytest.mark.usefixtures("quick")
def test_the_sweeper_finds_what_no_doorbell_announced(owner: User, project: Project) -> None:
    session, dead = queued(owner, project), queued(owner, project)
    claim([dead.pk], "dead")
    lapse(dead)
    Session.objects.filter(pk=session.pk).update(started_at=LONG_AGO)
    worker()
    until(lambda: [status_of(session), status_of(dead)] == ["completed", "completed"])
    assert violations() == []


@pytest.mark.usefixtures("quick")
def test_the_sweeper_sends_what_was_not_sent(owner: User, project: Project) -> None:
    session = queued(owner, project)
    row = Outbox.objects.create(kind="dispatch", payload={"session": session.pk})
    Outbox.objects.filter(pk=row.pk).update(created_at=LONG_AGO)
    worker()
    until(lambda: Outbox.objects.exclude(sent_at=None).exists() and status_of(session) == "completed")


def test_doorbells_that_ring_often_and_for_nobody_do_no_harm(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a", "b"))
    futures = [worker().submit(pk) for pk in [session.pk, 10**9] * 15]
    for future in futures:
        future.result(20)
    to_rest(session)
    assert len(provider.calls) == 4
    assert kinds(session).count("session.claimed") == 1
    assert violations() == []


def test_a_retry_pressed_right_after_stop_is_not_left_to_the_sweeper(
    owner: User, project: Project, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doorbell of the retry comes while the stopped drive is still ending."""
    monkeypatch.setattr("sessions.worker.SWEEP_SECONDS", 60)
    session = queued(owner, project, *lab("a"))
    provider.play = lambda call: [30.0]
    worker().submit(session.pk)
    until(lambda: provider.open)
    provider.play = answering
    stop_session(Actor(owner), Session.objects.get(pk=session.pk))
    retry_session(Actor(owner), Session.objects.get(pk=session.pk), dispatch=False)
    worker().submit(session.pk).result(10)
    assert status_of(session) == "completed"
    assert violations() == []


@pytest.fixture
def _unreachable_broker(settings: Any) -> Iterator[None]:
    settings.CRUCIBLE_ENGINE = "celery"
    before = celery.conf.broker_url
    celery.conf.broker_url = "redis://127.0.0.1:1/0"
    celery.amqp._producer_pool = celery._pool = None
    yield
    celery.conf.broker_url = before
    celery.amqp._producer_pool = celery._pool = None


@pytest.mark.usefixtures("_unreachable_broker")
def test_without_redis_the_session_is_carried_here_and_says_so(owner: User, project: Project) -> None:
    session = start_session(Actor(owner), factories.draft(owner, project))
    until(lambda: status_of(session) == "completed")
    session.refresh_from_db()
    assert session.engine == "direct"
    assert session.events.get(kind="session.fell_back").data == {"engine": "direct", "why": "redis_unreachable"}
    assert Outbox.objects.get(kind="dispatch").sent_at is not None
    assert violations() == []


@pytest.mark.usefixtures("_unreachable_broker", "quick")
def test_a_process_that_stands_in_for_the_workers_takes_nothing_it_was_not_given(owner: User, project: Project) -> None:
    given = start_session(Actor(owner), factories.draft(owner, project))
    until(lambda: status_of(given) == "completed")
    orphan = queued(owner, project)
    claim([orphan.pk], "dead")
    lapse(orphan)
    time.sleep(0.5)  # ten sweeps
    assert (status_of(orphan), Session.objects.get(pk=orphan.pk).owner) == ("running", "dead")


@pytest.mark.usefixtures("_unreachable_broker")
def test_a_session_is_passed_on_to_others_or_to_nobody(owner: User, project: Project) -> None:
    """A process that stops must not carry again what it has just given back."""
    session = queued(owner, project)
    execution.pass_on(session.pk)
    assert (status_of(session), kinds(session)[-1]) == ("queued", "session.started")


@pytest.mark.usefixtures("_unreachable_broker")
def test_what_is_not_queued_any_more_does_not_fall_back(owner: User, project: Project) -> None:
    session = queued(owner, project)
    claim([session.pk], "one")
    before = kinds(session)
    execution.dispatch(session.pk)
    assert kinds(session) == before


def test_a_message_that_cannot_be_sent_stays_for_the_sweeper(owner: User) -> None:
    outbox.post("unheard_of", session=1)
    assert Outbox.objects.get().sent_at is None


def test_a_message_of_a_change_that_was_rolled_back_is_never_sent(owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    Session.objects.filter(pk=session.pk).update(status="completed")
    with pytest.raises(Exception, match="wrong_state"):
        start_session(Actor(owner), session)
    assert not Outbox.objects.exists()


# --- the heartbeat


@pytest.mark.usefixtures("quick")
def test_a_long_call_keeps_its_lease(owner: User, project: Project, provider: ScriptedProvider) -> None:
    session = queued(owner, project, *lab("a"))
    answered = threading.Event()
    provider.before = lambda call: answered.wait(10)
    driven = worker().submit(session.pk)
    until(lambda: provider.open)
    held = Session.objects.get(pk=session.pk).lease_until
    until(lambda: Session.objects.filter(pk=session.pk, lease_until__gt=held).exists(), 2)
    answered.set()
    driven.result(20)
    assert kinds(session).count("session.recovered") == 0


@pytest.mark.usefixtures("quick")
def test_the_heartbeat_keeps_alive_only_what_is_being_driven(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    """A session whose drive ended without giving the lease back must lapse, whatever else its worker does."""
    busy, orphan, done = queued(owner, project, *lab("a")), queued(owner, project), threading.Event()
    provider.before = lambda call: done.wait(10)
    driven = worker().submit(busy.pk)
    until(lambda: provider.open)
    claim([orphan.pk], worker().name)
    lapse(orphan)
    until(lambda: status_of(orphan) == "completed")
    assert not driven.done()
    done.set()
    driven.result(20)
    assert violations() == []


@pytest.mark.usefixtures("quick")
def test_the_heartbeat_ends_what_somebody_stopped_even_when_nobody_rang(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = queued(owner, project, *lab("a"))
    provider.play = lambda call: [30.0]
    driven = worker().submit(session.pk)
    until(lambda: provider.open)
    Session.objects.filter(pk=session.pk).update(status="cancelled", owner="", lease_until=None)
    driven.result(5)
    assert provider.open == 0


def test_a_retried_session_may_be_claimed_by_the_worker_that_had_it(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    provider.play = lambda call: failing("refused")
    session = to_rest(queued(owner, project, *lab("a")))
    retry_session(Actor(owner), session, dispatch=False)
    lease = claim([session.pk], worker().name).get(session.pk)
    assert lease is not None
    assert (lease.session.generation, lease.session.fence, lease.recovered) == (1, 2, False)
