"""Deliberations in the database: rounds that nothing changes, the decision as an artifact, exports and API."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from crucible_site.models import User
from sessions import append_only
from sessions.access import Actor
from sessions.actions.lifecycle import retry_session, start_session
from sessions.actions.purge import delete_artifact, delete_session
from sessions.demo.deliberation import Arc, arc_of
from sessions.invariants import violations
from sessions.journal import SessionJournal
from sessions.models import Artifact, ArtifactVersion, Attempt, Event, Position, Project, Round, Session, Step
from sessions.queries.deliberation import deliberation_of
from sessions.reports.deliberation import divergence_data
from sessions.reports.export import document, markdown
from sessions.writer import LINGER_SECONDS, LeaseLost
from tests import factories
from tests.doubles import ScriptedProvider, installed
from tests.driving import arguing, kinds, lab, lapse, queued, to_rest, with_role

pytestmark = pytest.mark.django_db(transaction=True)
BY_ARC = {arc_of(seed * 32): seed * 32 for seed in sorted(f"{number:02x}" for number in range(40))}


@pytest.fixture
def deliberated(owner: User, project: Project) -> Session:
    return factories.deliberated(owner, project)


def has_decision(session: Session) -> bool:
    """Whether people see the artifact."""
    return session.decision is not None and Artifact.objects.filter(pk=session.decision.pk, deleted_at=None).exists()


def a_run(owner: User, project: Project, arc: Arc = "settles_in_3", **fields: Any) -> Session:
    return to_rest(queued(owner, project, kind="deliberation", nonce_seed=BY_ARC[arc], **fields))


@pytest.mark.parametrize(
    ("arc", "outcome", "rounds"),
    [("settles_in_2", "converged", 2), ("settles_in_3", "converged", 3), ("diverges", "diverged", 3)],
)
def test_demo_models_go_as_their_arc_says(owner: User, project: Project, arc: Arc, outcome: str, rounds: int) -> None:
    session = a_run(owner, project, arc)
    assert (session.status, session.outcome, session.rounds.count()) == ("completed", outcome, rounds)
    assert violations() == []


def test_a_round_becomes_rows_when_it_is_published(deliberated: Session) -> None:
    rows = list(Round.objects.filter(session=deliberated).values_list("number", "mode", "agreement_bp"))
    assert rows == [(1, "blind", 0), (2, "assessment", 6667), (3, "assessment", 10000)]
    taken = Position.objects.filter(session=deliberated, round__number=2).values_list("letter", "stance")
    assert list(taken) == [("A", "agree"), ("B", "disagree"), ("C", "agree")]


@pytest.mark.parametrize("model", [Round, Position])
def test_nothing_changes_a_published_round(deliberated: Session, model: Any) -> None:
    rows = model.objects.filter(session=deliberated)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(session=deliberated.pk)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows._raw_delete("default")
    assert violations() == []


def test_a_forged_round_is_noticed(deliberated: Session) -> None:
    told = Event.objects.filter(session=deliberated, kind="round.published").order_by("seq")[1]
    with append_only.purge():
        Event.objects.filter(pk=told.pk).update(data={**told.data, "agreement_bp": 10000})
    assert any("does not bear its seal" in sentence for sentence in violations())


def test_the_decision_is_a_version_of_an_artifact(deliberated: Session) -> None:
    version = ArtifactVersion.objects.get(artifact=deliberated.decision)
    found = deliberation_of(deliberated)
    assert found is not None
    assert found.decided is not None
    assert (version.number, version.digest) == (1, found.decided.data["decision"]["digest"])
    assert version.content.text.startswith("# Decision: Payment")
    assert version.lines == version.content.text.count("\n")


def test_the_artifact_is_hidden_until_there_is_a_decision(owner: User, project: Project) -> None:
    session = queued(owner, project, kind="deliberation", nonce_seed=BY_ARC["settles_in_2"])
    assert not has_decision(session)
    to_rest(session)
    assert has_decision(session)


def test_a_decision_can_be_judged_in_another_session(owner: User, project: Project) -> None:
    first = a_run(owner, project, "settles_in_2")
    version = ArtifactVersion.objects.get(artifact=first.decision)
    second = start_session(Actor(owner), factories.draft(owner, project, version), dispatch=False, fresh=True)
    assert to_rest(second).status == "completed"


def test_a_deliberation_starts_from_what_a_review_of_the_same_would_ask(owner: User, project: Project) -> None:
    review = to_rest(queued(owner, project, nonce_seed="ab" * 32))
    talk = to_rest(queued(owner, project, kind="deliberation", nonce_seed="ab" * 32))
    prints = [
        dict(Step.objects.filter(session=one, path__startswith="review").values_list("path", "fingerprint"))
        for one in (review, talk)
    ]
    assert prints[0] == prints[1] != {}


def test_the_same_input_is_taken_from_the_record(owner: User, project: Project) -> None:
    first = a_run(owner, project)
    second = factories.draft(owner, project, kind="deliberation")
    second = to_rest(start_session(Actor(owner), second, dispatch=False))
    assert (second.reuses_id, second.outcome, second.cost_microcredits) == (first.pk, first.outcome, 0)
    assert [row.findings for row in second.rounds.all()] == [row.findings for row in first.rounds.all()]


def test_a_retry_publishes_rounds_of_its_own(owner: User, project: Project) -> None:
    session = a_run(owner, project)
    before = list(Round.objects.values())
    retry_session(Actor(owner), session, dispatch=False)
    to_rest(Session.objects.get(pk=session.pk))
    found = deliberation_of(Session.objects.get(pk=session.pk))
    assert found is not None
    assert list(Round.objects.filter(generation=0).values()) == before
    assert len(found.rounds) == len(before) == Round.objects.filter(generation=1).count()
    assert violations() == []


def test_the_view_says_where_everybody_stands(deliberated: Session) -> None:
    found = deliberation_of(deliberated)
    assert found is not None
    assert {letter: position.stance for letter, position in found.held_by[1].items()} == dict.fromkeys("ABC", "agree")
    assert [one.synthesis for one in found.rounds][1:] == ["F-001 after round 2.", "F-001 after round 3."]


def test_the_view_takes_a_fixed_number_of_queries(
    owner: User, project: Project, deliberated: Session, django_assert_num_queries: Any
) -> None:
    longer = factories.deliberated(owner, project, "ada", "dad", "dda", "ada", max_rounds=5)
    for session in (deliberated, longer):
        fresh = Session.objects.get(pk=session.pk)
        with django_assert_num_queries(6):
            deliberation_of(fresh)


def test_the_export_holds_rounds_positions_and_the_decision(deliberated: Session) -> None:
    whole = document(deliberated)
    assert [(row["round"], row["agreement"], row["same_set"]) for row in whole["rounds"]] == [
        (1, 0.0, None),
        (2, 0.6667, 0.6667),
        (3, 1.0, 1.0),
    ]
    assert (whole["outcome"], whole["divergence"], len(whole["positions"])) == ("converged", None, 7)
    assert whole["decision"]["artifact"]["version"] == 1


def test_the_export_of_what_diverged_says_where_and_what_would_settle_it(owner: User, project: Project) -> None:
    whole = document(factories.deliberated(owner, project, "ada", "ada", "ada"))
    crux = whole["divergence"]["cruxes"][0]
    assert (whole["outcome"], crux["finding"], crux["would_settle"]) == ("diverged", "F-001", "Run it.")
    assert {side["stance"]: side["instances"] for side in crux["sides"]} == {"agree": ["A", "C"], "disagree": ["B"]}


def test_what_somebody_stopped_says_how_far_it_came(owner: User, project: Project, deliberated: Session) -> None:
    Session.objects.filter(pk=deliberated.pk).update(status="cancelled")
    found = deliberation_of(Session.objects.get(pk=deliberated.pk))
    assert found is not None
    report = divergence_data(replace(found, decided=None))
    assert report is not None
    assert (report["reason"], report["accepted"]) == ("cancelled", ["F-001"])


def test_a_review_has_none_of_it(reviewed: Session) -> None:
    assert deliberation_of(reviewed) is None
    assert "rounds" not in document(reviewed)


def test_the_markdown_holds_the_decision(deliberated: Session) -> None:
    text = markdown(deliberated)
    assert "| 3 | 100.0 % | 100.0 % | A, B, C |" in text
    assert "Agreed (enough agree). Confidence in this report: medium" in text
    assert "| 1 | nobody has judged yet |" in text


def test_the_decision_is_read_through_the_api(viewer: User, deliberated: Session) -> None:
    client: Client = factories.client(viewer)
    reply = client.get(f"/api/v1/sessions/{deliberated.code}/decision").json()
    assert (reply["outcome"], reply["confidence"], reply["simulated"]) == ("converged", "medium", True)
    artifact = client.get(f"/api/v1/artifacts/{reply['artifact']['code']}").json()
    assert artifact["versions"][0]["digest"] == reply["artifact"]["digest"]


def test_rounds_are_read_through_the_api(viewer: User, deliberated: Session) -> None:
    reply = factories.client(viewer).get(f"/api/v1/sessions/{deliberated.code}/rounds").json()
    assert [row["agreement"] for row in reply["rounds"]] == [0.0, 0.6667, 1.0]
    assert reply["standing"][0]["stances"] == dict.fromkeys("ABC", "agree")


@pytest.mark.parametrize("path", ["decision", "rounds"])
def test_who_is_not_of_the_project_sees_nothing_of_it(stranger: User, deliberated: Session, path: str) -> None:
    assert factories.client(stranger).get(f"/api/v1/sessions/{deliberated.code}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["decision", "rounds"])
def test_a_review_has_no_decision_and_no_rounds(viewer: User, reviewed: Session, path: str) -> None:
    assert factories.client(viewer).get(f"/api/v1/sessions/{reviewed.code}/{path}").status_code == 404


def test_it_is_started_through_the_api(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    body = {
        "project": project.slug, "kind": "deliberation", "artifacts": [str(version.artifact.code)],
        "roster": [seat.model_dump() for seat in factories.seats()], "params": {"threshold": "three_quarters"},
    }  # fmt: skip
    reply = factories.client(owner).post("/api/v1/sessions", body, content_type="application/json")
    assert reply.status_code == 201
    assert Session.objects.get(code=reply.json()["code"]).params["max_rounds"] == 3


@pytest.mark.parametrize("params", [{"max_rounds": 1}, {"max_rounds": 6}, {"threshold": "half"}, {"tau": 1}])
def test_parameters_that_make_no_sense_are_refused(owner: User, project: Project, params: dict[str, Any]) -> None:
    version = factories.artifact(owner, project)
    body = {
        "project": project.slug, "kind": "deliberation", "artifacts": [str(version.artifact.code)],
        "roster": [seat.model_dump() for seat in factories.seats()], "params": params,
    }  # fmt: skip
    reply = factories.client(owner).post("/api/v1/sessions", body, content_type="application/json")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_params")


def test_deleting_a_session_takes_the_decision_along(owner: User, deliberated: Session) -> None:
    delete_session(Actor(owner), deliberated)
    assert not has_decision(deliberated)
    assert violations() == []
    assert deliberated.rounds.count() == 3


def test_deleting_an_artifact_erases_the_decision_on_it(owner: User, deliberated: Session) -> None:
    delete_artifact(Actor(owner), deliberated.sources.get().version.artifact)
    assert ArtifactVersion.objects.get(artifact=deliberated.decision).content.text == ""
    assert not has_decision(deliberated)
    whole = document(Session.objects.get(pk=deliberated.pk))
    assert (whole["rounds"][2]["agreement"], whole["decision"]["text"]) == (1.0, "")
    assert {row["rationale"] for row in whole["positions"]} == {""}


def test_what_a_round_cost_is_what_its_calls_cost(owner: User, project: Project) -> None:
    session = a_run(owner, project)
    first = Attempt.objects.filter(session=session, step__path__regex="^(brief|review|synthesis/round-1)/")
    spent = sum(attempt.cost_microcredits or 0 for attempt in first)
    assert [row.cost_microcredits for row in session.rounds.all()][0] == spent > 0
    seen = Step.objects.get(session=session, path="budget/round-1")
    assert seen.result["value"] == {"spent": spent, "cap": None}


def test_what_was_said_is_never_asked_twice(owner: User, project: Project) -> None:
    session = a_run(owner, project)
    assert kinds(session).count("round.published") == 3
    assert (
        Attempt.objects.filter(session=session, state="delivered").count()
        == Step.objects.filter(session=session, kind="call", state="done").count()
    )


def test_what_was_killed_before_its_end_is_replayed_from_the_journal_within_a_second(
    owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five instances, five rounds, forty findings."""
    code = "\n".join(f"stage_{number} = load('{number * 7919 % 104729:06d}')" for number in range(500))
    version = factories.artifact(owner, project, "pipeline.py", code)
    models = lab("p", "q", "r", "s", "t")
    params = {"max_rounds": 5}
    session = factories.draft(
        owner, project, version, kind="deliberation", seats=with_role("reviewer", *models), params=params
    )
    with installed(ScriptedProvider(play=arguing(code.splitlines()))) as provider:
        close, died = SessionJournal.close, iter([True])

        async def killed(journal: SessionJournal, *args: Any, **options: Any) -> None:
            if next(died, False):
                await asyncio.sleep(2 * LINGER_SECONDS)  # what nobody waits for is written by then
                raise LeaseLost
            await close(journal, *args, **options)

        monkeypatch.setattr(SessionJournal, "close", killed)
        session = to_rest(start_session(Actor(owner), session, dispatch=False, fresh=True))
        assert (session.status, session.rounds.count(), session.findings.count()) == ("running", 5, 40)
        asked, started = len(provider.calls), time.monotonic()
        lapse(session)
        to_rest(session)
        took = time.monotonic() - started
    assert (session.status, len(provider.calls), violations()) == ("completed", asked, [])
    assert took < 1
