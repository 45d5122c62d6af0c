"""Sessions through the API: creating, moving, looking."""

from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.models import Content, Event, IdempotencyKey, Project, Session
from tests import factories

PATH = "/api/v1/sessions"


@pytest.fixture
def program(member: User) -> Client:
    return factories.client(member)


@pytest.fixture
def body(owner: User, project: Project) -> dict[str, Any]:
    """What creates a review, as the contract says."""
    return {
        "project": project.slug,
        "kind": "review",
        "title": "Payment",
        "brief": "Look at the money.",
        "params": {"severity_floor": "minor"},
        "roster": [seat.model_dump(mode="json") for seat in factories.seats()],
        "artifacts": [str(factories.artifact(owner, project).artifact.code)],
        "start": False,
    }


def create(program: Client, body: dict[str, Any], key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return program.post(PATH, body, "application/json", headers=headers)


def test_a_session_is_created_as_a_draft(program: Client, body: dict[str, Any]) -> None:
    reply = create(program, body)
    assert reply.status_code == 201
    code = reply.json()["code"]
    assert reply.json() == {"code": code, "status": "draft", "outcome": "", "reason": ""}
    assert Session.objects.get().code.hex == code.replace("-", "")


def test_start_in_the_body_starts_it(program: Client, body: dict[str, Any]) -> None:
    assert create(program, {**body, "start": True}).json()["status"] == "queued"


def test_what_was_asked_for_is_shown(program: Client, body: dict[str, Any]) -> None:
    code = create(program, {**body, "soft_cap_microcredits": 5, "hard_cap_microcredits": 9}).json()["code"]
    document = program.get(f"{PATH}/{code}").json()
    assert (document["title"], document["brief"]) == ("Payment", "Look at the money.")
    assert document["params"]["severity_floor"] == "minor"
    assert (document["soft_cap_microcredits"], document["hard_cap_microcredits"]) == (5, 9)
    assert [seat["model_id"] for seat in document["instances"]] == list(factories.DEMO_IDS)
    assert [source["name"] for source in document["artifacts"]] == ["pay.py"]


def test_a_saved_roster_seats_the_session(program: Client, body: dict[str, Any], project: Project) -> None:
    roster = project.rosters.create(name="Three", seats=body.pop("roster"))
    code = create(program, {**body, "roster_id": str(roster.code)}).json()["code"]
    assert len(program.get(f"{PATH}/{code}").json()["instances"]) == 3


def test_context_is_read_and_not_judged(program: Client, body: dict[str, Any], owner: User, project: Project) -> None:
    extra = factories.artifact(owner, project, "rates.csv", "a,b\n1,2\n").artifact
    code = create(program, {**body, "context": [str(extra.code)]}).json()["code"]
    sources = program.get(f"{PATH}/{code}").json()["artifacts"]
    assert [(source["name"], source["context"]) for source in sources] == [("pay.py", False), ("rates.csv", True)]


@pytest.mark.parametrize("change", [{"roster": None}, {"roster_id": "00000000-0000-4000-8000-000000000000"}])
def test_either_a_roster_or_its_code_is_wanted(change: Any, program: Client, body: dict[str, Any]) -> None:
    reply = create(program, body | change)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_roster")


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "an unknown kind": ({"kind": "seance"}, 400, "unknown_kind"),
    "no artifact": ({"artifacts": []}, 400, "no_artifact"),
    "an unknown artifact": ({"artifacts": ["00000000-0000-4000-8000-000000000000"]}, 404, "artifact_unknown"),
    "no instance": ({"roster": []}, 400, "roster_empty"),
    "an unknown parameter": ({"params": {"mood": "kind"}}, 400, "bad_params"),
    "a parameter out of bounds": ({"params": {"max_findings": 10**30}}, 400, "bad_params"),
    "a negative cap": ({"hard_cap_microcredits": -1}, 400, "invalid"),
    "a cap beyond all money": ({"hard_cap_microcredits": 2**70}, 400, "invalid"),
    "a broken code": ({"artifacts": ["x"]}, 400, "invalid"),
    "too many artifacts": ({"artifacts": ["00000000-0000-4000-8000-000000000000"] * 51}, 400, "invalid"),
    "a long title": ({"title": "x" * 161}, 400, "invalid"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_session_is_refused_and_leaves_nothing(name: str, program: Client, body: dict[str, Any]) -> None:
    change, status, code = REFUSED[name]
    reply = create(program, body | change, key="k1")
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert not Session.objects.exists()
    assert not IdempotencyKey.objects.exists()


def test_a_cap_that_could_not_be_kept_starts_and_leaves_nothing(program: Client, body: dict[str, Any]) -> None:
    factories.real_model("cloud/large", base_url="https://api.example.org/v1")
    seat = {"name": "Ada", "model_id": "cloud/large"}
    reply = create(program, body | {"roster": [seat], "hard_cap_microcredits": 9, "start": True})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "cap_needs_price")
    assert not Session.objects.exists()


def test_what_a_cap_does_not_count_is_named(program: Client, body: dict[str, Any]) -> None:
    factories.real_model("own/model", base_url="http://127.0.0.1:9/v1")
    seat = {"name": "Ada", "model_id": "own/model"}
    made = create(program, body | {"roster": [seat], "hard_cap_microcredits": 9, "start": True}).json()
    assert made["status"] == "queued"
    assert program.get(f"{PATH}/{made['code']}").json()["caps_leave_out"] == ["own/model"]


@pytest.mark.parametrize("field", ["artifacts", "context", "roster_id", "project"])
def test_an_id_of_another_project_in_the_body_is_a_404_and_changes_nothing(
    field: str, program: Client, body: dict[str, Any], stranger: User, project: Project
) -> None:
    elsewhere = Project.objects.get(memberships__user=stranger)
    foreign = factories.artifact(stranger, elsewhere, "theirs.py").artifact
    roster = elsewhere.rosters.create(name="Theirs", seats=body["roster"])
    changes: dict[str, dict[str, Any]] = {
        "artifacts": {"artifacts": [str(foreign.code)]},
        "context": {"context": [str(foreign.code)]},
        "roster_id": {"roster": None, "roster_id": str(roster.code)},
        "project": {"project": elsewhere.slug},
    }
    assert create(program, body | changes[field]).status_code == 404
    assert not Session.objects.exists()


def test_a_foreign_artifact_is_refused_like_one_that_does_not_exist(
    program: Client, body: dict[str, Any], stranger: User
) -> None:
    foreign = factories.artifact(stranger, Project.objects.get(memberships__user=stranger), "theirs.py").artifact
    missing = "00000000-0000-4000-8000-000000000000"
    messages = [
        create(program, body | {"artifacts": [code]}).json()["error"]["message"].replace(code, "CODE")
        for code in (str(foreign.code), missing)
    ]
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("start", "draft", "queued"),
        ("stop", "running", "cancelled"),
        ("retry", "completed", "queued"),
        ("continue", "waiting", "queued"),
    ],
)
def test_an_action_moves_the_session(
    action: str, before: str, after: str, program: Client, owner: User, project: Project
) -> None:
    session = factories.draft(owner, project)
    Session.objects.filter(pk=session.pk).update(status=before)
    reply = program.post(f"{PATH}/{session.code}/{action}")
    assert (reply.status_code, reply.json()["status"]) == (200, after)


