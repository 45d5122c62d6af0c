"""A link lets in the person it is for, once, and says plainly why it lets nobody else in."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.db.models import F
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.invitations import MAX_PER_HOUR, accept_invitation, find_invitation, invite, state_of
from sessions.actions.purge import delete_project
from sessions.keys import digest_of_key
from sessions.models import Invitation, Membership, Project, Role
from tests import factories

pytestmark = pytest.mark.django_db
NEW = {"email": "new@example.org", "password1": "a long enough password", "password2": "a long enough password"}


@pytest.fixture(autouse=True)
def _no_limits_used_up() -> None:
    cache.clear()


def link(owner: User, project: Project, role: str = Role.MEMBER, **fields: Any) -> str:
    """The path of a new invitation's page."""
    return reverse("join", args=[invite(Actor(owner), project, role, **fields)[1]])


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def said(client: Client, path: str) -> tuple[int, str]:
    answer = client.get(path)
    return answer.status_code, re.sub(r"\s+", " ", answer.content.decode())


def sign_up(client: Client, path: str, **fields: str) -> Any:
    return client.post(reverse("account_signup"), {**NEW, "next": path, **fields})


def role_of(user: User, project: Project) -> str | None:
    return Membership.objects.filter(user=user, project=project).values_list("role", flat=True).first()


# --- making one


def test_only_the_hash_of_the_token_is_kept(owner: User, project: Project) -> None:
    row, token = invite(Actor(owner), project, Role.MEMBER)
    stored = " ".join(str(value) for value in Invitation.objects.filter(pk=row.pk).values_list()[0])
    assert digest_of_key(token) in stored
    assert token not in stored


def test_a_moderator_invites_no_owner(owner: User, project: Project) -> None:
    moderator = factories.user("moderator")
    factories.join(moderator, project, Role.MODERATOR)
    with pytest.raises(Refused, match="denied"):
        invite(Actor(moderator), project, Role.OWNER)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"role": "king"}, "bad_role"),
        ({"role": "member", "days": 365}, "bad_lifetime"),
        ({"role": "member", "email": "nobody"}, "bad_email"),
        ({"role": "member", "email": "owner@example.org"}, "already_member"),
    ],
)
def test_what_cannot_be_invited_is_refused(fields: dict[str, Any], code: str, owner: User, project: Project) -> None:
    with pytest.raises(Refused, match=code):
        invite(Actor(owner), project, **fields)


def test_nobody_makes_any_number_of_invitations(owner: User, project: Project) -> None:
    for _ in range(MAX_PER_HOUR):
        invite(Actor(owner), project, Role.MEMBER)
    with pytest.raises(Refused, match="too_many_invitations"):
        invite(Actor(owner), project, Role.MEMBER)


def test_the_link_is_shown_once_with_a_button_that_copies_it(owner: User, project: Project) -> None:
    client = signed_in(owner)
    shown = client.post(f"/projects/{project.slug}/invite/", {"role": "viewer", "days": "1"}).content.decode()
    found = re.search(r'id="new-link">http://testserver(/join/\S+/)<', shown)
    assert found is not None
    assert 'data-copy="new-link"' in shown
    listed = client.get(f"/projects/{project.slug}/members/").content.decode()
    assert found[1] not in listed
    assert "open until" in listed


# --- using it


def test_somebody_signed_in_is_asked_and_joins(owner: User, project: Project, stranger: User) -> None:
    client, path = signed_in(stranger), link(owner, project, Role.VIEWER)
    assert "You are signed in as <strong>stranger@example.org</strong>" in said(client, path)[1]
    assert role_of(stranger, project) is None
    assert client.post(path).headers["Location"] == reverse("sessions:project", args=[project.slug])
    assert role_of(stranger, project) == Role.VIEWER


def test_somebody_without_an_account_makes_one_and_is_in(owner: User, project: Project, client: Client) -> None:
    path = link(owner, project)
    page = client.get(path).content.decode()
    way = re.search(r'href="(/accounts/signup/\?[^"]+)"', page)
    assert way is not None
    assert "you join the project you were invited to" in client.get(way[1].replace("&amp;", "&")).content.decode()
    assert client.get(sign_up(client, path).headers["Location"]).headers["Location"].endswith(f"/{project.slug}/")
    assert role_of(User.objects.get(email=NEW["email"]), project) == Role.MEMBER


def test_somebody_signed_out_is_led_back_after_signing_in(owner: User, project: Project, stranger: User) -> None:
    client, path = Client(), link(owner, project)
    typed = {"login": stranger.email, "password": "a long enough password", "next": path}
    assert client.post(reverse("account_login"), typed).headers["Location"] == path


def test_an_invitation_opens_sign_up_for_one_account_only(owner: User, project: Project) -> None:
    path = link(owner, project)
    sign_up(Client(), path)
    assert 'name="password1"' not in sign_up(Client(), path, email="second@example.org").content.decode()
    assert not User.objects.filter(email="second@example.org").exists()


def test_sign_up_stays_closed_beside_an_invitation(client: Client, project: Project) -> None:
    for path in ("", "/join/nothing/", "https://crucible.example/join/x/"):
        sign_up(client, path)
    assert not User.objects.filter(email=NEW["email"]).exists()


def test_an_invitation_is_accepted_by_no_get(owner: User, project: Project, stranger: User) -> None:
    path = link(owner, project)
    for client in (Client(), signed_in(stranger)):
        client.get(path)
        client.head(path)
    assert Invitation.objects.get().used_at is None
    assert role_of(stranger, project) is None


def test_a_signed_out_post_changes_nothing(owner: User, project: Project) -> None:
    Client().post(link(owner, project))
    assert Invitation.objects.get().used_at is None


# --- when it cannot be used


