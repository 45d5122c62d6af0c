"""What pages, the API and exports read of a session."""

from typing import Any

import pytest

from crucible_site.models import User
from sessions.models import Content, Participant, Project, Session
from sessions.queries import (
    analytics,
    charge_notice,
    events_after,
    findings_of,
    reports_arriving,
    seats_of,
    sessions_of,
    simulated_notice,
    who_answered,
)
from tests import factories


@pytest.fixture
def running(owner: User, project: Project) -> Session:
    return factories.running(owner, project)


def test_a_finding_has_the_words_of_its_canonical_report(reviewed: Session) -> None:
    first = findings_of(reviewed)[0]
    assert (first.label, first.title, first.severity) == ("F-001", "Float money", "critical")
    assert str(first.place) == "pay.py:2"


def test_a_finding_shows_every_wording_with_the_canonical_first(reviewed: Session) -> None:
    assert [wording.label for wording in findings_of(reviewed)[0].wordings] == ["A-1", "B-1"]
    assert [wording.title for wording in findings_of(reviewed)[0].wordings] == ["Float money", "Rounding"]


def test_a_merged_finding_is_left_out(reviewed: Session) -> None:
    reviewed.findings.filter(number=2).update(status="merged")
    assert [finding.label for finding in findings_of(reviewed)] == ["F-001"]


def test_findings_carry_the_flags_of_all_their_reports(running: Session) -> None:
    factories.submit(running, "A", factories.report())
    factories.submit(running, "B", factories.report(flags=["injection"]))
    factories.merge(running, ("major", ["A-1", "B-1"]))
    assert "injection" in findings_of(running)[0].flags


def test_what_only_simulated_instances_raised_says_so(running: Session) -> None:
    factories.submit(running, "A", factories.report())
    factories.submit(running, "B", factories.report())
    factories.merge(running, ("major", ["A-1"]), ("minor", ["B-1"]))
    Participant.objects.filter(session=running).update(simulated=False)
    Participant.objects.filter(session=running, letter="A").update(simulated=True)
    assert [finding.flags for finding in findings_of(running)] == [("simulated",), ()]


def test_erased_words_are_empty_and_said_to_be_erased(reviewed: Session) -> None:
    Content.objects.filter(session=reviewed).update(text="", erased_at="2026-01-01T00:00:00Z")
    first = findings_of(reviewed)[0]
    assert first.erased
    assert (first.title, first.claim, first.severity) == ("", "", "critical")


