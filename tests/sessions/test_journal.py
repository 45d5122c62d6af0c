"""What a session remembers: paid once, replayed exactly, retried without paying again."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.lifecycle import continue_session
from sessions.claims import claim
from sessions.engine.run import CallFailed, JournalMismatch, Message, Prompt, Reply, Usage
from sessions.invariants import violations
from sessions.journal import SessionJournal
from sessions.models import Attempt, Content, Event, Project, Session, Step
from sessions.providers.base import ProviderCall, ProviderError
from sessions.writer import Draft, LeaseLost, Writer
from tests.doubles import END, ScriptedProvider, Turn, failing, installed
from tests.driving import again, answering, is_review, kinds, lab, lapse, queued, review, to_rest, with_role

pytestmark = pytest.mark.django_db(transaction=True)

PROMPT = Prompt("A", "lab/a", (Message("user", "hello"),))
FINGERPRINT = PROMPT.fingerprint()
Use = Callable[[SessionJournal], Awaitable[Any]]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=answering)) as scripted:
        yield scripted


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    return queued(owner, project, *lab("a", "b"))


def leased(session: Session, use: Use, observers: dict[str, Any] | None = None) -> Any:
    """Take the session's lease as a new worker would, and use its journal; what `use` returned."""
    lapse(session)
    lease = claim([session.pk], "test").get(session.pk)
    assert lease is not None
    writer = Writer(lambda code, seq, events: None)

    async def used() -> Any:
        return await use(SessionJournal(lease.snapshot, writer, observers or {}))

    try:
        return asyncio.run(used())
    finally:
        writer.stop()


async def call(journal: SessionJournal, path: str = "brief/a", prompt: Prompt = PROMPT, cost: int | None = 5) -> None:
    """One paid call."""
    attempt = await journal.begin(path, prompt.fingerprint(), prompt, "0" * 64, 10)
    attempt.usage, attempt.cost = Usage(3, 4), cost
    await journal.finish(path, prompt.fingerprint(), Reply("words", usage=attempt.usage))


# --- calls


def test_a_recorded_answer_comes_back_as_it_was(session: Session) -> None:
    async def use(journal: SessionJournal) -> None:
        attempt = await journal.begin("brief/a", FINGERPRINT, PROMPT, "0" * 64, 10)
        attempt.usage = Usage(3, 4, 1, reported=False)
        await journal.finish("brief/a", FINGERPRINT, Reply("wörds", "length", attempt.usage, read_in_part=True))

    leased(session, use)
    found = leased(session, lambda journal: journal.recall("brief/a", FINGERPRINT))
    assert found == Reply("wörds", "length", Usage(3, 4, 1, reported=False), read_in_part=True)


def test_a_recorded_failure_is_raised_again(session: Session) -> None:
    leased(session, lambda journal: journal.fail("brief/a", FINGERPRINT, CallFailed("no_key", "A", "brief/a")))
    with pytest.raises(CallFailed, match="no_key"):
        leased(session, lambda journal: journal.recall("brief/a", FINGERPRINT))


def test_a_call_that_was_never_answered_is_not_recalled(session: Session) -> None:
    leased(session, lambda journal: journal.begin("brief/a", FINGERPRINT, PROMPT, "0" * 64, 10))
    assert leased(session, lambda journal: journal.recall("brief/a", FINGERPRINT)) is None
    assert Attempt.objects.get().state == "lost"


def test_another_prompt_for_a_recorded_answer_is_a_bug_of_the_same_version(session: Session) -> None:
    leased(session, call)
    with pytest.raises(JournalMismatch, match="brief/a"):
        leased(session, lambda journal: journal.recall("brief/a", "another"))


def test_after_a_deploy_the_recorded_answer_is_used_and_the_drift_is_noted_once(session: Session) -> None:
    leased(session, call)
    Step.objects.update(code_version="older")

    async def use(journal: SessionJournal) -> Reply | None:
        found = await journal.recall("brief/a", "another")
        await call(journal, "review/a")
        return found

    reply = leased(session, use)
    assert reply is not None
    assert reply.text == "words"
    leased(session, lambda journal: journal.recall("brief/a", "another"))
    drift = Event.objects.get(kind="replay.drifted")
    assert drift.data == {"path": "brief/a", "recorded_by": "older"}


