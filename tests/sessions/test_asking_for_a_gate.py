"""A gate that is asked for with the session: judged at its end, and for a deliberation one round more where it needs
one (deliberation.md 2.8)."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crucible_site.models import User
from sessions.models import Gate, Project, Session
from sessions.queries.estimate import estimate
from sessions.specs import DeliberationParams, gated
from tests import factories
from tests.driving import to_rest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def demo(db: Any) -> None:
    factories.demo_models()


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def form(kind: str, **changes: Any) -> dict[str, Any]:
    seats = [(f"Seat {number}", "reviewer", model, "", "") for number, model in enumerate(factories.DEMO_IDS, 1)]
    columns = zip(("name", "role", "model_id", "temperature", "focus"), zip(*seats, strict=True), strict=True)
    files = {"files": SimpleUploadedFile("pay.py", factories.CODE.encode())}
    return {"go": "draft", "kind": kind, **files, **{f"seat_{name}": list(cells) for name, cells in columns}, **changes}


@pytest.mark.parametrize(
    ("gate", "said", "confirms"),
    [
        ("", "with_a_gate", False),
        ("ci", "with_a_gate", True),
        ("ci", "False", False),
        ("", "True", True),
        ("ci", "", True),
    ],
)
def test_a_confirmation_round_comes_with_a_gate_unless_somebody_chose(
    browser: Client, project: Project, gate: str, said: str, confirms: bool
) -> None:
    answer = browser.post(f"/projects/{project.slug}/new/", form("deliberation", gate=gate, confirmation_round=said))
    assert answer.status_code == 302, answer.content.decode()
    session = Session.objects.get()
    assert session.params["confirmation_round"] is confirms
    assert list(Gate.objects.values_list("state", "policy__key")) == ([("withheld", gate)] if gate else [])


def test_the_form_says_plainly_when_there_is_one_and_offers_every_policy(browser: Client, project: Project) -> None:
    page = browser.get(f"/projects/{project.slug}/new/?kind=deliberation").content.decode()
    assert '<option value="with_a_gate" selected>when a gate judges it</option>' in page
    assert "only about grave findings that came in the last one" in page
    assert [f'<option value="{key}">' in page for key in ("standard", "ci", "strict")] == [True] * 3


def test_a_policy_that_is_not_there_makes_no_session(browser: Client, project: Project) -> None:
    answer = browser.post(f"/projects/{project.slug}/new/", form("review", gate="lenient"))
    assert (answer.status_code, Session.objects.exists()) == (422, False)
    assert "There is no gate policy" in answer.content.decode()


def test_a_gate_asked_for_at_the_start_is_judged_at_the_end(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    body = {"project": project.slug, "kind": "deliberation", "gate": "ci", "start": True, "roster": roster()}
    client = factories.client(owner)
    made = client.post("/api/v1/sessions", body | {"artifacts": [str(version.artifact.code)]}, "application/json")
    assert made.status_code == 201, made.content
    session = Session.objects.get(code=made.json()["code"])
    assert (session.params["confirmation_round"], Gate.objects.get().state) == (True, "withheld")
    to_rest(session)
    gate = client.get(f"/api/v1/sessions/{session.code}/gate").json()
    judged = client.post(f"/api/v1/sessions/{session.code}/gate", {"policy": "ci"}, "application/json").json()
    assert (gate["asked"], judged["state"], judged["policy"]["key"]) == (True, "effective", "ci")


def test_the_api_takes_a_choice_over_the_default(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    body: dict[str, Any] = {"project": project.slug, "kind": "deliberation", "gate": "ci", "roster": roster()}
    body |= {"artifacts": [str(version.artifact.code)], "params": {"confirmation_round": False}}
    assert factories.client(owner).post("/api/v1/sessions", body, "application/json").status_code == 201
    assert Session.objects.get().params["confirmation_round"] is False


def test_the_estimate_counts_the_confirmation_round(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project)
    found = []
    for policy in ("", "ci"):
        params = DeliberationParams.model_validate(gated("deliberation", {}, policy)).model_dump()
        found.append(estimate(project, factories.seats(), [version], params, kind="deliberation"))
    without, with_one = found
    assert without.high is not None
    assert with_one.high is not None
    assert (without.low, without.typical) == (with_one.low, with_one.typical)
    assert without.high < with_one.high


@pytest.mark.parametrize("kind", ["certification", "review"])
def test_other_kinds_have_no_confirmation_round(kind: str) -> None:
    assert gated(kind, {"focus": "money"}, "ci") == {"focus": "money"}


def roster() -> list[dict[str, Any]]:
    return [seat.model_dump(mode="json") for seat in factories.seats()]
