"""Who gets what on every page: the table is complete, or the first test fails."""

from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.gate_policies import Rules, save_policy
from sessions.actions.invitations import invite
from sessions.actions.rosters import save_roster
from sessions.actions.sharing import share_report
from sessions.actions.templates import save_template
from sessions.models import ApiKey, Project, Session
from sessions.urls import pages
from sessions.views import analytics, project_analytics
from tests import factories
from tests.markup import dangers

DOWNLOADS = [f"{what}_{form}" for what, form in analytics.DOWNLOADS]
PROJECT_DOWNLOADS = [f"project_{what}_{form}" for what, form in project_analytics.DOWNLOADS]

# page -> (method, grants that are enough)
PAGES = {
    "project": ("GET", "read"),
    "members": ("GET", "read"),
    "invite": ("POST", "manage"),
    "revoke_invitation": ("POST", "manage"),
    "settings": ("GET", "read"),
    "project_providers": ("POST", "manage"),
    "project_gates": ("POST", "manage"),
    "retention": ("POST", "own"),
    "export_project": ("POST", "manage"),
    "download_export": ("GET", "manage"),
    "notifications": ("GET", "read"),
    "repository": ("POST", "own"),
    "webhook": ("POST", "manage"),
    "delete_project": ("GET", "own"),
    "keys": ("GET", "read"),
    "revoke_key": ("POST", "read"),
    "artifacts": ("GET", "read"),
    "artifact": ("GET", "read"),
    "download": ("GET", "read"),
    "delete_artifact": ("GET", "manage"),
    "new": ("GET", "write"),
    "unpacking": ("GET", "write"),
    "templates": ("GET", "read"),
    "save_template": ("GET", "write"),
    "rename_template": ("POST", "write"),
    "delete_template": ("POST", "write"),
    "rosters": ("GET", "read"),
    "new_roster": ("GET", "write"),
    "import_roster": ("GET", "write"),
    "roster": ("GET", "read"),
    "roster_yaml": ("GET", "read"),
    "delete_roster": ("POST", "write"),
    "detail": ("GET", "read"),
    "live": ("GET", "read"),
    "panes": ("GET", "read"),
    "finding": ("POST", "write"),
    "settle": ("GET", "write"),
    "fork": ("GET", "write"),
    "replay": ("GET", "read"),
    "again": ("POST", "write"),
    "markdown": ("GET", "read"),
    "json": ("GET", "read"),
    "sarif": ("GET", "read"),
    "certificate": ("GET", "read"),
    "report": ("GET", "read"),
    "share_report": ("POST", "write"),
    "revoke_report_link": ("POST", "write"),
    "analytics": ("GET", "read"),
    **dict.fromkeys(DOWNLOADS, ("GET", "read")),
    "project_analytics": ("GET", "read"),
    **dict.fromkeys(PROJECT_DOWNLOADS, ("GET", "read")),
    "standards": ("GET", "read"),
    "new_standard": ("GET", "write"),
    "standard": ("GET", "read"),
    "edit_standard": ("GET", "write"),
    "retire_standard": ("GET", "write"),
    "gate_policies": ("GET", "read"),
    "new_gate_policy": ("GET", "manage"),
    "gate_policy": ("GET", "read"),
    "edit_gate_policy": ("GET", "manage"),
    "gate": ("GET", "read"),
    "gate_live": ("GET", "read"),
    "judge_gate": ("POST", "write"),
    "decide_gate": ("POST", "approve"),
    "delete_session": ("GET", "manage"),
    "start": ("POST", "write"),
    "stop": ("POST", "write"),
    "retry": ("POST", "write"),
    "continue": ("POST", "write"),
}
NEEDS_MORE = [name for name, (_, need) in PAGES.items() if need != "read"]
FILES = {"download", "markdown", "json", "sarif", "roster_yaml", "download_export", "certificate"}
FILES |= {*DOWNLOADS, *PROJECT_DOWNLOADS}
RENDERED = [name for name, (method, _) in PAGES.items() if method == "GET" and name not in FILES]


