"""Who may do what: every kind of object, every role, every kind of key."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crucible_site.models import User
from sessions.access import (
    Actor,
    actor_of_key,
    find_artifact,
    find_project,
    find_roster,
    find_session,
    projects,
    readable_log,
)
from sessions.actions.errors import Refused
from sessions.actions.projects import create_api_key, remove_member, revoke_api_key, set_member
from sessions.actions.purge import delete_artifact, delete_project, delete_session
from sessions.actions.rosters import save_roster
from sessions.models import ApiKey, Membership, Project, Role, Session
from tests import factories

pytestmark = pytest.mark.django_db

NEEDS = ("read", "write", "manage", "own")
MAY = {
    Role.VIEWER: {"read"},
    Role.MEMBER: {"read", "write"},
    Role.APPROVER: {"read", "write"},
    Role.MODERATOR: {"read", "write", "manage"},
    Role.OWNER: {"read", "write", "manage", "own"},
}
FINDERS: dict[str, Callable[[Actor, Session, str], Any]] = {
    "project": lambda actor, session, need: find_project(actor, session.project.slug, need),
    "session": lambda actor, session, need: find_session(actor, session.code, need),
    "artifact": lambda actor, session, need: find_artifact(actor, artifact_of(session).code, need),
    "roster": lambda actor, session, need: find_roster(actor, session.project.rosters.get().code, need),
}


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    session = factories.draft(owner, project)
    save_roster(project, "Ours", factories.seats())
    return session


def artifact_of(session: Session) -> Any:
    return session.sources.get().version.artifact


def outcome(find: Callable[[], Any]) -> str:
    try:
        find()
    except Http404:
        return "404"
    except PermissionDenied:
        return "403"
    return "ok"


def reach(actor: Actor, session: Session) -> set[str]:
    """What happens over all kinds of objects and needs, in short: `read ok`, `write 403`."""
    found = {
        need: {outcome(lambda find=find, need=need: find(actor, session, need)) for find in FINDERS.values()}  # type: ignore[misc]
        for need in NEEDS
    }
    assert all(len(results) == 1 for results in found.values()), found
    return {f"{need} {result}" for need, results in found.items() for result in results}


def everywhere(result: str) -> set[str]:
    return {f"{need} {result}" for need in NEEDS}


def granted(may: set[str]) -> set[str]:
    return {f"{need} {'ok' if need in may else '403'}" for need in NEEDS}


# --- people


@pytest.mark.parametrize("role", Role.values)
def test_a_role_reaches_what_it_grants_and_no_more(session: Session, role: str) -> None:
    person = factories.user("person")
    factories.join(person, session.project, role)
    assert reach(Actor(person), session) == granted(MAY[Role(role)])


def test_a_stranger_gets_what_a_missing_object_gets(session: Session, stranger: User) -> None:
    assert reach(Actor(stranger), session) == everywhere("404")
    assert outcome(lambda: find_session(Actor(stranger), uuid4())) == "404"


def test_a_superuser_is_a_stranger_too(session: Session) -> None:
    root = User.objects.create_superuser("root@example.org", "a long enough password")
    assert reach(Actor(root), session) == everywhere("404")


def test_who_is_switched_off_reaches_nothing(session: Session, owner: User) -> None:
    owner.is_active = False
    owner.save()
    assert reach(Actor(owner), session) == everywhere("404")
    assert not readable_log(owner, session.code).exists()


def test_who_was_removed_reaches_nothing(session: Session, owner: User, member: User) -> None:
    remove_member(Actor(owner), session.project, member)
    assert reach(Actor(member), session) == everywhere("404")
    assert not readable_log(member, session.code).exists()


def test_a_role_that_nobody_knows_grants_nothing(session: Session, member: User) -> None:
    Membership.objects.filter(user=member).update(role="emperor")
    assert reach(Actor(member), session) == everywhere("404")


@pytest.mark.parametrize("finder", [find_session, find_artifact, find_roster])
@pytest.mark.parametrize("code", ["", "1", "no code", "'; --", "\0", "\ud800", "f" * 33, "ＦＦ"])
def test_a_code_that_is_none_is_not_found(owner: User, finder: Callable[..., Any], code: str) -> None:
    assert outcome(lambda: finder(Actor(owner), code)) == "404"


@pytest.mark.parametrize("slug", ["", "no/slug", "\0", "\ud800", "x" * 10_000, "PAPER-MILL"])
def test_a_slug_that_is_none_is_not_found(owner: User, project: Project, slug: str) -> None:
    assert outcome(lambda: find_project(Actor(owner), slug)) == "404"


# --- what was deleted


def test_a_deleted_session_is_gone_for_its_owner(session: Session, owner: User) -> None:
    delete_session(Actor(owner), session)
    assert outcome(lambda: find_session(Actor(owner), session.code)) == "404"
    assert not readable_log(owner, session.code).exists()


def test_a_deleted_artifact_is_gone_for_its_owner(session: Session, owner: User) -> None:
    artifact = artifact_of(session)
    delete_artifact(Actor(owner), artifact)
    assert outcome(lambda: find_artifact(Actor(owner), artifact.code)) == "404"


def test_a_deleted_project_takes_everything_with_it(session: Session, owner: User, member: User) -> None:
    key = factories.api_key(owner, session.project)
    roster, artifact = session.project.rosters.get(), artifact_of(session)
    delete_project(Actor(owner), session.project)
    for person in (owner, member):
        actor = Actor(person)
        assert not projects(actor).exists()
        assert outcome(lambda actor=actor: find_session(actor, session.code)) == "404"  # type: ignore[misc]
        assert outcome(lambda actor=actor: find_artifact(actor, artifact.code)) == "404"  # type: ignore[misc]
        assert outcome(lambda actor=actor: find_roster(actor, roster.code)) == "404"  # type: ignore[misc]
    assert actor_of_key(key) is None


# --- keys


def with_key(user: User, project: Project, *scopes: str) -> Actor:
    actor = actor_of_key(factories.api_key(user, project, *scopes))
    assert actor is not None
    return actor


@pytest.mark.parametrize("scopes", [("read",), ("write",), ("read", "write"), ("read", "manage")])
def test_a_key_reaches_its_scopes_only(session: Session, owner: User, scopes: tuple[str, ...]) -> None:
    assert reach(with_key(owner, session.project, *scopes), session) == granted(set(scopes))


def test_no_key_ever_owns(session: Session, owner: User) -> None:
    assert "own 403" in reach(with_key(owner, session.project), session)


def test_a_key_shrinks_with_the_role_of_its_person(session: Session, owner: User, member: User) -> None:
    key = factories.api_key(member, session.project, "read", "write")
    set_member(Actor(owner), session.project, member, Role.VIEWER)
    actor = actor_of_key(key)
    assert actor is not None
    assert reach(actor, session) == granted({"read"})


def test_a_key_of_another_project_of_the_same_person_is_a_stranger(session: Session, owner: User) -> None:
    elsewhere = factories.project(owner, "Elsewhere")
    actor = with_key(owner, elsewhere)
    assert reach(actor, session) == everywhere("404")
    assert list(projects(actor)) == [elsewhere]


@pytest.mark.parametrize(
    "end",
    [
        lambda key, owner: revoke_api_key(Actor(owner), key),
        lambda key, owner: ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        lambda key, owner: User.objects.filter(pk=key.user_id).update(is_active=False),
        lambda key, owner: Membership.objects.filter(user=key.user).delete(),
        lambda key, owner: Project.objects.update(deleted_at=timezone.now()),
    ],
    ids=["revoked", "expired", "switched off", "removed", "project deleted"],
)
def test_a_key_that_has_ended_opens_nothing(project: Project, owner: User, member: User, end: Any) -> None:
    text = factories.api_key(member, project)
    end(ApiKey.objects.get(), owner)
    assert actor_of_key(text) is None


@pytest.mark.parametrize("text", ["", "cru_", "cru_wrong", "\0", "\ud800", "x" * 100_000])
def test_a_text_that_is_no_key_opens_nothing(project: Project, text: str) -> None:
    assert actor_of_key(text) is None


def test_a_key_is_kept_as_a_digest(project: Project, owner: User) -> None:
    text = factories.api_key(owner, project)
    row = ApiKey.objects.values().get()
    assert text not in str(row)
    assert row["prefix"] == text[:12]


def test_a_key_can_neither_make_keys_nor_more_than_its_maker_may(project: Project, owner: User, viewer: User) -> None:
    with pytest.raises(Refused, match="needs_person"):
        create_api_key(with_key(owner, project), project, "more", ["read"])
    with pytest.raises(Refused, match="scope_too_wide"):
        create_api_key(Actor(viewer), project, "wide", ["read", "write"])
    for scopes in ([], ["own"], ["read", "everything"]):
        with pytest.raises(Refused, match="bad_scope"):
            create_api_key(Actor(owner), project, "odd", scopes)


def test_only_its_owner_and_moderators_revoke_a_key(project: Project, owner: User, member: User, viewer: User) -> None:
    factories.api_key(viewer, project)
    key = ApiKey.objects.get()
    with pytest.raises(Refused, match="denied"):
        revoke_api_key(Actor(member), key)
    revoke_api_key(Actor(viewer), key)
    assert ApiKey.objects.get().revoked_at is not None


def test_using_a_key_is_noted_but_not_every_time(project: Project, owner: User) -> None:
    text = factories.api_key(owner, project)
    with CaptureQueriesContext(connection) as first:
        actor_of_key(text)
    with CaptureQueriesContext(connection) as second:
        actor_of_key(text)
    assert len(second) == len(first) - 1
    assert ApiKey.objects.get().last_used_at is not None


# --- owners


def test_a_moderator_neither_makes_nor_unmakes_owners(project: Project, owner: User, member: User) -> None:
    moderator = factories.user("moderator")
    factories.join(moderator, project, Role.MODERATOR)
    for attempt in (
        lambda: set_member(Actor(moderator), project, member, Role.OWNER),
        lambda: set_member(Actor(moderator), project, moderator, Role.OWNER),
        lambda: set_member(Actor(moderator), project, owner, Role.VIEWER),
        lambda: remove_member(Actor(moderator), project, owner),
    ):
        with pytest.raises(Refused, match="denied"):
            attempt()
    assert Membership.objects.get(user=owner).role == Role.OWNER


def test_a_project_keeps_one_owner(project: Project, owner: User) -> None:
    with pytest.raises(Refused, match="last_owner"):
        set_member(Actor(owner), project, owner, Role.MEMBER)
    with pytest.raises(Refused, match="last_owner"):
        remove_member(Actor(owner), project, owner)


def test_a_key_cannot_make_owners(project: Project, owner: User, member: User) -> None:
    with pytest.raises(Refused, match="denied"):
        set_member(with_key(owner, project), project, member, Role.OWNER)