@pytest.mark.parametrize("action", ["stop", "retry", "continue"])
def test_an_action_in_the_wrong_state_says_what_the_state_is(
    action: str, program: Client, owner: User, project: Project
) -> None:
    session = factories.draft(owner, project)
    reply = program.post(f"{PATH}/{session.code}/{action}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "wrong_state")
    assert "draft" in reply.json()["error"]["message"]


def test_two_starts_start_once(program: Client, owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    statuses = [program.post(f"{PATH}/{session.code}/start").status_code for _ in range(2)]
    assert statuses == [200, 409]
    assert Event.objects.filter(session=session, kind="session.started").count() == 1


def test_the_same_key_creates_one_session(program: Client, body: dict[str, Any]) -> None:
    first, second = create(program, body, key="k1"), create(program, body, key="k1")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Session.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(program: Client, body: dict[str, Any]) -> None:
    create(program, body, key="k1")
    reply = create(program, body | {"title": "Other"}, key="k1")
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "idempotency_mismatch")


def test_the_same_key_starts_once_and_answers_the_same(program: Client, owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    replies = [program.post(f"{PATH}/{session.code}/start", headers={"Idempotency-Key": "k1"}).json() for _ in range(3)]
    assert replies[0]["status"] == "queued"
    assert replies[1:] == replies[:1] * 2


def test_a_key_is_of_one_person_and_one_address(
    program: Client, body: dict[str, Any], owner: User, project: Project
) -> None:
    create(program, body, key="k1")
    assert create(factories.client(owner), body | {"title": "Mine"}, key="k1").status_code == 201
    session = factories.draft(owner, project)
    reply = program.post(f"{PATH}/{session.code}/start", headers={"Idempotency-Key": "k1"})
    assert reply.status_code == 200


def test_a_replayed_reply_is_not_shown_to_who_lost_access(
    program: Client, member: User, body: dict[str, Any], project: Project
) -> None:
    create(program, body, key="k1")
    project.memberships.filter(user=member).update(role="viewer")
    assert create(program, body, key="k1").status_code == 403


def test_a_kept_reply_holds_no_text(program: Client, body: dict[str, Any]) -> None:
    create(program, body, key="k1")
    assert set(IdempotencyKey.objects.get().reply or {}) == {"code", "status", "outcome", "reason"}


def test_sessions_are_listed_with_their_counts(program: Client, owner: User, project: Project) -> None:
    session = factories.reviewed(owner, project)
    rows = program.get(f"{PATH}?project={project.slug}").json()["sessions"]
    assert [(row["code"], row["findings"], row["seats"]) for row in rows] == [(str(session.code), 2, 3)]


def test_pages_of_the_list_do_not_overlap(program: Client, owner: User, project: Project) -> None:
    codes = {str(factories.draft(owner, project).code) for _ in range(3)}
    pages = [
        program.get(f"{PATH}?project={project.slug}&limit=2&offset={offset}").json()["sessions"] for offset in (0, 2)
    ]
    assert [len(page) for page in pages] == [2, 1]
    assert {row["code"] for page in pages for row in page} == codes


def test_a_finished_session_says_who_answered_and_that_it_was_simulated(
    program: Client, owner: User, project: Project
) -> None:
    document = program.get(f"{PATH}/{factories.reviewed(owner, project).code}").json()
    assert document["who_answered"]["sentence"] == "2 of 3 answered: C timed out"
    assert document["simulated_notice"] == "simulated: no model read this file"
    assert document["cost_microcredits"] == 1_000


def test_a_failed_session_says_what_to_do_next(program: Client, owner: User, project: Project) -> None:
    session = factories.finish(factories.running(owner, project), reason="no_answers", status="failed")
    assert "retry" in program.get(f"{PATH}/{session.code}").json()["problem"]


def test_waiting_for_a_session_at_rest_answers_at_once(program: Client, owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    assert program.get(f"{PATH}/{session.code}?wait=60").json()["status"] == "draft"


def test_deleting_erases_every_word(owner: User, project: Project) -> None:
    session, client = factories.reviewed(owner, project), factories.client(owner)
    assert client.delete(f"{PATH}/{session.code}").status_code == 204
    assert not Content.objects.filter(session=session).exclude(text="").exists()
    assert client.get(f"{PATH}/{session.code}").status_code == 404