def test_findings_cost_five_queries(reviewed: Session, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(5):
        findings_of(reviewed)


def test_reports_arrive_by_letter_until_they_are_merged(running: Session) -> None:
    factories.submit(running, "B", factories.report(title="First"), factories.report(title="Second"))
    assert [wording.title for wording in reports_arriving(running)["B"]] == ["First", "Second"]
    factories.merge(running, ("major", ["B-1", "B-2"]))
    assert reports_arriving(running) == {}


def test_a_seat_tells_why_it_is_missing_and_what_to_do(reviewed: Session) -> None:
    seat = seats_of(reviewed)[2]
    assert (seat.state, seat.error_code) == ("missing", "timeout_first_byte")
    assert "choose a faster model" in seat.problem


def test_a_seat_counts_what_it_raised(reviewed: Session) -> None:
    assert [seat.raised for seat in seats_of(reviewed)] == [1, 2, 0]


@pytest.mark.parametrize("state", ["thinking", "retrying", "summing_up"])
def test_nobody_is_at_work_in_a_session_that_was_stopped(state: str, running: Session) -> None:
    running.participants.filter(letter="A").update(state=state)
    assert [seat.state for seat in seats_of(running)] == [state, "waiting", "waiting"]
    running.status = "cancelled"
    assert [seat.state for seat in seats_of(running)] == ["stopped", "waiting", "waiting"]


def test_who_answered_names_the_one_that_timed_out(reviewed: Session) -> None:
    who = who_answered(reviewed)
    assert who.sentence == "2 of 3 answered: C timed out"
    assert (who.answered, who.missing) == (["A", "B"], {"C": "timeout_first_byte"})


def test_who_answered_says_who_is_still_at_it(running: Session) -> None:
    factories.submit(running, "A")
    assert who_answered(running).sentence == "1 of 3 answered: B, C not yet"


def test_who_answered_says_whose_answer_is_not_whole(running: Session) -> None:
    factories.submit(running, "A", in_part=True)
    factories.submit(running, "B", partial=True)
    factories.submit(running, "C")
    assert who_answered(running).sentence == "3 of 3 answered: A read only part, B may miss findings"


def test_an_instance_that_answers_after_a_retry_is_no_longer_missing(running: Session) -> None:
    factories.lose(running, "A", "provider_auth")
    factories.tell(running, "session.retried", by=1, generation=1)
    factories.submit(running, "A")
    assert who_answered(running).missing == {}


def test_events_are_read_by_cursor_in_order(reviewed: Session) -> None:
    everything = events_after(reviewed.pk, 0)
    assert [event["seq"] for event in everything] == list(range(1, reviewed.next_seq))
    assert [event["seq"] for event in events_after(reviewed.pk, 2, limit=2)] == [3, 4]


def test_analytics_add_up_per_instance_and_in_all(reviewed: Session) -> None:
    figures = analytics(reviewed)
    by_letter = {instance.letter: instance for instance in figures.instances}
    assert (by_letter["A"].calls, by_letter["A"].attempts, by_letter["A"].cost_microcredits) == (3, 3, 750)
    assert (by_letter["B"].attempts, by_letter["B"].failures) == (2, {"rate_limited": 1})
    assert figures.cost_microcredits == sum(instance.cost_microcredits for instance in figures.instances) == 1_000
    assert figures.prompt_tokens == 4_000


def test_analytics_split_cost_by_stage(reviewed: Session) -> None:
    figures = analytics(reviewed)
    assert {stage.stage: stage.cost_microcredits for stage in figures.stages} == {
        "brief": 250, "review": 500, "summary": 250,
    }  # fmt: skip
    assert figures.instances[0].cost_by_stage == {"brief": 250, "review": 250, "summary": 250}


def test_analytics_count_what_only_one_instance_saw(reviewed: Session) -> None:
    seen = {instance.letter: instance.findings_only_by_it for instance in analytics(reviewed).instances}
    assert seen == {"A": 0, "B": 1, "C": 0}


def test_analytics_time_answers_and_not_failures(reviewed: Session) -> None:
    instance = analytics(reviewed).instances[1]
    assert (instance.p50_ms, instance.p95_ms, instance.first_token_ms) == (2_000, 2_000, 300)


def test_an_unknown_price_is_not_zero(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.ask(session, "A", "review/a", cost=None)
    assert [instance.price_unknown for instance in analytics(session).instances] == [True, False, False]
    assert analytics(session).price_unknown


def test_calls_under_way_are_counted_apart_and_measure_nothing(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.ask(session, "A", "review/a")
    factories.ask(session, "B", "review/b")
    session.attempts.filter(letter="B").update(state="running", finished_at=None)
    told = [(row.calls, row.calls_running, row.measured) for row in analytics(session).instances]
    assert told == [(1, 0, True), (1, 1, False), (0, 0, False)]


def test_sessions_are_listed_newest_first_with_their_counts(owner: User, project: Project, reviewed: Session) -> None:
    later = factories.draft(owner, project)
    rows = sessions_of(project)
    assert [row.session.pk for row in rows] == [later.pk, reviewed.pk]
    assert [(row.findings, row.seats) for row in rows] == [(0, 3), (2, 3)]


def test_a_mixed_roster_names_who_read_nothing(owner: User, project: Project) -> None:
    factories.demo_models()
    factories.real_model()
    session = factories.draft(owner, project, seats=factories.seats("lab/large", "demo/atlas"))
    assert simulated_notice(seats_of(session)) == "simulated: no model read this file for B"
    assert charge_notice(seats_of(session)) == "nothing is charged for B"