def test_a_used_one_says_so(owner: User, project: Project, stranger: User, client: Client) -> None:
    path = link(owner, project)
    signed_in(stranger).post(path)
    assert said(client, path)[0] == 410
    assert "This invitation has been used" in said(signed_in(factories.user("late")), path)[1]


def test_whoever_used_it_is_led_to_the_project(owner: User, project: Project, stranger: User) -> None:
    client, path = signed_in(stranger), link(owner, project)
    client.post(path)
    assert client.get(path).headers["Location"] == reverse("sessions:project", args=[project.slug])


def test_a_revoked_one_says_so(owner: User, project: Project, stranger: User) -> None:
    path = link(owner, project)
    signed_in(owner).post(reverse("sessions:revoke_invitation", args=[Invitation.objects.get().code]))
    status, words = said(signed_in(stranger), path)
    assert (status, "was taken back" in words) == (410, True)
    assert signed_in(stranger).post(path).status_code == 410


def test_an_expired_one_says_so(owner: User, project: Project, stranger: User) -> None:
    path = link(owner, project)
    Invitation.objects.update(expires_at=F("expires_at") - timedelta(days=8))
    status, words = said(signed_in(stranger), path)
    assert (status, "has expired" in words) == (410, True)


def test_one_for_another_person_says_for_whom(owner: User, project: Project, stranger: User) -> None:
    client, path = signed_in(stranger), link(owner, project, email="Mira@Example.org")
    status, words = said(client, path)
    assert (status, "is for mira@example.org, and you are signed in as stranger@example.org" in words) == (403, True)
    assert client.post(path).status_code == 403
    assert role_of(stranger, project) is None
    assert Invitation.objects.get().used_at is None


def test_one_for_another_person_makes_no_account_with_another_address(owner: User, project: Project) -> None:
    path = link(owner, project, email="mira@example.org")
    assert "This invitation is for mira@example.org." in sign_up(Client(), path).content.decode()
    assert not User.objects.filter(email=NEW["email"]).exists()


def test_one_for_a_person_lets_that_person_in(owner: User, project: Project) -> None:
    sign_up(Client(), link(owner, project, email="new@example.org"))
    assert role_of(User.objects.get(email="new@example.org"), project) == Role.MEMBER


def test_a_member_who_opens_one_keeps_the_role_and_does_not_use_it_up(
    owner: User, project: Project, viewer: User
) -> None:
    path = link(owner, project)
    assert signed_in(viewer).post(path).status_code == 302
    assert role_of(viewer, project) == Role.VIEWER
    assert Invitation.objects.get().used_at is None


def test_it_ends_when_whoever_made_it_may_not_invite_any_more(owner: User, project: Project, stranger: User) -> None:
    moderator = factories.user("moderator")
    membership = factories.join(moderator, project, Role.MODERATOR)
    path = link(moderator, project)
    membership.delete()
    assert said(signed_in(stranger), path)[0] == 410


def test_it_ends_with_its_project(owner: User, project: Project, stranger: User) -> None:
    path = link(owner, project)
    delete_project(Actor(owner), project)
    assert said(signed_in(stranger), path)[0] == 404


def test_a_token_nobody_made_says_so(client: Client) -> None:
    status, words = said(client, "/join/nothing/")
    assert (status, "No such invitation" in words) == (404, True)


def test_guessing_is_slowed_down(client: Client) -> None:
    answers = {client.post(f"/join/{number}/").status_code for number in range(40)}
    assert answers == {404, 429}


@pytest.mark.parametrize("who", ["viewer", "member"])
def test_a_member_neither_invites_nor_revokes(who: str, owner: User, project: Project, request: Any) -> None:
    client = signed_in(request.getfixturevalue(who))
    assert client.post(f"/projects/{project.slug}/invite/", {"role": "viewer", "days": "7"}).status_code == 403
    link(owner, project)
    assert client.post(f"/invitations/{Invitation.objects.get().code}/revoke/").status_code == 403
    assert "<h2>Invitations</h2>" not in client.get(f"/projects/{project.slug}/members/").content.decode()


def test_the_state_of_an_invitation_is_its_first_end(owner: User, project: Project, stranger: User) -> None:
    row, token = invite(Actor(owner), project, Role.MEMBER)
    assert state_of(row, row.created_at) == "open"
    assert state_of(row, row.expires_at) == "expired"
    accept_invitation(row, stranger)
    row.refresh_from_db()
    assert state_of(row, row.expires_at) == "used"
    assert find_invitation(token) == row


# --- at the same moment


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", range(5))
def test_of_many_who_accept_at_once_one_gets_in(_: int, owner: User, project: Project) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite a transaction has the file to itself")
    row, _token = invite(Actor(owner), project, Role.MEMBER)
    people = [factories.user(f"racer{number}") for number in range(8)]
    line = threading.Barrier(len(people))

    def race(person: User) -> str:
        try:
            mine = Invitation.objects.get(pk=row.pk)
            line.wait()
            accept_invitation(mine, person)
            return "in"
        except Refused as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(people)) as threads:
        ends = sorted(threads.map(race, people))
    assert ends == ["in", *["invitation_used"] * 7]
    assert Membership.objects.filter(project=project).exclude(user=owner).count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_person_with_two_invitations_at_once_is_one_member(owner: User, project: Project, stranger: User) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite a transaction has the file to itself")
    rows = [invite(Actor(owner), project, role)[0] for role in (Role.MEMBER, Role.VIEWER)]
    line = threading.Barrier(2)

    def race(row: Invitation) -> str:
        try:
            line.wait()
            return str(accept_invitation(row, stranger).role)
        except Refused as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        ends = set(threads.map(race, rows))
    assert "already_member" in ends
    assert Invitation.objects.filter(used_at=None).count() == 1