def test_a_lost_call_that_is_made_again_counts_its_attempts_on(session: Session) -> None:
    for _ in range(2):
        leased(session, lambda journal: journal.begin("brief/a", FINGERPRINT, PROMPT, "0" * 64, 10))
    leased(session, call)
    rows = Attempt.objects.order_by("ordinal").values_list("ordinal", "state", "fence")
    assert list(rows) == [(1, "lost", 1), (2, "lost", 2), (3, "delivered", 3)]
    assert Step.objects.get().state == "done"


def test_a_lost_call_that_a_newer_version_asks_otherwise_is_recorded_under_its_new_prompt(session: Session) -> None:
    leased(session, lambda journal: journal.begin("brief/a", FINGERPRINT, PROMPT, "0" * 64, 10))
    Step.objects.update(code_version="older")
    newer = replace(PROMPT, messages=(Message("user", "hello again"),))
    leased(session, lambda journal: call(journal, prompt=newer))
    step = Step.objects.get()
    assert (step.fingerprint, step.state) == (newer.fingerprint(), "done")
    assert sorted(Attempt.objects.values_list("ordinal", flat=True)) == [1, 2]
    assert leased(session, lambda journal: journal.recall("brief/a", newer.fingerprint())).text == "words"


def test_attempts_are_committed_before_the_request_leaves(session: Session, provider: ScriptedProvider) -> None:
    seen: list[list[str]] = []

    def look(request: ProviderCall) -> None:
        seen.append(list(Attempt.objects.filter(letter=request.member).values_list("state", flat=True)))
        connections.close_all()

    provider.before = look
    to_rest(session)
    assert len(seen) == len(provider.calls) == 4
    assert all("running" in states for states in seen)


def test_whoever_lost_the_lease_can_record_nothing_and_hears_of_it(session: Session) -> None:
    async def use(journal: SessionJournal) -> None:
        attempts = [await journal.begin(f"review/{letter}", FINGERPRINT, PROMPT, "0" * 64, 10) for letter in "abc"]
        await asyncio.to_thread(take_over)
        await journal.finish("review/a", FINGERPRINT, Reply("late"))
        await journal.fail("review/b", FINGERPRINT, CallFailed("refused", "A"))
        await journal.end(attempts[2], "stream_cut", 0.5)
        with pytest.raises(LeaseLost):
            await journal.begin("brief/a", FINGERPRINT, PROMPT, "0" * 64, 10)
        with pytest.raises(LeaseLost):
            await journal.close(Draft("session.parked", {"waiting_for": "cap"}), {"status": "waiting"})

    def take_over() -> None:
        lapse(session)
        assert claim([session.pk], "another").get(session.pk)
        connections.close_all()

    leased(session, use)
    assert not Content.objects.filter(kind="output").exists()
    assert [attempt.state for attempt in Attempt.objects.all()] == ["lost"] * 3
    assert {"call.finished", "call.lost", "call.retrying", "session.parked"}.isdisjoint(kinds(session))


