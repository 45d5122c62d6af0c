"""Analytics of a session and of a project: figures add up, drawings say what they show, files can be taken along."""

import csv
import io
import re
from collections import Counter
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crucible_site.models import User
from sessions.engine.convergence import flips
from sessions.kinds import KINDS
from sessions.models import Finding, Project, Session
from sessions.queries import analytics
from sessions.queries.analytics import DECISION
from sessions.queries.brought import debated, round_costs
from sessions.queries.calls import TimedAttempt, timed_attempts
from sessions.queries.deliberation import deliberation_of
from sessions.queries.project_figures import project_figures
from sessions.reports.tables import Column, Table
from sessions.seeding import seed
from sessions.views.insights import cost_insight, estimate_insight, rounds_insight, spent_insight, time_insight
from sessions.views.project_analytics import DOWNLOADS, KIND_STYLES
from tests import factories
from tests.markup import dangers


def decide(session: Session, number: int, disposition: str) -> None:
    Finding.objects.filter(session=session, number=number).update(disposition=disposition)


def page(user: User, session: Session, **headers: str) -> str:
    client = Client(headers=headers)
    client.force_login(user)
    return client.get(reverse("sessions:analytics", args=[session.code])).content.decode()


def file(user: User, session: Session, name: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(reverse(f"sessions:{name}", args=[session.code]))


def test_what_people_confirmed_counts_for_everybody_who_raised_it(reviewed: Session) -> None:
    decide(reviewed, 1, "to_fix")
    decide(reviewed, 2, "dismissed")
    found = [(row.confirmed, row.confirmed_only_by_it) for row in analytics(reviewed).instances]
    assert found == [(1, 0), (1, 0), (0, 0)]


def test_the_cost_per_confirmed_finding_is_unknown_until_one_is_confirmed(reviewed: Session) -> None:
    assert [row.cost_per_confirmed for row in analytics(reviewed).instances] == [None, None, None]
    decide(reviewed, 1, "fixed")
    assert [row.cost_per_confirmed for row in analytics(reviewed).instances] == [750, 250, None]


def test_the_dearest_instance_is_named_with_what_it_alone_brought(reviewed: Session) -> None:
    assert cost_insight(analytics(reviewed)) == "A cost 75 % of <$0.0001 and raised no finding that only it saw"


def test_once_people_have_decided_confirmed_findings_count(reviewed: Session) -> None:
    decide(reviewed, 2, "to_fix")
    reviewed.attempts.filter(letter="B").update(cost_microcredits=4_000_000)
    words = cost_insight(analytics(Session.objects.get(pk=reviewed.pk)))
    assert words.endswith("and alone saw 1 confirmed finding")


def test_before_anything_ended_nothing_is_said_of_cost_and_time(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    assert cost_insight(analytics(session)) == time_insight(timed_attempts(session)) == "No call has ended yet"


def test_calls_at_the_same_time_take_no_longer_than_the_clock() -> None:
    begun = (0, 500, 4_000)
    calls = [TimedAttempt("A", "opinion", 1, "delivered", "", 0, at, None, at + 2_000) for at in begun]
    assert time_insight(calls) == "A was asked for 4.5 s of 6.0 s"


def test_tries_that_failed_are_said_to_have_taken_time(reviewed: Session) -> None:
    assert "tries that failed took 1.0 s" in time_insight(timed_attempts(reviewed))


@pytest.mark.parametrize(
    ("expected", "words"),
    [(1_000, "It cost what was expected"), (500, "It cost 100 % more than expected"),
     (2_000, "It cost 50 % less than expected"), (None, "")],
)  # fmt: skip
def test_the_estimate_is_compared_with_what_it_came_to(expected: int | None, words: str, reviewed: Session) -> None:
    reviewed.estimate = {"typical": expected}
    assert estimate_insight(analytics(reviewed)) == words


def test_a_call_waits_for_the_stage_before_it(reviewed: Session) -> None:
    by_stage = {attempt.stage: attempt for attempt in timed_attempts(reviewed) if attempt.letter == "A"}
    assert by_stage["brief"].ready <= by_stage["brief"].start
    assert by_stage["review"].ready <= by_stage["review"].start <= by_stage["review"].end


def test_a_second_try_is_ready_when_the_first_has_failed(reviewed: Session) -> None:
    first, second = (attempt for attempt in timed_attempts(reviewed) if attempt.letter == "B")
    assert (first.error_code, second.ready) == ("rate_limited", first.end)


def test_the_pause_before_a_retry_is_left_out(reviewed: Session) -> None:
    factories.ask(reviewed, "C", "review/c")
    reviewed.steps.filter(path="review/c").update(generation=1)
    before = max(attempt.end for attempt in timed_attempts(reviewed) if attempt.letter != "C")
    later = next(attempt for attempt in timed_attempts(reviewed) if attempt.letter == "C")
    assert before <= later.start <= before * 1.05


def test_calls_cost_two_queries(reviewed: Session, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        timed_attempts(reviewed)


def test_every_drawing_has_a_title_a_way_to_read_it_and_a_table(owner: User, reviewed: Session) -> None:
    html = page(owner, reviewed)
    assert html.count('role="img"') == html.count("</desc>") == html.count("Show as table") == 3
    assert dangers(html) == []


def test_a_finished_review_is_asked_for_no_more(owner: User, reviewed: Session) -> None:
    assert "hx-trigger" not in page(owner, reviewed)


def test_a_running_review_is_asked_for_every_five_seconds(owner: User, project: Project) -> None:
    assert 'hx-trigger="every 5s"' in page(owner, factories.running(owner, project))


def test_htmx_gets_only_what_changes(owner: User, reviewed: Session) -> None:
    part = page(owner, reviewed, hx_request="true")
    assert part.startswith('<div id="analytics"')
    assert "<html" not in part


def test_a_review_without_calls_shows_a_drawn_example(owner: User, project: Project) -> None:
    html = page(owner, factories.draft(owner, project))
    assert "No model was asked" in html
    assert "An example: C cost 41 %" in html


def test_an_unknown_price_is_not_drawn_as_nothing(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.ask(session, "A", "review/a", cost=None)
    assert "No known price: the cost cannot be told" in page(owner, session)


def test_names_people_typed_stay_text(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    session.participants.filter(letter="A").update(name="<script>alert(1)</script>")
    factories.ask(session, "A", "review/a")
    assert dangers(page(owner, session)) == []
    ElementTree.fromstring(file(owner, session, "cost_svg").content)


@pytest.mark.parametrize("name", ["cost_svg", "calls_svg"])
def test_a_drawing_can_be_taken_along(name: str, owner: User, reviewed: Session) -> None:
    reply = file(owner, reviewed, name)
    root = ElementTree.fromstring(reply.content)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "attachment" in reply.headers["Content-Disposition"]
    words = "".join(root.itertext())
    assert "that only it saw" in words or "was asked for" in words
    assert "Review" in words or "answer arriving" in words


@pytest.mark.parametrize(("name", "rows"), [("instances_csv", 3), ("cost_csv", 3), ("calls_csv", 5)])
def test_a_table_can_be_taken_along(name: str, rows: int, owner: User, reviewed: Session) -> None:
    table = list(csv.reader(io.StringIO(file(owner, reviewed, name).content.decode())))
    assert len(table) == rows + 1
    assert len({len(row) for row in table}) == 1


def test_money_is_dollars_on_the_page(owner: User, reviewed: Session) -> None:
    assert re.search(r"micro-?credits", page(owner, reviewed)) is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx"])
def test_no_spreadsheet_computes_what_people_typed(text: str) -> None:
    table = Table((Column("Name", "text"),), ((text,),))
    assert list(csv.reader(io.StringIO(table.as_csv())))[1] == [f"'{text}"]


def test_files_hold_numbers_in_dollars_and_seconds() -> None:
    table = Table((Column("Cost", "dollars"), Column("Took", "time")), ((41_000_000, 1_250), (None, None)))
    assert table.as_csv().splitlines() == ["Cost ($),Took (s)", "0.041000,1.250", ","]


@pytest.fixture
def demo(db: None) -> dict[str, Session]:
    """The finished demo sessions by how they came out."""
    found = seed()
    assert found is not None
    return {session.outcome or session.kind: session for session in found.sessions.order_by("finished_at")}


def test_the_cost_of_a_deliberation_is_told_by_round(demo: dict[str, Session]) -> None:
    session = demo["diverged"]
    costs = round_costs(session)
    assert list(costs) == [1, 2, 3, DECISION]
    assert sum(sum(by_stage.values()) for by_stage in costs.values()) == session.cost_microcredits
    words = rounds_insight(costs, [None, 9_048, 9_524])
    assert words.endswith("; agreement was 90.5 % after round 2 and 95.2 % after round 3")
    assert words in _of_owner(session, "rounds_svg"), "in round 1 nobody has judged anything"
    assert rounds_insight(costs, [None, 9_048]) == f"{words.partition(';')[0]}; agreement was 90.5 % after round 2"
    assert rounds_insight(costs, [None]) == words.partition(";")[0]


def test_who_changed_sides_stands_beside_the_calls(demo: dict[str, Session]) -> None:
    found = deliberation_of(demo["diverged"])
    assert found is not None
    brought = debated(found)
    turns = Counter(turn.letter for turn in flips(found.told, "ABC"))
    assert {letter: one.changed for letter, one in brought.items()} == {letter: turns[letter] for letter in "ABC"}
    head, *rows = csv.reader(io.StringIO(_of_owner(demo["diverged"], "instances_csv")))
    at = head.index("Changed sides")
    assert [row[at] for row in rows] == [str(one.changed) for one in brought.values()]


def test_a_certification_shows_what_each_instance_says_of_the_criteria(demo: dict[str, Session]) -> None:
    session = demo["certified"]
    words = "".join(ElementTree.fromstring(_of_owner(session, "answers_svg")).itertext())
    assert "4 of 5 certify; E finds 1 not met" in words
    assert "Refuses" in words
    head = _of_owner(session, "instances_csv").splitlines()[0]
    assert "Verdict" in head
    assert "Raised" not in head


def test_what_a_kind_has_nothing_for_is_not_there(owner: User, reviewed: Session) -> None:
    assert [file(owner, reviewed, name).status_code for name in ("rounds_svg", "answers_csv")] == [404, 404]


def test_a_later_round_is_no_wait_for_the_earlier_one(demo: dict[str, Session]) -> None:
    calls = timed_attempts(demo["diverged"])
    assert max(call.start - call.ready for call in calls if call.stage == "assess") < 2_000


def test_a_project_counts_all_kinds_its_models_and_its_gates(demo: dict[str, Session]) -> None:
    project = demo["diverged"].project
    figures = project_figures(project, timezone.now() - timedelta(days=1))
    assert {one.kind: one.sessions for one in figures.kinds} == {"certification": 1, "deliberation": 3, "review": 1}
    assert sum(sum(day.values()) for day in figures.spent.values()) == figures.cost
    assert sum(one.cost for one in figures.models) == figures.cost
    assert (figures.gates.waiting, figures.gates.passed, figures.gates.overridden) == (1, 0, 0)
    assert spent_insight(figures, 30).startswith("Deliberations cost 7")


def test_the_page_of_a_project_draws_them_and_gives_them_away(demo: dict[str, Session]) -> None:
    owner, slug = demo["diverged"].created_by, demo["diverged"].project.slug
    client = Client()
    client.force_login(owner)
    html = client.get(f"/projects/{slug}/analytics/").content.decode()
    assert html.count('role="img"') == html.count("Show as table") == 2
    for what, form in DOWNLOADS:
        assert client.get(f"/projects/{slug}/analytics/{what}.{form}").status_code == 200


def test_a_project_with_few_sessions_shows_an_example(owner: User, reviewed: Session) -> None:
    client = Client()
    client.force_login(owner)
    html = client.get(f"/projects/{reviewed.project.slug}/analytics/").content.decode()
    assert "1 of 5 finished sessions" in html
    assert "An example: C cost 41 %" in html


def test_a_stranger_sees_no_figures_of_a_project(stranger: User, reviewed: Session) -> None:
    client = Client()
    client.force_login(stranger)
    assert client.get(f"/projects/{reviewed.project.slug}/analytics/").status_code == 404


def test_every_kind_has_a_style_in_the_drawing_of_a_project() -> None:
    assert set(KIND_STYLES) == set(KINDS)


def _of_owner(session: Session, name: str) -> str:
    return str(file(session.created_by, session, name).content.decode())


@pytest.mark.parametrize("findings", [3, 40])
def test_the_page_asks_at_most_twelve_queries_at_any_size(
    findings: int, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    session = factories.running(owner, project)
    for letter in "ABC":
        factories.ask(session, letter, f"review/{letter.lower()}")
        factories.submit(session, letter, *[factories.report()] * findings)
    factories.merge(session, *[("major", [f"{letter}-{number}" for letter in "ABC"]) for number in range(1, findings)])
    client = Client()
    client.force_login(owner)
    with django_assert_max_num_queries(12):
        client.get(reverse("sessions:analytics", args=[session.code]))


@pytest.mark.parametrize("sessions", [1, 12])
def test_the_list_of_reviews_asks_at_most_twelve_queries_at_any_size(
    sessions: int, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(sessions):
        factories.reviewed(owner, project)
    client = Client()
    client.force_login(owner)
    with django_assert_max_num_queries(12):
        client.get(reverse("sessions:project", args=[project.slug]))
