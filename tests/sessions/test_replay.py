"""Replay: a finished session as it was after any of its events, derived from the log alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.lifecycle import stop_session
from sessions.models import Event, Finding, Project, Round, Session
from sessions.queries import seats_of
from sessions.queries.deliberation import deliberation_of
from sessions.queries.gates import gate_of
from sessions.queries.replay import PASSED_OVER, Then, replay
from sessions.queries.reworded import findings_now
from sessions.seeding import seed
from sessions.states import ENDED
from tests import factories
from tests.driving import queued, to_rest

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = ("certification", "deliberation", "review")


def finished(owner: User, project: Project, kind: str) -> Session:
    if kind == "certification":
        return factories.certified(owner, project)
    return to_rest(queued(owner, project, kind=kind))


def frames(session: Session) -> list[Then]:
    return [replay(session, seq) for seq in range(1, session.next_seq)]


@pytest.fixture
def deliberated(owner: User, project: Project) -> Session:
    return to_rest(queued(owner, project, kind="deliberation"))


@pytest.fixture
def browser(member: User) -> Client:
    client = Client()
    client.force_login(member)
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_after_the_last_event_it_is_the_session_as_it_is(owner: User, project: Project, kind: str) -> None:
    session = finished(owner, project, kind)
    then = replay(session, 10**6)
    assert (then.seq, then.last, then.next) == (session.next_seq - 1, session.next_seq - 1, None)
    assert then.status == session.status
    assert then.cost == session.cost_microcredits
    open_ones = Finding.objects.filter(session=session, status="open").order_by("rank")
    assert [one.label for one in then.findings] == [
        f"F-{number:03d}" for number in open_ones.values_list("number", flat=True)
    ]
    published = Round.objects.filter(session=session).order_by("number").values_list("number", "agreement_bp")
    assert [(one.number, one.agreement_bp) for one in then.rounds] == list(published)
    assert then.open_round is None


def as_on_the_page(session: Session) -> dict[str, Any]:
    """What the page of the session shows of what a replay shows, too."""
    seats, view = seats_of(session), deliberation_of(session)
    held = {one.number: one.status for one in view.figures.findings} if view and view.figures else {}
    published = view.rounds if view else ()
    gate = gate_of(session)
    return {
        "status": session.status,
        "cost": session.cost_microcredits,
        "seats": [(seat.letter, seat.name, seat.state, seat.error_code) for seat in seats],
        "findings": [
            (one.label, one.title, one.severity, one.raised_by, one.disposition, held.get(one.number, ""))
            for one in findings_now(session)
        ],
        "rounds": [(one.number, one.agreement_bp, tuple(sorted(one.told.answered))) for one in published],
        "decided": bool(view and view.decided),
        "gate": (gate.state, gate.effective) if gate.asked else None,
    }


def as_replayed(session: Session) -> dict[str, Any]:
    then = replay(session, 10**6)
    return {
        "status": then.status,
        "cost": then.cost,
        "seats": [(seat.letter, seat.name, seat.state, seat.error_code) for seat in then.seats],
        "findings": [
            (one.label, one.title, one.severity, one.raised_by, one.disposition, one.status) for one in then.findings
        ],
        "rounds": [(one.number, one.agreement_bp, one.answered) for one in then.rounds],
        "decided": then.decided,
        "gate": then.gate,
    }


def test_the_end_of_every_recorded_session_is_what_its_page_shows(db: None) -> None:
    demo = seed()
    assert demo is not None
    sessions = list(demo.sessions.order_by("pk"))
    assert {session.kind for session in sessions} == set(KINDS)
    for session in sessions:
        assert as_replayed(session) == as_on_the_page(session), session.title
        assert {seat.state for seat in replay(session, 10**6).seats} == {"done"}


def test_who_was_being_asked_when_somebody_stopped_it_has_been_stopped(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.tell(session, "call.started", letter="A", path="review/a", attempt=1)
    session.refresh_from_db()
    session = stop_session(Actor(owner), session)
    assert [seat.state for seat in replay(session, 10**6).seats] == ["stopped", "waiting", "waiting"]
    assert as_replayed(session) == as_on_the_page(session)


def test_nothing_is_said_of_findings_before_anybody_judged_them(deliberated: Session) -> None:
    first = Event.objects.filter(session=deliberated, kind="round.published").earliest("seq")
    then = replay(deliberated, first.seq)
    assert then.findings
    assert {(one.status, one.counts) for one in then.findings} == {("", None)}


def test_before_anything_happened_it_is_an_empty_draft(deliberated: Session) -> None:
    then = replay(deliberated, 0)
    assert (then.seq, then.before, then.status, then.cost) == (1, None, "draft", 0)
    assert (then.findings, then.rounds, then.open_round, then.decided) == ((), (), None, False)
    assert {seat.state for seat in then.seats} == {"waiting"}


def test_it_knows_nothing_before_its_event(deliberated: Session) -> None:
    every = frames(deliberated)
    seqs = dict(Event.objects.filter(session=deliberated).order_by("-seq").values_list("kind", "seq"))
    assert [bool(then.findings) for then in every] == [then.seq >= seqs["findings.ranked"] for then in every]
    assert [bool(then.rounds) for then in every] == [then.seq >= seqs["round.published"] for then in every]
    assert [then.decided for then in every] == [then.seq >= seqs["decision.written"] for then in every]
    assert [then.status in ENDED for then in every] == [then.seq >= seqs["session.completed"] for then in every]


def test_what_is_spent_never_shrinks_and_rounds_do_not_change(deliberated: Session) -> None:
    every = frames(deliberated)
    costs = [then.cost for then in every]
    assert costs == sorted(costs)
    for before, after in zip(every, every[1:], strict=False):
        assert after.rounds[: len(before.rounds)] == before.rounds


def test_a_round_is_under_way_until_it_is_published(deliberated: Session) -> None:
    told = Event.objects.filter(session=deliberated, kind__in=("round.opened", "round.published")).order_by("seq")
    for event in told:
        now = replay(deliberated, event.seq).open_round
        assert (now.number if now else None) == (event.data["round"] if event.kind == "round.opened" else None)


def test_playing_stops_only_where_something_is_said(deliberated: Session) -> None:
    then, stops = replay(deliberated, 1), [1]
    while then.next:
        then = replay(deliberated, then.next)
        stops.append(then.seq)
        assert then.before == stops[-2]
    kinds = dict(Event.objects.filter(session=deliberated).values_list("seq", "kind"))
    assert {kinds[seq] for seq in stops} & PASSED_OVER == set()
    assert stops[-1] == deliberated.next_seq - 1


def test_a_long_log_takes_no_more_queries(deliberated: Session) -> None:
    with CaptureQueriesContext(
        connection,
    ) as short:
        replay(deliberated, 10)
    last = Event.objects.filter(session=deliberated).latest("seq")
    data = {"letter": "A", "path": "review/a", "attempt": 1}
    Event.objects.bulk_create(
        Event(
            session=deliberated, seq=last.seq + at, kind="call.started", at=last.at + timedelta(seconds=at), data=data
        )
        for at in range(1, 2_000)
    )
    with CaptureQueriesContext(connection) as long:
        then = replay(deliberated, 10**6)
    assert then.last == last.seq + 1_999
    assert len(long) == len(short)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_an_event_in_words_and_changes_nothing(
    owner: User, project: Project, browser: Client, kind: str
) -> None:
    session = finished(owner, project, kind)
    before = Event.objects.filter(session=session).count()
    for at in ("", "1", str(session.next_seq), "-1", "x", "9" * 30):
        shown = browser.get(f"/sessions/{session.code}/replay/?at={at}")
        assert shown.status_code == 200
    assert "Completed, $" in browser.get(f"/sessions/{session.code}/replay/?at={session.next_seq}").content.decode()
    assert Event.objects.filter(session=session).count() == before
    assert browser.post(f"/sessions/{session.code}/replay/").status_code == 405


def test_an_unfinished_session_is_not_replayed(owner: User, project: Project, browser: Client) -> None:
    running = queued(owner, project)
    refused = browser.get(f"/sessions/{running.code}/replay/")
    assert refused.status_code == 409
    assert "once it is finished" in refused.content.decode()


def test_a_stranger_does_not_see_it(deliberated: Session) -> None:
    client = Client()
    client.force_login(factories.user("stranger"))
    assert client.get(f"/sessions/{deliberated.code}/replay/").status_code == 404