def test_a_lease_that_was_lost_unnoticed_leaves_no_complaint_behind(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(journal: SessionJournal) -> None:
        await asyncio.to_thread(take_over)
        for number in range(3):
            await journal.note(f"brief/{number}", "brief.missing", {"letter": "A", "code": "refused"}, {})
        with pytest.raises(LeaseLost):
            await journal.begin("brief/a", FINGERPRINT, PROMPT, "0" * 64, 10)

    def take_over() -> None:
        Session.objects.filter(pk=session.pk).update(fence=99)
        connections.close_all()

    leased(session, use)
    assert "never retrieved" not in caplog.text


# --- notes and observations


def test_a_note_is_appended_once(session: Session) -> None:
    def noting(path: str) -> Use:
        async def use(journal: SessionJournal) -> None:
            for _ in range(2):
                await journal.note("brief", "brief.written", {"letter": "A"}, {"brief": "Look at the money."})
            await call(journal, path)

        return use

    leased(session, noting("brief/a"))
    leased(session, noting("review/a"))
    assert kinds(session).count("brief.written") == 1
    assert Content.objects.filter(kind="brief").count() == 1


def test_an_observation_is_made_once(session: Session) -> None:
    looked = Counter[str]()

    async def look(what: str) -> dict[str, int]:
        looked[what] += 1
        return {"count": looked[what]}

    async def proved(journal: SessionJournal) -> list[Any]:
        seen = [await journal.observe("issued", "look", {"what": "numbers"}) for _ in range(2)]
        await journal.fail("brief/a", FINGERPRINT, CallFailed("no_key", "A"))
        return seen

    assert leased(session, proved, {"look": look}) == [{"count": 1}] * 2
    assert leased(session, lambda journal: journal.observe("issued", "look", {"what": "numbers"}), {}) == {"count": 1}


# --- retries


def test_a_retry_pays_only_what_is_missing_and_keeps_the_numbers(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    """C is missing first. When it answers, what it found is graver than what had number 1."""
    other = {
        "title": "Prints a total", "claim": "The module writes to standard output when it is imported.",
        "evidence": 'print(pay("10"))', "suggestion": "Guard it.", "category": "side effect", "family": "style",
        "location": {"path": "pay.py", "start_line": 5, "end_line": 5, "anchor": ""}, "severity": "blocker",
    }  # fmt: skip

    def play(request: ProviderCall) -> Turn:
        if not is_review(request):
            return answering(request)
        return [review(request.member, **(other if request.member == "C" else {})), END]

    provider.play = lambda request: failing("refused") if request.member == "C" else play(request)
    session = to_rest(queued(owner, project, *lab("a", "b", "c")))
    assert session.reason == "2_of_3_answered"
    numbers = dict(session.findings.values_list("canonical_id", "number"))
    paid, cost = len(provider.calls), session.cost_microcredits

    provider.play = play
    again(owner, session)

    assert [request.member for request in provider.calls[paid:] if is_review(request)] == ["C"]
    assert len(provider.calls) == paid + 2  # C's review, and a new summary
    found = dict(session.findings.values_list("canonical_id", "number"))
    assert found.items() >= numbers.items()
    assert list(session.findings.order_by("rank").values_list("number", "severity")) == [(2, "blocker"), (1, "major")]
    assert session.cost_microcredits > cost
    assert (session.reason, violations()) == ("", [])


def test_a_retry_with_nothing_missing_pays_nothing(session: Session, owner: User, provider: ScriptedProvider) -> None:
    to_rest(session)
    paid, cost, words = len(provider.calls), session.cost_microcredits, Content.objects.count()
    again(owner, session)
    assert (len(provider.calls), session.cost_microcredits, Content.objects.count()) == (paid, cost, words)
    assert session.status == "completed"
    assert violations() == []


def test_an_instance_that_fails_again_is_missing_again(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    provider.play = lambda request: failing("refused") if request.member == "B" else answering(request)
    session = to_rest(queued(owner, project, *lab("a", "b", "c")))
    for _ in range(2):
        again(owner, session)
        seat = session.participants.get(letter="B")
        assert (session.status, seat.state, seat.error_code) == ("completed", "missing", "refused")
        assert session.events.filter(kind="session.retried").latest("seq").data["missing"] == ["B"]
    assert violations() == []


def test_a_retry_says_only_what_has_changed(owner: User, project: Project, provider: ScriptedProvider) -> None:
    provider.play = lambda request: failing("refused") if request.member == "B" else answering(request)
    session = to_rest(queued(owner, project, *lab("a", "b", "c")))
    before = Counter(kinds(session))
    again(owner, session)
    new = Counter(kinds(session)) - before
    assert set(new) == {
        "session.retried", "session.claimed", "call.started", "call.lost", "instance.missing", "session.completed",
    }  # fmt: skip


def test_the_same_code_with_another_prompt_fails_and_says_so(session: Session, provider: ScriptedProvider) -> None:
    leased(session, lambda journal: call(journal, "brief/a"))
    lapse(session)
    to_rest(session)
    assert (session.status, session.reason, provider.calls) == ("failed", "internal", [])
    assert violations() == []


# --- caps and money


def test_the_soft_cap_parks_and_a_person_lets_it_go_on(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = to_rest(queued(owner, project, *lab("a", "b"), soft_cap=1))
    assert (session.status, session.waiting_for, provider.calls) == ("waiting", "cap", [])
    assert session.events.get(kind="cap.reached").data == {"cap": "soft", "microcredits": 1}
    continue_session(Actor(owner), session, dispatch=False)
    assert to_rest(session).status == "completed"
    assert violations() == []


def test_a_soft_cap_in_the_middle_keeps_what_was_paid(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    models = lab("a", "b")
    whole = to_rest(queued(owner, project, *models))
    cap = whole.cost_microcredits // 2 + Attempt.objects.get(step__path="brief/a").held_microcredits
    session = to_rest(queued(owner, project, *models, soft_cap=cap))
    paid = session.cost_microcredits
    assert session.status == "waiting"
    assert 0 < paid < whole.cost_microcredits
    calls = len(provider.calls)
    continue_session(Actor(owner), session, dispatch=False)
    to_rest(session)
    assert (session.status, session.cost_microcredits) == ("completed", whole.cost_microcredits)
    assert len(provider.calls) - calls < 4
    assert violations() == []


def test_the_hard_cap_refuses_every_call_that_could_pass_it(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    session = to_rest(queued(owner, project, *lab("a", "b"), hard_cap=1))
    assert (session.status, session.reason, provider.calls) == ("failed", "no_answers", [])
    assert {row.error_code for row in session.participants.all()} == {"cap_reached"}
    assert kinds(session).count("cap.reached") == 1
    assert violations() == []


def test_calls_in_flight_together_stay_below_the_hard_cap(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    models = lab("a", "b", "c", "d", "e", "f")
    seats = with_role("reviewer", *models)
    held = (
        to_rest(queued(owner, project, seats=seats))
        .attempts.filter(letter="A")
        .earliest("started_at")
        .held_microcredits
    )
    provider.calls.clear()
    provider.play = lambda request: [0.2, *answering(request)]
    session = to_rest(queued(owner, project, seats=seats, hard_cap=3 * held))
    assert sum(is_review(request) for request in provider.calls) == 3
    assert session.cost_microcredits <= 3 * held
    assert Counter(session.participants.values_list("error_code", flat=True)) == {"": 3, "cap_reached": 3}
    assert violations() == []


def test_an_unknown_price_is_unknown_and_not_zero(owner: User, project: Project, provider: ScriptedProvider) -> None:
    models = [*lab("a"), *lab("unpriced", input_price=None, output_price=None)]
    session = to_rest(queued(owner, project, *models))
    assert session.price_unknown
    assert set(Attempt.objects.filter(letter="B").values_list("cost_microcredits", flat=True)) == {None}
    assert session.cost_microcredits == sum(
        cost or 0 for cost in Attempt.objects.filter(letter="A").values_list("cost_microcredits", flat=True)
    )
    assert violations() == []


def test_a_model_without_price_that_only_fails_makes_the_cost_unknown_too(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    models = [*lab("a"), *lab("unpriced", input_price=None, output_price=None)]
    provider.play = lambda request: (
        ["half", ProviderError("answer_too_large", billed=True)] if request.member == "B" else answering(request)
    )
    assert to_rest(queued(owner, project, *models)).price_unknown


def test_the_cost_of_a_session_is_the_sum_of_its_attempts(
    owner: User, project: Project, provider: ScriptedProvider
) -> None:
    """The first request of everybody breaks off after its answer had begun: that was billed too."""
    asked = Counter[str]()

    def flaky(request: ProviderCall) -> Turn:
        asked[request.member] += 1
        cut: Turn = ["half of it", ProviderError("stream_cut", billed=True)]
        return cut if asked[request.member] == 1 else answering(request)

    provider.play = flaky
    session = to_rest(queued(owner, project, *lab("a", "b")))
    costs = list(Attempt.objects.values_list("state", "cost_microcredits"))
    assert Counter(state for state, _ in costs) == {"failed": 2, "delivered": 4}
    assert all(cost for _, cost in costs)
    assert session.cost_microcredits == sum(cost or 0 for _, cost in costs)
    assert violations() == []
