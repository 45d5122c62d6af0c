"""What people decide about findings, and the second opinions they ask for."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connections

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import findings as actions
from sessions.actions.artifacts import add_text_artifact
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import retry_session, start_session, stop_session
from sessions.actions.purge import delete_session
from sessions.invariants import violations
from sessions.models import Attempt, Content, Event, Finding, LanguageModel, Project, Session
from sessions.providers.base import ProviderCall
from sessions.queries import findings_of, seats_of, standing_of, together, who_answered
from sessions.worker import worker
from tests import factories
from tests.doubles import END, ScriptedProvider, Turn, failing, installed
from tests.driving import answering, kinds, lab, opinion, queued, review, to_rest, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=differing)) as scripted:
        yield scripted


def differing(call: ProviderCall) -> Turn:
    """A and B see the amount, C alone the output."""
    if call.schema is not None and call.schema.name == "review" and call.member == "C":
        words = {"title": "Output", "claim": "Printing the receipt leaks it to whoever reads the console.",
                 "evidence": 'print(pay("10"))', "severity": "critical", "family": "security",
                 "suggestion": "Use a logger with redaction.",
                 "location": {"path": "pay.py", "start_line": 5, "end_line": 5, "anchor": ""}}  # fmt: skip
        return [review("C", **words), END]
    return answering(call)


@pytest.fixture
def session(owner: User, project: Project, provider: ScriptedProvider) -> Session:
    return to_rest(queued(owner, project, *lab("a", "b", "c")))


@pytest.fixture
def actor(owner: User) -> Actor:
    return Actor(owner)


def finding(session: Session, number: int) -> Finding:
    return Finding.objects.get(session=session, number=number)


# --- deciding


def test_a_decision_is_kept_with_person_and_time(actor: Actor, session: Session) -> None:
    actions.decide(actor, session, 1, "to_fix")
    found = findings_of(session)[0]
    assert (found.disposition, found.decided_by, found.revision) == ("to_fix", actor.user.name, 1)
    assert found.decided_at is not None
    assert violations() == []


def test_a_dismissal_needs_a_reason_and_can_be_taken_back(actor: Actor, session: Session) -> None:
    with pytest.raises(Refused, match="reason_needed"):
        actions.decide(actor, session, 1, "dismissed")
    actions.decide(actor, session, 1, "dismissed", "known")
    actions.decide(actor, session, 1, "open")
    assert (finding(session, 1).disposition, finding(session, 1).dismissed_because) == ("open", "")
    assert kinds(session).count("finding.decided") == 2


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda a, s: actions.decide(a, s, 1, "accepted"), "bad_disposition"),
        (lambda a, s: actions.decide(a, s, 99, "to_fix"), "finding_unknown"),
        (lambda a, s: actions.regrade(a, s, 1, "huge"), "bad_severity"),
        (lambda a, s: actions.join(a, s, 1, 1), "same_finding"),
        (lambda a, s: actions.join(a, s, 1, 99), "finding_unknown"),
        (lambda a, s: actions.split(a, s, 1, ["Z-1"]), "bad_split"),
        (lambda a, s: actions.split(a, s, 1, []), "bad_split"),
        (lambda a, s: actions.comment(a, s, 1, "  "), "bad_comment"),
        (lambda a, s: actions.ask_opinions(a, s, []), "no_finding"),
    ],
)
def test_what_cannot_be_is_refused_with_a_code_and_changes_nothing(
    actor: Actor, session: Session, act: Any, code: str
) -> None:
    before = Event.objects.count()
    with pytest.raises(Refused) as refused:
        act(actor, session)
    assert (refused.value.code, Event.objects.count()) == (code, before)


def test_whoever_decides_on_what_they_have_not_seen_is_told_who_was_first(actor: Actor, session: Session) -> None:
    actions.decide(actor, session, 1, "to_fix", seen=0)
    with pytest.raises(Refused) as refused:
        actions.decide(actor, session, 1, "dismissed", "wrong", seen=0)
    assert refused.value.code == "decided_meanwhile"
    assert refused.value.sentence.startswith(f"{actor.user.name} decided F-001 as To fix 0 s ago.")
    assert finding(session, 1).disposition == "to_fix"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda a, s: actions.decide(a, s, 1, "dismissed", "known", seen=0), "decided F-001 as Dismissed: Known "),
        (lambda a, s: actions.regrade(a, s, 1, "minor", seen=0), "regraded F-001 to Minor "),
        (lambda a, s: actions.join(a, s, 2, 1, seen=0), "joined F-001 "),
    ],
)
def test_what_somebody_else_did_first_is_said(actor: Actor, session: Session, act: Any, words: str) -> None:
    act(actor, session)
    with pytest.raises(Refused) as refused:
        actions.decide(actor, session, 1, "to_fix", seen=0)
    assert words in refused.value.sentence


def test_an_address_is_not_shown_where_there_is_no_name(actor: Actor, session: Session) -> None:
    User.objects.filter(pk=actor.user_id).update(name="")
    actions.decide(actor, session, 1, "to_fix")
    actions.comment(actor, session, 1, "Soon.")
    found = findings_of(session)[0]
    assert {found.decided_by, found.comments[0].by} == {actor.user.email.partition("@")[0]}


def test_of_two_people_who_decide_at_once_exactly_one_is_first(actor: Actor, session: Session) -> None:
    start, outcomes = threading.Barrier(4), []

    def act(number: int) -> None:
        start.wait()
        try:
            actions.decide(actor, session, 1, "to_fix" if number % 2 else "fixed", seen=0)
            outcomes.append("done")
        except Refused as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    people = [threading.Thread(target=act, args=(number,)) for number in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(outcomes) == ["decided_meanwhile"] * 3 + ["done"]
    assert violations() == []


def test_a_persons_severity_counts_and_the_instances_own_stays(actor: Actor, session: Session) -> None:
    assert [found.severity for found in findings_of(session)] == ["critical", "major"]
    actions.regrade(actor, session, 1, "info")
    assert [(found.number, found.severity, found.models_severity) for found in findings_of(session)] == [
        (2, "major", "major"), (1, "info", "critical"),
    ]  # fmt: skip


def test_merged_findings_are_one_and_can_be_split_again(actor: Actor, session: Session) -> None:
    into = actions.join(actor, session, 2, 1)
    assert (into.number, into.raised_by) == (1, ["A", "B", "C"])
    assert [found.number for found in findings_of(session)] == [1]
    with pytest.raises(Refused, match="finding_merged"):
        actions.decide(actor, session, 2, "to_fix")

    new = actions.split(actor, session, 1, ["C-1"])
    assert (new.number, new.raised_by, finding(session, 1).raised_by) == (3, ["C"], ["A", "B"])
    assert violations() == []


def test_a_retry_keeps_what_people_decided_merged_and_split(
    actor: Actor, owner: User, project: Project, provider: ScriptedProvider
) -> None:
    provider.play = lambda call: failing("refused") if call.member == "C" else differing(call)
    session = to_rest(queued(owner, project, *lab("a", "b", "c")))
    new = actions.split(actor, session, 1, ["B-1"])
    actions.decide(actor, session, new.number, "to_fix")
    provider.play = differing
    retry_session(actor, session, dispatch=False)
    to_rest(session)
    found = {one.number: one for one in findings_of(session)}
    assert (found[1].raised_by, found[new.number].raised_by) == (("A",), ("B",))
    assert found[new.number].disposition == "to_fix"
    assert violations() == []


def test_comments_stand_in_erasable_rows(actor: Actor, session: Session) -> None:
    actions.comment(actor, session, 1, "Ask Mira first.")
    assert [said.text for said in findings_of(session)[0].comments] == ["Ask Mira first."]
    assert "Mira" not in str(list(Event.objects.values_list("data", flat=True)))
    delete_session(actor, session)
    assert not Content.objects.filter(text__contains="Mira").exists()


# --- second opinions


def test_others_confirm_or_refute_and_only_that_is_paid(
    actor: Actor, session: Session, provider: ScriptedProvider
) -> None:
    before, asked = session.cost_microcredits, len(provider.calls)
    outcome, reason = session.outcome, session.reason
    provider.play = lambda call: [opinion("refuted" if call.member == "B" else "confirmed"), END]
    to_rest(actions.ask_opinions(actor, session, [1], dispatch=False))
    assert (session.status, session.outcome, session.reason) == ("completed", outcome, reason)
    assert len(provider.calls) == asked + 2
    found = findings_of(session)[0]
    assert [(one.letter, one.verdict, one.verified) for one in found.opinions] == [
        ("A", "confirmed", True), ("B", "refuted", True),
    ]  # fmt: skip
    assert found.opinion_badge == "confirmed 1, refuted 1 of 2"
    assert session.cost_microcredits > before
    assert {seat.state for seat in seats_of(session)} == {"done"}
    assert violations() == []


def test_asking_again_pays_only_for_what_has_no_answer(
    actor: Actor, session: Session, provider: ScriptedProvider
) -> None:
    provider.play = lambda call: failing("refused") if call.member == "B" else [opinion(), END]
    to_rest(actions.ask_opinions(actor, session, [1], dispatch=False))
    assert [one.verdict for one in findings_of(session)[0].opinions] == ["confirmed", "missing"]
    asked, provider.play = len(provider.calls), lambda call: [opinion(), END]
    to_rest(actions.ask_opinions(actor, session, [1], dispatch=False))
    assert len(provider.calls) == asked + 1
    assert findings_of(session)[0].opinion_badge == "confirmed 2 of 2"
    with pytest.raises(Refused, match="nobody_to_ask"):
        actions.ask_opinions(actor, session, [1])
    assert violations() == []


def test_a_retry_after_opinions_asks_nothing_twice(actor: Actor, session: Session, provider: ScriptedProvider) -> None:
    to_rest(actions.ask_opinions(actor, session, [1], dispatch=False))
    asked = len(provider.calls)
    retry_session(actor, session, dispatch=False)
    to_rest(session)
    assert len(provider.calls) == asked
    assert findings_of(session)[0].opinion_badge == "confirmed 2 of 2"
    assert violations() == []


def test_stopping_an_opinion_leaves_the_review_completed(
    actor: Actor, session: Session, provider: ScriptedProvider
) -> None:
    provider.play = lambda call: [30.0]
    driven = worker().submit(actions.ask_opinions(actor, session, [1], dispatch=False).pk)
    until(lambda: provider.open)
    stop_session(actor, session)
    driven.result(10)
    assert (session.status, session.reason) == ("completed", "")
    assert not Attempt.objects.filter(session=session, state="running").exists()
    assert violations() == []


def test_a_bug_in_asking_leaves_the_review_completed(
    actor: Actor, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.engine.opinions.parse_opinion", lambda text: 1 / 0)
    to_rest(actions.ask_opinions(actor, session, [1], dispatch=False))
    assert (session.status, Event.objects.latest("pk").data["problem"]) == ("completed", "internal")
    assert violations() == []


# --- again


def test_the_same_input_takes_the_recorded_answers_at_no_cost(
    owner: User, project: Project, session: Session, provider: ScriptedProvider
) -> None:
    asked = len(provider.calls)
    version = session.sources.get().version
    twin = factories.draft(owner, project, version, seats=factories.seats("lab/a", "lab/b", "lab/c"))
    to_rest(start_session(Actor(owner), twin, dispatch=False))
    assert (twin.status, twin.cost_microcredits, twin.reuses_id) == ("completed", 0, session.pk)
    assert len(provider.calls) == asked
    assert "session.reused" in kinds(twin)
    assert [one.title for one in findings_of(twin)] == [one.title for one in findings_of(session)]
    assert violations() == []


def test_a_fresh_run_asks_again(owner: User, project: Project, session: Session, provider: ScriptedProvider) -> None:
    asked = len(provider.calls)
    version = session.sources.get().version
    twin = factories.draft(owner, project, version, seats=factories.seats("lab/a", "lab/b", "lab/c"))
    to_rest(start_session(Actor(owner), twin, dispatch=False, fresh=True))
    assert (twin.reuses_id, len(provider.calls)) == (None, 2 * asked)


def test_a_model_that_leads_elsewhere_now_is_asked_again(
    owner: User, project: Project, session: Session, provider: ScriptedProvider
) -> None:
    asked = len(provider.calls)
    LanguageModel.objects.filter(pk="lab/a").update(route="lab/newer")
    version = session.sources.get().version
    twin = factories.draft(owner, project, version, seats=factories.seats("lab/a", "lab/b", "lab/c"))
    to_rest(start_session(Actor(owner), twin, dispatch=False))
    assert (twin.reuses_id, len(provider.calls)) == (None, 2 * asked)


def test_what_was_deleted_is_asked_again(
    owner: User, project: Project, session: Session, provider: ScriptedProvider
) -> None:
    version = session.sources.get().version
    twin = factories.draft(owner, project, version, seats=factories.seats("lab/a", "lab/b", "lab/c"))
    start_session(Actor(owner), twin, dispatch=False)
    delete_session(Actor(owner), session)
    to_rest(twin)
    assert twin.status == "completed"
    assert Attempt.objects.filter(session=twin, state="delivered").count() == 5


def test_a_new_version_shows_what_is_fixed_still_there_and_new(
    actor: Actor, owner: User, project: Project, session: Session, provider: ScriptedProvider
) -> None:
    actions.decide(actor, session, 2, "dismissed", "known")
    newer = add_text_artifact(actor, project, "pay.py", "import money\n\ndef pay(amount):\n    return charge(amount)\n")
    provider.play = answering
    after = factories.draft(
        owner, project, newer, seats=factories.seats("lab/a", "lab/b", "lab/c"), previous=session.code
    )
    to_rest(start_session(actor, after, dispatch=False))
    findings = findings_of(after)
    compared = Event.objects.get(session=after, kind="findings.compared").data
    standing = standing_of(session, compared, findings_of(session), findings)
    assert [(now.number, then.number) for now, then in standing.still] == [(1, 2)]
    assert [one.number for one in standing.fixed] == [1]
    assert (standing.new, standing.unraised) == ((), ())
    assert (findings[0].disposition, findings[0].dismissed_because, findings[0].carried) == ("dismissed", "known", True)
    assert violations() == []


def test_a_session_of_another_project_cannot_be_gone_on_from(owner: User, project: Project, session: Session) -> None:
    other = factories.project(owner, "Another")
    with pytest.raises(Refused, match="previous_unknown"):
        factories.draft(owner, other, previous=session.code)


# --- alone and together


def test_together_is_said_as_plainly_as_alone(actor: Actor, session: Session) -> None:
    def sentence() -> str:
        return together(findings_of(session), seats_of(session), who_answered(session)).sentence

    assert sentence() == ("Together 2 distinct findings; best single model 1; 1 critical was seen only by Seat 3.")
    actions.decide(actor, session, 1, "dismissed", "wrong")
    assert sentence() == "Nothing was confirmed so far."
    actions.decide(actor, session, 2, "to_fix")
    assert sentence() == ("Together 1 confirmed finding; Seat 1 alone raised all of them: one model would have done.")


def test_a_viewer_may_read_and_not_decide(session: Session, project: Project) -> None:
    viewer = factories.user("viewer")
    factories.join(viewer, project, "viewer")
    from sessions.access import WRITE, find_session

    with pytest.raises(PermissionDenied):
        find_session(Actor(viewer), session.code, WRITE)
