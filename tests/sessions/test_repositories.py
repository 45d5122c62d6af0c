"""The repository of a project and its token."""

from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.purge import delete_project
from sessions.actions.repositories import code_host, remove_repository, reseal_tokens, set_repository
from sessions.models import Project, Repository
from tests import factories

TOKEN = "ghx-token-of-a-test-0123456789"


@pytest.fixture
def repository(owner: User, project: Project) -> Repository:
    return set_repository(Actor(owner), project, " acme/shop/ ", "", TOKEN)


def refused(owner: User, project: Project, *fields: str) -> str:
    with pytest.raises(Refused) as caught:
        set_repository(Actor(owner), project, *fields)
    return caught.value.code


def test_a_repository_is_on_the_public_host_unless_said(repository: Repository) -> None:
    assert (repository.name, repository.api_url) == ("acme/shop", "https://api.github.com")


def test_the_token_is_kept_sealed_and_opens_for_its_use(repository: Repository) -> None:
    assert TOKEN.encode() not in bytes(repository.sealed_token or b"")
    assert code_host(repository).token.value == TOKEN
    assert TOKEN not in repr(code_host(repository))


def test_an_empty_token_keeps_the_present_one(owner: User, project: Project, repository: Repository) -> None:
    assert code_host(set_repository(Actor(owner), project, "acme/other")).token.value == TOKEN


def test_another_host_takes_the_token_away(owner: User, project: Project, repository: Repository) -> None:
    moved = set_repository(Actor(owner), project, "acme/shop", "https://code.example.com/api/v3")
    assert (moved.sealed_token, moved.token_hint) == (None, "")


def test_a_token_copied_to_another_project_does_not_open(owner: User, repository: Repository) -> None:
    other = factories.project(owner, "Other")
    copy = set_repository(Actor(owner), other, "acme/shop")
    copy.sealed_token = repository.sealed_token
    with pytest.raises(Refused) as caught:
        code_host(copy)
    assert caught.value.code == "token_lost"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (("acme",), "bad_repository"),
        (("acme/shop/../other",), "bad_repository"),
        (("acme/shop?x=1",), "bad_repository"),
        (("acme/shop", "ftp://code.example.com"), "address_blocked"),
        (("acme/shop", "https://user:pw@code.example.com"), "address_blocked"),
        (("acme/shop", "", "two words"), "bad_token"),
        (("acme/shop", "", "line\nbreak"), "bad_token"),
    ],
)
def test_what_cannot_be_used_is_refused(fields: tuple[str, ...], code: str, owner: User, project: Project) -> None:
    assert refused(owner, project, *fields) == code


def test_on_a_shared_server_a_private_host_has_to_be_listed(owner: User, project: Project, settings: Any) -> None:
    settings.CRUCIBLE_LOCAL_PROVIDERS = []
    assert refused(owner, project, "acme/shop", "http://127.0.0.1:3000") == "address_blocked"


def test_tokens_follow_a_rotation_of_the_keyring(repository: Repository, settings: Any) -> None:
    settings.CRUCIBLE_KEYRING = f"a-new-secret-of-some-length,{settings.CRUCIBLE_KEYRING}"
    assert reseal_tokens() == (1, 0, [])
    assert reseal_tokens() == (0, 1, [])


def test_removing_forgets_the_token(project: Project, repository: Repository) -> None:
    remove_repository(project)
    assert not Repository.objects.exists()


def test_a_deleted_project_keeps_no_token(owner: User, project: Project, repository: Repository) -> None:
    delete_project(Actor(owner), project)
    assert not Repository.objects.exists()


# --- the page ------------------------------------------------------------------------------------------------------


def test_an_owner_sets_and_removes_it(owner: User, project: Project, client: Client) -> None:
    client.force_login(owner)
    address = f"/projects/{project.slug}/repository/"
    assert client.post(address, {"name": "acme/shop", "token": TOKEN}).status_code == 302
    assert Repository.objects.get().name == "acme/shop"
    client.post(address, {"go": "remove"})
    assert not Repository.objects.exists()


def test_what_is_refused_is_explained(owner: User, project: Project, client: Client) -> None:
    client.force_login(owner)
    reply = client.post(f"/projects/{project.slug}/repository/", {"name": "acme"})
    assert (reply.status_code, "owner/name" in reply.content.decode()) == (422, True)


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("stranger", 404)])
def test_only_owners_set_it(who: str, status: int, project: Project, client: Client,
                            request: pytest.FixtureRequest) -> None:  # fmt: skip
    client.force_login(request.getfixturevalue(who))
    assert client.post(f"/projects/{project.slug}/repository/", {"name": "a/b"}).status_code == status


def test_looking_changes_nothing(owner: User, project: Project, client: Client) -> None:
    client.force_login(owner)
    assert client.get(f"/projects/{project.slug}/repository/").status_code == 405
