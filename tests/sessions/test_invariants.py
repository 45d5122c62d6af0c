"""Every invariant turns red when what it guards is broken, names the place, and writes nothing."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crucible_site.models import User
from sessions import append_only
from sessions.actions.texts import add_text
from sessions.events import link
from sessions.invariants import INVARIANTS, MOST_TRIES, violations
from sessions.models import Attempt, Content, Event, Finding, Participant, Project, Report, Session, Step
from tests import factories

pytestmark = pytest.mark.django_db


def event(kind: str) -> Event:
    return Event.objects.filter(kind=kind).earliest("seq")


def rewrite(event: Event, **fields: object) -> None:
    with append_only.purge():
        Event.objects.filter(pk=event.pk).update(**fields)


def attempt(**fields: object) -> Attempt:
    """One more attempt of the first step."""
    row = Attempt.objects.filter(step__path="brief/a").latest("ordinal")
    row.pk, row.ordinal = None, row.ordinal + 1
    return Attempt.objects.create(
        **{
            **{field.attname: getattr(row, field.attname) for field in Attempt._meta.fields if field.name != "id"},
            **fields,
        }
    )


def too_many_attempts() -> None:
    for _ in range(MOST_TRIES):
        attempt(state="failed", cost_microcredits=0)


def two_open_attempts() -> None:
    Session.objects.update(status="running", owner="somebody")
    attempt(state="running", cost_microcredits=None)
    attempt(state="running", cost_microcredits=None)


def missing_event() -> None:
    with append_only.purge():
        event("call.finished" if Event.objects.filter(kind="call.finished").exists() else "reports.submitted").delete()


BREAKS: dict[str, tuple[Callable[[], object], str]] = {
    "more attempts than tries": (too_many_attempts, "attempts"),
    "two open attempts of a step": (two_open_attempts, "2 open attempts"),
    "an open attempt at rest": (lambda: attempt(state="running", cost_microcredits=None), "open in a session at rest"),
    "a second answer": (lambda: attempt(state="delivered", cost_microcredits=0), "2 delivered attempts"),
    "an answer without words": (
        lambda: Step.objects.filter(path="brief/a").update(output=None), "done without an output",
    ),
    "a step nobody answered": (
        lambda: Attempt.objects.filter(step__path="brief/a").update(state="failed"), "no attempt delivered",
    ),
    "an answer of a step that is not done": (
        lambda: Step.objects.filter(path="brief/a").update(state="running"), "not done",
    ),
    "a cost nobody paid": (lambda: Session.objects.update(cost_microcredits=1), "costs 1"),
    "a missing event": (missing_event, "is missing"),
    "changed data": (lambda: rewrite(event("instance.missing"), data={"letter": "C", "code": "x"}), "chain breaks"),
    "a changed kind": (lambda: rewrite(event("session.started"), kind="session.claimed"), "chain breaks"),
    "a changed time": (lambda: rewrite(event("session.started"), at=datetime(2020, 1, 1, tzinfo=UTC)), "chain breaks"),
    "a row ahead of its log": (lambda: Session.objects.update(next_seq=99), "end differently"),
    "an end without an event": (lambda: Session.objects.update(status="failed"), "its log says"),
    "a wait for nothing": (lambda: Session.objects.update(status="waiting"), "waits for nothing"),
    "a run nobody has": (lambda: Session.objects.update(status="running"), "nobody has it"),
    "a rest somebody has": (lambda: Session.objects.update(owner="somebody"), "still has it"),
    "a queue nobody looks into": (lambda: Session.objects.update(status="queued", started_at=None), "never due"),
    "changed words": (lambda: Content.objects.filter(kind="words").update(text="[]"), "does not match its digest"),
    "words that were erased and stayed": (
        lambda: Content.objects.filter(kind="words").update(erased_at=datetime.now(UTC)), "erased and still there",
    ),
    "a seat in another state": (lambda: Participant.objects.update(state="thinking"), "differs from the log in state"),
    "a finding of another severity": (
        lambda: Finding.objects.update(severity="info"),
        "differs from the log in severity",
    ),
    "a report nobody raised": (
        lambda: Report.objects.create(
            session=Session.objects.get(), letter="C", ordinal=9, content=Content.objects.earliest("pk"),
            severity="info", family="style", confidence=1, evidence_verified=False,
        ),
        "1 rows of Report are not in the log",
    ),
    "a report that is gone": (lambda: Report.objects.filter(letter="B", ordinal=2).update(ordinal=7), "ordinal"),
}  # fmt: skip


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    """A finished review whose answers have words, as the journal records them."""
    session = factories.reviewed(owner, project)
    for step in Step.objects.filter(output=None):
        step.output = add_text(project, session, "output", f"answer of {step.path}")
        step.save()
    assert violations() == []
    return session


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_broken_is_named(session: Session, what: str) -> None:
    break_it, words = BREAKS[what]
    break_it()
    found = violations()
    assert any(words in sentence for sentence in found), found


def test_an_event_that_keeps_to_no_schema_is_named_and_stops_nobody(session: Session) -> None:
    rewrite(event("session.created"), kind="session.invented")
    rewrite(event("session.started"), data={"words": "no"})
    assert any("chain breaks" in sentence for sentence in violations())


def test_a_chain_that_was_computed_anew_over_bad_data_is_named(owner: User, project: Project) -> None:
    """Whoever can write to the database can also compute digests; then the schema still speaks."""
    for kind in ("session.invented", "call.started"):
        session = factories.draft(owner, project)
        created, data = session.events.get(), {"words": "no"}
        digest = link("", 1, kind, created.at, data)
        rewrite(created, kind=kind, data=data, digest=digest)
        Session.objects.filter(pk=session.pk).update(chain_head=digest)
        assert any(kind in sentence for sentence in violations())


def test_looking_writes_nothing(session: Session) -> None:
    with CaptureQueriesContext(connection) as queries:
        violations()
    assert {query["sql"].split()[0] for query in queries} <= {"SELECT", "DECLARE"}  # of a cursor


def test_one_session_can_be_looked_at_alone(session: Session, owner: User, project: Project) -> None:
    broken = factories.reviewed(owner, project)
    Session.objects.filter(pk=broken.pk).update(cost_microcredits=1)
    assert violations(Session.objects.filter(pk=session.pk)) == []
    assert violations(Session.objects.filter(pk=broken.pk)) != []


def test_every_invariant_says_what_it_means() -> None:
    assert all(invariant.__doc__ for invariant in INVARIANTS)


def test_the_command_is_silent_about_nothing(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_invariants")
    Session.objects.update(cost_microcredits=1)
    with pytest.raises((CommandError, SystemExit)):
        call_command("verify_invariants")
    assert "costs 1" in "".join(capsys.readouterr())
