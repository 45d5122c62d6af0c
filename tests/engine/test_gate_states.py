"""The table of gates, every path through it, and what time and evidence ask for."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sessions.gate_states import (
    BACK,
    STATES,
    TRANSITIONS,
    TRIGGERS,
    UNDO_WINDOW,
    Situation,
    after,
    due,
    outcome_after,
    sources_of,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
PENDING = Situation("pending", digest="d", expires_at=NOW)
DECIDED = Situation("decided", origin="pending", to="pass", digest="d", effective_at=NOW)


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(STATES, TRIGGERS)))
def test_every_trigger_leads_to_a_state_or_is_refused(state: str, trigger: str) -> None:
    assert after(state, trigger) == TRANSITIONS.get((state, trigger))
    assert (state in sources_of(trigger)) == (after(state, trigger) is not None)


def test_one_trigger_always_leads_to_one_state() -> None:
    for trigger in TRIGGERS:
        assert len({TRANSITIONS[state, trigger] for state in sources_of(trigger)}) == 1


def test_an_open_decision_leads_back_to_where_it_began() -> None:
    for origin, trigger in BACK.items():
        assert after("decided", trigger) == after("second_person", trigger) == origin


@pytest.mark.parametrize(
    ("gate", "trigger"),
    [
        (PENDING, "expire"),
        (replace(PENDING, expires_at=LATER), None),
        (replace(PENDING, state="second_person", origin="pending"), "expire"),
        (replace(PENDING, state="second_person", origin="effective"), "restore"),
        (replace(PENDING, state="second_person", origin="expired"), "expire"),
        (DECIDED, "take_effect"),
        (replace(DECIDED, effective_at=LATER), None),
        (Situation("effective", digest="d", override_until=NOW), "lapse"),
        (Situation("effective", digest="d"), None),
        (Situation("expired", digest="d"), None),
        (Situation("withheld"), None),
    ],
)
def test_time_asks_for_one_trigger_or_none(gate: Situation, trigger: str | None) -> None:
    assert due(gate, NOW, "d") == trigger


@pytest.mark.parametrize("state", [state for state in STATES if state != "withheld"])
def test_other_evidence_comes_before_everything_else(state: str) -> None:
    gate = Situation(state, "pending", "pass", "pass", "d", NOW, NOW, NOW)
    assert due(gate, NOW, "other") == due(gate, NOW, "") == "withhold"
    assert outcome_after(gate, "withhold") == ""


@pytest.mark.parametrize("origin", sorted(BACK))
def test_a_decision_ends_with_the_rights_of_who_made_it(origin: str) -> None:
    gate = replace(DECIDED, origin=origin, effective_at=LATER)
    assert due(gate, NOW, "d", deciders_stay=False) == BACK[origin]


class Gates(RuleBasedStateMachine):
    """A gate under everything that can happen to it, beside what somebody downstream may believe: a pass counts only
    when someone who may decide said so ten minutes ago, on the evidence there is, and its time is not over."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.evidence = NOW, 0
        self.gate = Situation("withheld")
        self.said: tuple[str, datetime, int] | None = None

    def pull(self, trigger: str, **fields: object) -> None:
        state = after(self.gate.state, trigger)
        assert state is not None
        outcome = outcome_after(self.gate, trigger)
        self.gate = replace(self.gate, state=state, outcome=outcome, **fields)  # type: ignore[arg-type]

    def settle(self) -> None:
        while trigger := due(self.gate, self.now, str(self.evidence)):
            self.pull(trigger, effective_at=None, override_until=None)

    def decide(self, to: str, *, two: bool) -> None:
        origin = self.gate.state
        if two:
            self.pull("second", origin=origin, to=to, expires_at=self.now + timedelta(hours=1))
        else:
            self.pull("decide", origin=origin, to=to, effective_at=self.now + UNDO_WINDOW)
            self.said = (to, self.now, self.evidence)

    @precondition(lambda self: self.gate.state == "withheld")
    @rule()
    def judge(self) -> None:
        self.pull("propose", digest=str(self.evidence), expires_at=self.now + timedelta(hours=1))

    @precondition(lambda self: self.gate.state in {"pending", "effective", "expired"})
    @rule(to=st.sampled_from(["pass", "fail"]), two=st.booleans())
    def somebody_decides(self, to: str, two: bool) -> None:
        self.decide(to, two=two)

    @precondition(lambda self: self.gate.state == "second_person")
    @rule(agrees=st.booleans())
    def the_second_decides(self, agrees: bool) -> None:
        to = self.gate.to if agrees else "fail"
        self.pull("decide", to=to, effective_at=self.now + UNDO_WINDOW)
        self.said = (to, self.now, self.evidence)

    @precondition(lambda self: self.gate.state in {"decided", "second_person"})
    @rule()
    def they_take_it_back(self) -> None:
        self.pull(BACK[self.gate.origin], effective_at=None)

    @rule(minutes=st.sampled_from([1, 10, 90]))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.settle()

    @rule()
    def evidence_changes(self) -> None:
        self.evidence += 1
        self.settle()

    @invariant()
    def a_pass_was_said_by_somebody_on_this_evidence(self) -> None:
        if self.gate.outcome == "pass":
            assert self.gate.digest == str(self.evidence)
            assert self.gate.state in {"effective", "decided", "second_person"}

    @invariant()
    def what_takes_effect_was_said_long_enough_ago(self) -> None:
        if self.gate.state == "effective" and self.gate.outcome == self.gate.to == "pass" and self.said:
            _, at, evidence = self.said
            assert self.now - at >= UNDO_WINDOW or self.gate.origin == "effective"
            assert evidence == self.evidence


TestGates = Gates.TestCase
TestGates.settings = settings(max_examples=200, stateful_step_count=30)
