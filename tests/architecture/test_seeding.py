"""What every installation starts with: made once, the same everywhere, and never against an operator's will."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.apps import apps

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.catalog import set_price
from sessions.actions.errors import Refused
from sessions.actions.gates import override
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.purge import delete_artifact, delete_project, delete_session
from sessions.actions.rosters import default_seats, save_roster
from sessions.actions.standards import find_standard
from sessions.certificates.checking import check
from sessions.certificates.fetching import newest_certificate, signed_certificate
from sessions.certificates.signing import key_set, read_keys
from sessions.demo.plants import planted_in
from sessions.invariants import violations
from sessions.models import ArtifactVersion, Gate, LanguageModel, Membership, Project, Provider, Roster, Session
from sessions.queries.certification import certification_of
from sessions.queries.deliberation import deliberation_of
from sessions.queries.gates import token
from sessions.queries.inbox import inbox_of
from sessions.seeding import APPROVER_EMAIL, CATALOG, DEMO_SLUG, OWNER_EMAIL, ROSTER_NAME, seed

pytestmark = pytest.mark.django_db


def rows() -> dict[str, Iterable[Any]]:
    return {model.__name__: sorted(map(str, model._default_manager.values())) for model in apps.get_models()}


@pytest.fixture
def demo() -> Project:
    project = seed()
    assert project is not None
    return project


@pytest.fixture
def owner(demo: Project) -> User:
    return User.objects.get(email=OWNER_EMAIL)


def test_seeding_again_changes_nothing(demo: Project) -> None:
    before = rows()
    assert seed() == demo
    assert rows() == before


def test_what_was_seeded_holds_every_invariant(demo: Project) -> None:
    assert violations() == []


def test_every_seeded_model_has_a_price_and_none_has_a_key(demo: Project) -> None:
    assert not LanguageModel.objects.filter(prices=None).exists()
    assert not Provider.objects.exclude(sealed_key=None).exists()
    assert LanguageModel.objects.filter(provider__adapter="demo").count() >= len(default_seats())
    assert CATALOG.exists()


def test_the_owner_can_work_in_the_demo_project_at_once(demo: Project, owner: User) -> None:
    assert (demo.slug, Membership.objects.get(project=demo, user=owner).role) == (DEMO_SLUG, "owner")
    assert not owner.has_usable_password()
    new = NewSession("review", default_seats(), list(ArtifactVersion.objects.select_related("artifact")[:1]))
    assert create_session(Actor(owner), demo, new).status == "draft"


def test_every_demo_artifact_is_one_the_personas_know(demo: Project) -> None:
    written = Session.objects.exclude(decision=None).values("decision")
    brought = ArtifactVersion.objects.filter(artifact__project=demo).exclude(artifact__in=written)
    texts = brought.values_list("content__text", flat=True)
    assert texts
    assert all(planted_in(text) is not None for text in texts)


def test_the_demo_shows_an_agreement_and_a_disagreement(demo: Project) -> None:
    talks = [deliberation_of(session) for session in Session.objects.filter(project=demo, kind="deliberation")]
    ends = sorted((one.decided.data["outcome"], len(one.rounds)) for one in talks if one and one.decided)
    assert ends == [("converged", 2), ("converged", 3), ("diverged", 3)]


def test_the_demo_gate_waits_and_somebody_else_than_its_starter_can_override_it() -> None:
    project = seed(alone=True)
    assert project is not None
    gate = Gate.objects.select_related("session__project").get(session__project=project)
    owner, approver = (Actor(User.objects.get(email=email)) for email in (OWNER_EMAIL, APPROVER_EMAIL))
    assert (gate.state, gate.verdict["outcome"]) == ("pending", "fail")
    assert [one.session for one in inbox_of(approver).gates] == [gate.session]
    reason = "Launch is behind a switch for ten customers, watched by hand."
    with pytest.raises(Refused, match="separate_approver"):
        override(owner, gate.session, token(gate), "pass", reason)
    gate = override(approver, gate.session, token(gate), "pass", reason)
    assert (gate.state, gate.to, gate.decided_by) == ("decided", "pass", approver.user)


def test_only_a_server_for_this_machine_alone_has_the_second_account(demo: Project) -> None:
    assert not User.objects.filter(email=APPROVER_EMAIL).exists()
    seed(alone=True)
    approver = User.objects.get(email=APPROVER_EMAIL)
    assert (approver.has_usable_password(), approver.is_superuser) == (False, False)
    assert Membership.objects.get(project=demo, user=approver).role == "approver"


def test_an_approver_who_was_taken_out_is_not_put_back() -> None:
    seed(alone=True)
    Membership.objects.filter(user__email=APPROVER_EMAIL).delete()
    seed(alone=True)
    assert not Membership.objects.filter(user__email=APPROVER_EMAIL).exists()


def test_the_demo_certification_has_a_dissent_and_a_certificate_that_holds(demo: Project) -> None:
    session = Session.objects.get(project=demo, kind="certification")
    found = certification_of(session)
    assert found is not None
    assert (session.outcome, session.reason, found.verdict["refuse"]) == ("certified", "with_dissent", ["E"])
    checked = check(orjson.dumps(signed_certificate(newest_certificate(session))), read_keys(key_set()))
    assert checked.code == "valid"
    assert "Simulated" in checked.warning
    shipped = find_standard(demo, found.key, found.version)
    assert orjson.loads(newest_certificate(session).content.text)["standard"]["digest"] == shipped.digest


def test_prices_routes_and_switches_of_an_operator_stay(demo: Project) -> None:
    model = LanguageModel.objects.earliest("pk")
    set_price(model, Decimal(9), Decimal(9))
    LanguageModel.objects.filter(pk=model.pk).update(route="elsewhere", enabled=False, weight=0)
    before = rows()
    seed()
    assert rows() == before


def test_a_changed_roster_stays(demo: Project) -> None:
    save_roster(demo, ROSTER_NAME, default_seats()[:1])
    seed()
    assert len(Roster.objects.get(name=ROSTER_NAME).seats) == 1


def test_what_was_deleted_does_not_come_back(demo: Project, owner: User) -> None:
    for session in Session.objects.filter(project=demo):
        delete_session(Actor(owner), session)
    for artifact in demo.artifacts.all():
        delete_artifact(Actor(owner), artifact)
    seed()
    assert not Session.objects.filter(project=demo, deleted_at=None).exists()
    assert not demo.artifacts.filter(deleted_at=None).exists()
    assert violations() == []


def test_a_deleted_demo_project_does_not_come_back(demo: Project, owner: User) -> None:
    delete_project(Actor(owner), demo)
    assert seed() is None
    assert not Project.objects.filter(deleted_at=None).exists()


def test_an_owner_who_left_the_demo_project_is_not_put_back(demo: Project, owner: User) -> None:
    Membership.objects.all().delete()
    seed()
    assert not Membership.objects.exists()
