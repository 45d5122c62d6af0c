"""A project's settings, invitations and exports over HTTP."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.models import Membership, Project, Provider
from sessions.reports.project_export import make_exports
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(owner: User, project: Project) -> Client:
    return factories.client(owner)


def post(client: Client, path: str, body: Any = None) -> Any:
    return client.post(f"/api/v1/projects/paper-mill/{path}", body or {}, "application/json")


def test_what_is_given_is_changed_and_the_rest_stays(api: Client) -> None:
    Provider.objects.create(name="lab", adapter="openai_wire", base_url="http://127.0.0.1:9/v1")
    post(api, "settings", {"name": "Saw mill"})
    changed = post(api, "settings", {"allowed_providers": ["lab"]}).json()
    assert changed == {
        "name": "Saw mill",
        "allowed_providers": ["lab"],
        "local_only": False,
        "separate_approver": "override",
        "retention_days": None,
    }
    assert api.get("/api/v1/projects/paper-mill/settings").json() == changed


def test_who_has_to_decide_on_gates_can_be_set(api: Client) -> None:
    assert post(api, "settings", {"separate_approver": "always"}).json()["separate_approver"] == "always"
    assert post(api, "settings", {"separate_approver": "sometimes"}).status_code == 400


def test_a_provider_nobody_knows_is_refused(api: Client) -> None:
    reply = post(api, "settings", {"allowed_providers": ["nobody"]})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "no_such_provider")


def test_no_key_sets_a_retention(api: Client) -> None:
    assert post(api, "settings", {"retention_days": 1, "name": "x"}).status_code == 403
    assert Project.objects.get(slug="paper-mill").name == "Paper mill"


def test_an_owner_signed_in_sets_a_retention(owner: User, project: Project) -> None:
    browser = Client()
    browser.force_login(owner)
    assert post(browser, "settings", {"retention_days": 30}).json()["retention_days"] == 30
    assert post(browser, "settings", {"retention_days": None}).json()["retention_days"] is None
    assert post(browser, "settings", {"retention_days": 0}).status_code == 422


def test_a_link_made_by_a_program_lets_one_person_in(api: Client, stranger: User, project: Project) -> None:
    made = post(api, "invitations", {"role": "viewer"}).json()
    assert api.get("/api/v1/projects/paper-mill/invitations").json()["invitations"][0]["state"] == "open"
    browser = Client()
    browser.force_login(stranger)
    browser.post(made["link"].removeprefix("http://testserver"))
    assert Membership.objects.get(user=stranger, project=project).role == "viewer"
    listed = api.get("/api/v1/projects/paper-mill/invitations").json()["invitations"][0]
    assert (listed["state"], "link" in listed) == ("used", False)


def test_no_key_invites_an_owner(api: Client) -> None:
    assert post(api, "invitations", {"role": "owner"}).status_code == 403


def test_an_invitation_is_taken_back(api: Client, stranger: User) -> None:
    made = post(api, "invitations").json()
    assert api.delete(f"/api/v1/projects/paper-mill/invitations/{made['code']}").status_code == 204
    browser = Client()
    browser.force_login(stranger)
    assert browser.post(made["link"].removeprefix("http://testserver")).status_code == 410


def test_an_export_is_asked_for_and_fetched_when_it_is_ready(api: Client) -> None:
    made = post(api, "exports").json()
    where = f"/api/v1/projects/paper-mill/exports/{made['code']}"
    assert (made["state"], api.get(f"{where}/file").status_code) == ("waiting", 404)
    assert post(api, "exports").json()["error"]["code"] == "export_under_way"
    asyncio.run(make_exports())
    assert api.get(where).json()["state"] == "ready"
