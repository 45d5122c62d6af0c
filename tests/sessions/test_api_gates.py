"""Gates over HTTP: reading decides nothing, deciding is a POST that names what was shown."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import gates
from sessions.models import Attempt, Event, Gate, GateDecision, Project, Role, Session
from tests import factories

pytestmark = pytest.mark.django_db
WHY = "The amount is checked by the caller."


@pytest.fixture
def approver(project: Project) -> User:
    found = factories.user("approver")
    factories.join(found, project, Role.APPROVER)
    return found


@pytest.fixture
def url(reviewed: Session) -> str:
    return f"/api/v1/sessions/{reviewed.code}/gate"


def post(client: Client, url: str, **body: Any) -> Any:
    return client.post(url, body, "application/json")


def test_a_gate_from_asking_to_override(url: str, owner: User, approver: User) -> None:
    asked = post(factories.client(owner), url, policy="ci").json()
    assert (asked["state"], asked["outcome"], asked["effective"]) == ("effective", "fail", "fail")
    assert asked["details"] == [{"code": "blocking_finding", "findings": ["F-001"], "letters": []}]
    reply = post(
        factories.client(approver), f"{url}/decisions", act="override", to="pass", reason=WHY, shown=asked["shown"]
    )
    said = reply.json()
    assert (reply.status_code, said["state"], said["to"], said["effective"]) == (200, "decided", "pass", "fail")
    assert [(one["act"], one["by"], one["reason"]) for one in said["decisions"]] == [("override", approver.name, WHY)]
    undone = post(factories.client(approver), f"{url}/decisions", act="undo", shown=said["shown"]).json()
    assert (undone["state"], undone["effective"], len(undone["decisions"])) == ("effective", "fail", 1)


def test_a_decision_that_is_sent_twice_with_one_key_is_made_once(url: str, owner: User, approver: User) -> None:
    shown = post(factories.client(owner), url, policy="ci").json()["shown"]
    body = {"act": "override", "to": "pass", "reason": WHY, "shown": shown}
    client, keyed = factories.client(approver), {"Idempotency-Key": "release-17"}
    first, second = (
        client.post(f"{url}/decisions", body, "application/json", headers=keyed) for _ in ("sent", "sent again")
    )
    assert (first.status_code, second.status_code) == (200, 200)
    assert (first.json(), second.json()["state"]) == (second.json(), "decided")
    assert ("Idempotency-Replayed" in first, second["Idempotency-Replayed"]) == (False, "true")
    assert GateDecision.objects.count() == 1
    other = client.post(f"{url}/decisions", body | {"hours": 24}, "application/json", headers=keyed)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")


def test_a_refused_decision_gives_its_key_back(url: str, owner: User, approver: User) -> None:
    gate = post(factories.client(owner), url, policy="ci").json()
    client, keyed = factories.client(approver), {"Idempotency-Key": "release-18"}
    body = {"act": "override", "to": "pass", "reason": WHY, "shown": "0" * 64}
    assert client.post(f"{url}/decisions", body, "application/json", headers=keyed).status_code == 409
    reply = client.post(f"{url}/decisions", body | {"shown": gate["shown"]}, "application/json", headers=keyed)
    assert (reply.status_code, reply.json()["state"]) == (200, "decided")


def test_another_policy_can_be_tried_by_reading(url: str, viewer: User) -> None:
    before = Attempt.objects.count(), Event.objects.count()
    tried = factories.client(viewer).get(url, {"policy": "strict"}).json()
    assert (tried["asked"], tried["policy"]["key"], tried["two_people"]) == (False, "strict", True)
    assert (Attempt.objects.count(), Event.objects.count()) == before
    assert not Gate.objects.exists()


def test_whoever_opens_every_link_decides_nothing(url: str, owner: User, approver: User, reviewed: Session) -> None:
    gates.judge_session(Actor(owner), reviewed, "standard")
    client, before = factories.client(approver), Event.objects.count()
    shown = client.get(url).json()["shown"]
    query = {"act": "approve", "shown": shown}
    assert client.get(f"{url}/decisions", query).status_code == 405
    assert client.head(f"{url}/decisions", query).status_code == 405
    assert client.get(url, query).json()["state"] == "pending"
    assert (Event.objects.count(), GateDecision.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"act": "override", "to": "pass", "reason": "Too short"}, 422, "reason_needed"),
        ({"act": "override", "to": "pass"}, 422, "reason_needed"),
        ({"act": "override", "reason": WHY}, 422, "bad_outcome"),
        ({"act": "override", "to": "maybe", "reason": WHY}, 400, None),
        ({"act": "override", "to": "pass", "reason": WHY, "hours": 0}, 400, None),
        ({"act": "approve", "shown": "0" * 64}, 409, "evidence_changed"),
        ({"act": "explode"}, 400, None),
    ],
)
def test_a_bad_decision_is_refused_with_a_code(
    url: str, owner: User, approver: User, reviewed: Session, body: dict[str, Any], status: int, code: str | None
) -> None:
    gates.judge_session(Actor(owner), reviewed, "standard")
    client = factories.client(approver)
    reply = post(client, f"{url}/decisions", **{"shown": client.get(url).json()["shown"], **body})
    assert reply.status_code == status
    assert code in {None, reply.json()["error"]["code"]}
    assert ("Say why" in reply.json()["error"]["message"]) == (code == "reason_needed")
    assert not GateDecision.objects.exists()


def test_the_starter_needs_somebody_else_to_override(url: str, owner: User) -> None:
    client = factories.client(owner)
    shown = post(client, url, policy="ci").json()["shown"]
    reply = post(client, f"{url}/decisions", act="override", to="pass", reason=WHY, shown=shown)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "separate_approver")


def test_a_key_decides_only_with_the_scope_for_it(url: str, owner: User, approver: User) -> None:
    shown = post(factories.client(owner), url, policy="standard").json()["shown"]
    narrow = post(factories.client(approver, "read", "write"), f"{url}/decisions", act="approve", shown=shown)
    wide = post(factories.client(approver, "read", "approve"), f"{url}/decisions", act="approve", shown=shown)
    assert (narrow.status_code, wide.status_code) == (403, 200)


def test_an_approver_removed_meanwhile_gets_nothing(url: str, owner: User, approver: User, project: Project) -> None:
    client = factories.client(approver)
    shown = post(factories.client(owner), url, policy="standard").json()["shown"]
    project.memberships.filter(user=approver).delete()
    assert post(client, f"{url}/decisions", act="approve", shown=shown).status_code == 401
    browser = Client()
    browser.force_login(approver)
    assert post(browser, f"{url}/decisions", act="approve", shown=shown).status_code in {403, 404}
    assert not GateDecision.objects.exists()


def test_judging_again_by_another_policy_asks_no_model_and_takes_an_approver(
    url: str, owner: User, approver: User, member: User
) -> None:
    asked = Attempt.objects.count()
    assert post(factories.client(owner), url, policy="standard").json()["policy"]["key"] == "standard"
    assert post(factories.client(member), url, policy="ci").status_code == 403
    again = post(factories.client(approver), url, policy="ci").json()
    assert (again["policy"]["key"], again["why"], Attempt.objects.count()) == ("ci", "policy_changed", asked)


def test_what_a_person_decided_is_not_judged_again(url: str, owner: User, approver: User) -> None:
    shown = post(factories.client(owner), url, policy="standard").json()["shown"]
    post(factories.client(approver), f"{url}/decisions", act="override", to="pass", reason=WHY, shown=shown)
    for policy in ("ci", "strict"):
        reply = post(factories.client(owner), url, policy=policy)
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (409, "decided_already")
        assert approver.name in error["message"]
    assert factories.client(owner).get(url).json()["to"] == "pass"


def test_what_fails_is_not_judged_into_a_pass(url: str, owner: User, project: Project) -> None:
    client = factories.client(owner)
    save = {"key": "lax", "label": "Lax", "block_severity": "blocker", "automatic": True}
    assert post(client, f"/api/v1/projects/{project.slug}/gate-policies", **save).status_code == 201
    post(client, url, policy="ci")
    reply = post(client, url, policy="lax")
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], "with a reason" in error["message"]) == (409, "override_needed", True)
    assert client.get(url).json()["effective"] == "fail"


def test_what_is_in_effect_is_not_taken_back(url: str, owner: User, approver: User) -> None:
    shown = post(factories.client(owner), url, policy="standard").json()["shown"]
    client = factories.client(approver)
    said = post(client, f"{url}/decisions", act="override", to="pass", reason=WHY, shown=shown).json()
    Gate.objects.update(effective_at=F("effective_at") - timedelta(minutes=11))
    reply = post(client, f"{url}/decisions", act="undo", shown=said["shown"])
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "decided_already")
    assert client.get(url).json()["effective"] == "pass"


def test_policies_of_a_project_are_listed_with_those_shipped(project: Project, owner: User) -> None:
    url = f"/api/v1/projects/{project.slug}/gate-policies"
    client = factories.client(owner)
    made = post(client, url, key="release", label="Release", block_severity="major", automatic=True)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert post(client, url, key="release", label="Release").json()["version"] == 2
    assert post(client, url, key="ci", label="Mine").status_code == 409
    assert post(client, url, key="odd", label="Odd", hours=0).status_code == 400
    listed = client.get(url).json()["policies"]
    assert [(one["key"], one["version"], one["label"]) for one in listed] == [
        ("standard", 1, "Standard"), ("ci", 1, "CI"), ("strict", 1, "Strict"), ("release", 2, "Release"),
    ]  # fmt: skip


def test_a_gate_costs_a_bounded_number_of_queries(
    url: str, owner: User, reviewed: Session, django_assert_max_num_queries: Any
) -> None:
    client = factories.client(owner)
    gates.judge_session(Actor(owner), reviewed, "standard")
    with django_assert_max_num_queries(16):
        client.get(url)
