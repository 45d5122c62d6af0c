import itertools

import pytest

from sessions.states import AT_REST, ENDED, STATUSES, TRANSITIONS, TRIGGERS, after, sources_of


@pytest.mark.parametrize(("status", "trigger"), list(itertools.product(STATUSES, TRIGGERS)))
def test_every_trigger_leads_to_a_status_or_is_refused(status: str, trigger: str) -> None:
    assert after(status, trigger) == TRANSITIONS.get((status, trigger))
    assert (status in sources_of(trigger)) == (after(status, trigger) is not None)


def test_one_trigger_always_leads_to_one_status() -> None:
    """A compare-and-swap over all sources of a trigger has one target."""
    for trigger in TRIGGERS:
        assert len({TRANSITIONS[status, trigger] for status in sources_of(trigger)}) == 1


def test_only_a_retry_or_a_question_leaves_an_end() -> None:
    assert {trigger for status, trigger in TRANSITIONS if status in ENDED} == {"retry", "ask"}


def test_what_rests_needs_a_person_to_go_on() -> None:
    people = {"start", "answer", "stop", "retry", "ask", "halt"}
    assert {trigger for status, trigger in TRANSITIONS if status in AT_REST} == people