@pytest.fixture
def urls(owner: User, project: Project, reviewed: Session) -> dict[str, str]:
    """The address of every page, in one project that has one of everything."""
    factories.api_key(owner, project)
    codes: dict[str, UUID | str] = {
        "projects": project.slug,
        "keys": ApiKey.objects.get().code,
        "artifacts": factories.artifact(owner, project).artifact.code,
        "sessions": reviewed.code,
        "rosters": save_roster(project, "House", factories.seats()).code,
        "templates": save_template(Actor(owner), reviewed, "House").code,
        "invitations": invite(Actor(owner), project, "member")[0].code,
    }
    kinds = {page.name: str(page.pattern).partition("/")[0] for page in pages}
    found = {name: [codes[kinds[name]]] for name in PAGES}
    found["finding"] += ["1", "comment"]
    found["decide_gate"].append("approve")
    found["revoke_report_link"].append(share_report(Actor(owner), reviewed)[0].code)
    certified, deliberated = factories.certified(owner, project), factories.deliberated(owner, project)
    factories.ask(deliberated, "A", "assess/round-2/a")
    found["certificate"] = [certified.code]
    found |= {name: [certified.code] for name in DOWNLOADS if name.startswith("answers")}
    found |= {name: [deliberated.code] for name in DOWNLOADS if name.startswith("rounds")}
    save_policy(Actor(owner), project, "house", "House", Rules())
    for name in ("standard", "edit_standard", "retire_standard"):
        found[name].append("payment-code")
    for name in ("gate_policy", "edit_gate_policy"):
        found[name].append("house")
    found["download_export"].append(project.exports.create(asked_by=owner, state="ready").code)
    return {name: reverse(f"sessions:{name}", args=args) for name, args in found.items()}


def ask(user: User | None, name: str, urls: dict[str, str]) -> int:
    client = Client()
    if user:
        client.force_login(user)
    method = PAGES[name][0]
    return client.generic(method, urls[name]).status_code


def test_the_table_names_every_page() -> None:
    assert {page.name for page in pages} == set(PAGES)


@pytest.mark.parametrize("name", RENDERED)
def test_an_owner_sees_every_page(name: str, owner: User, urls: dict[str, str]) -> None:
    assert ask(owner, name, urls) == 200


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_gets_what_is_not_there(name: str, stranger: User, urls: dict[str, str]) -> None:
    assert ask(stranger, name, urls) == 404


@pytest.mark.parametrize("name", NEEDS_MORE)
def test_a_reader_is_denied_what_changes_something(name: str, viewer: User, urls: dict[str, str]) -> None:
    assert ask(viewer, name, urls) == 403


@pytest.mark.parametrize("name", sorted(set(PAGES) - set(NEEDS_MORE) - {"revoke_key"}))
def test_a_reader_reads(name: str, viewer: User, urls: dict[str, str]) -> None:
    assert ask(viewer, name, urls) == 200


@pytest.mark.parametrize("name", [name for name, (_, need) in PAGES.items() if need in {"manage", "own"}])
def test_a_member_deletes_nothing(name: str, member: User, urls: dict[str, str]) -> None:
    assert ask(member, name, urls) == 403


@pytest.mark.parametrize("name", PAGES)
def test_whoever_is_signed_out_is_sent_to_sign_in(name: str, urls: dict[str, str]) -> None:
    assert ask(None, name, urls) == 302


@pytest.mark.parametrize("name", PAGES)
def test_a_wrong_method_is_refused(name: str, owner: User, urls: dict[str, str]) -> None:
    client = Client()
    client.force_login(owner)
    assert client.put(urls[name]).status_code == 405


@pytest.mark.parametrize("name", [name for name, (method, _) in PAGES.items() if method == "POST"])
def test_reading_changes_nothing(name: str, owner: User, urls: dict[str, str]) -> None:
    client = Client()
    client.force_login(owner)
    assert client.get(urls[name]).status_code == 405


@pytest.mark.parametrize("name", RENDERED)
def test_no_page_holds_anything_inline(name: str, owner: User, urls: dict[str, str]) -> None:
    client = Client()
    client.force_login(owner)
    assert dangers(client.get(urls[name]).content.decode()) == []


@pytest.mark.parametrize("name", RENDERED)
def test_no_page_is_kept_by_caches(name: str, owner: User, urls: dict[str, str]) -> None:
    client = Client()
    client.force_login(owner)
    assert "no-store" in client.get(urls[name]).headers["Cache-Control"]


def test_a_form_without_its_token_changes_nothing(owner: User, urls: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.post(urls["stop"]).status_code == 403
