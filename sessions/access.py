"""Who may do what: decided here, once, before anything else happens.

Every object reaches its project along one path. A stranger gets the same 404 as for something that does not exist; a
member whose role is too small gets 403. Pages, fragments, API, sockets and commands all come through `find_*`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import slug_re
from django.db.models import BigAutoField, CharField, F, QuerySet, UUIDField
from django.http import Http404
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from sessions.compiled import Compiled, CompiledRows, Given
from sessions.models import ApiKey, Artifact, Event, Membership, Project, Role, Roster, SavedTemplate, Session
from sessions.people import User

Owned = TypeVar("Owned", Session, Artifact, Roster, SavedTemplate)
Reached = TypeVar("Reached", Project, Session, Artifact, Roster, SavedTemplate)

READ, WRITE, APPROVE, MANAGE, OWN = "read", "write", "approve", "manage", "own"
SCOPES = (READ, WRITE, APPROVE, MANAGE)
GRANTS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({READ}),
    Role.MEMBER: frozenset({READ, WRITE}),
    Role.APPROVER: frozenset({READ, WRITE, APPROVE}),
    Role.MODERATOR: frozenset({READ, WRITE, APPROVE, MANAGE}),
    Role.OWNER: frozenset({READ, WRITE, APPROVE, MANAGE, OWN}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts: a person, or a person's key, which reaches one project and only its scopes."""

    user: User
    key: ApiKey | None = None

    @property
    def user_id(self) -> int:
        return self.key.user_id if self.key else self.user.pk

    def grants(self, role: str) -> frozenset[str]:
        granted = GRANTS.get(role, frozenset())
        return granted & frozenset(self.key.scopes) if self.key else granted


_ROLE = CompiledRows(
    str,
    lambda: Membership.objects.filter(
        user=Given("user", BigAutoField()),
        user__is_active=True,
        project=Given("project", BigAutoField()),
        project__deleted_at=None,
    ).values_list("role"),
)


def memberships_of(user: "int | Given") -> QuerySet[Membership]:
    """What somebody belongs to, live projects only. Nobody who is switched off belongs anywhere."""
    return Membership.objects.filter(user=user, user__is_active=True, project__deleted_at=None)


def memberships(actor: Actor) -> QuerySet[Membership]:
    """What the actor belongs to; of a key, its one project."""
    found = memberships_of(actor.user_id)
    return found.filter(project=actor.key.project_id) if actor.key else found


def projects(actor: Actor) -> QuerySet[Project]:
    return Project.objects.filter(pk__in=memberships(actor).values("project")).order_by("name")


def grants_in(actor: Actor, project: Project) -> frozenset[str]:
    """What the actor may do there; empty for a stranger."""
    roles = _ROLE(user=actor.user_id, project=project.pk)
    alien = actor.key and actor.key.project_id != project.pk
    return actor.grants(roles[0]) if roles and not alien else frozenset()


def require(actor: Actor, project: Project, need: str) -> None:
    """Raises Http404 for a stranger, PermissionDenied for a role that is too small."""
    _check(grants_in(actor, project), need)


def _check(granted: frozenset[str], need: str) -> None:
    if not granted:
        raise Http404
    if need not in granted:
        raise PermissionDenied(need)


def may_connect(actor: Actor) -> bool:
    """Models belong to the installation and spend its money: staff connect them, and off a team server whoever
    owns a project. A key needs the scope `manage`."""
    if not actor.user.is_active or (actor.key and MANAGE not in actor.key.scopes):
        return False
    return actor.user.is_staff or (not settings.CRUCIBLE_TEAM and memberships(actor).filter(role=Role.OWNER).exists())


def require_connect(actor: Actor) -> None:
    """Raises PermissionDenied."""
    if not may_connect(actor):
        raise PermissionDenied("connect")


def find_project(actor: Actor, slug: str, need: str = READ) -> Project:
    if not slug_re.match(slug):  # no database takes every text
        raise Http404
    return _checked(actor, _PROJECT(slug=slug, user=actor.user_id), need)


def _reached(model: type[Owned], *beside: str, **alive: Any) -> Compiled[Owned]:
    """The object with that code, its project and what is `beside` it, for somebody who belongs there, and which role
    they have."""
    return Compiled(
        lambda: (
            model._default_manager.filter(
                code=Given("code", UUIDField()),
                project__deleted_at=None,
                project__memberships__user=Given("user", BigAutoField()),
                project__memberships__user__is_active=True,
                **alive,
            )
            .select_related("project", *beside)
            .annotate(role_there=F("project__memberships__role"))
        )
    )


_PROJECT = Compiled(
    lambda: Project.objects.filter(
        slug=Given("slug", CharField()),
        deleted_at=None,
        memberships__user=Given("user", BigAutoField()),
        memberships__user__is_active=True,
    ).annotate(role_there=F("memberships__role"))
)
_OPENED = _reached(Session, "created_by", "brief", "summary", "previous", "reuses", deleted_at=None)
_SESSION, _ARTIFACT = _reached(Session, deleted_at=None), _reached(Artifact, deleted_at=None)
_ROSTER, _TEMPLATE = _reached(Roster), _reached(SavedTemplate)


def find_session(actor: Actor, code: UUID | str, need: str = READ) -> Session:
    return _checked(actor, _coded(actor, _SESSION, code), need)


def open_session(actor: Actor, code: UUID) -> tuple[Session, frozenset[str]]:
    """The session with what stands beside it, and what the actor may do there; one query. Raises Http404."""
    found = _checked(actor, _coded(actor, _OPENED, code), READ)
    return found, _granted(actor, found)


def find_artifact(actor: Actor, code: UUID | str, need: str = READ) -> Artifact:
    return _checked(actor, _coded(actor, _ARTIFACT, code), need)


def find_roster(actor: Actor, code: UUID | str, need: str = READ) -> Roster:
    return _checked(actor, _coded(actor, _ROSTER, code), need)


def find_template(actor: Actor, code: UUID | str, need: str = READ) -> SavedTemplate:
    return _checked(actor, _coded(actor, _TEMPLATE, code), need)


def readable_sessions(user: "User | Given") -> QuerySet[Session]:
    """The reviews of all projects somebody belongs to: rights and rows in one query. Every role may read."""
    return Session.objects.filter(
        deleted_at=None,
        project__deleted_at=None,
        project__memberships__user=user,
        project__memberships__user__is_active=True,
    )


def readable_log(user: "User | Given", code: UUID | Given) -> QuerySet[Event]:
    """The events of a session, none for somebody who may not read it: rights and rows in one query, for sockets.
    Every role may read."""
    return Event.objects.filter(
        session__code=code,
        session__deleted_at=None,
        session__project__deleted_at=None,
        session__project__memberships__user=user,
        session__project__memberships__user__is_active=True,
    ).order_by("seq")


_KEY = Compiled(
    lambda: ApiKey.objects.filter(
        digest=Given("digest", CharField()),
        user__is_active=True,
        project__deleted_at=None,
        project__memberships__user=F("user"),
    )
)


def actor_of_key(presented: str) -> Actor | None:
    """The person behind an API key, or None: unknown, revoked, expired, or its owner left the project."""
    from sessions.keys import digest_of_key

    now = timezone.now()
    key = next(iter(_KEY(digest=digest_of_key(presented))), None)
    if key is None or key.revoked_at or (key.expires_at and key.expires_at <= now):
        return None
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() > 60:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return Actor(cast(User, SimpleLazyObject(lambda: key.user)), key)


def _coded(actor: Actor, query: Compiled[Owned], code: UUID | str) -> list[Owned]:
    try:
        return query(code=code, user=actor.user_id)
    except ValidationError:  # a text that is no UUID
        return []


def _checked(actor: Actor, found: Sequence[Reached], need: str) -> Reached:
    """The one that was found, with its `role_there`."""
    if not found:
        raise Http404
    _check(_granted(actor, found[0]), need)
    return found[0]


def _granted(actor: Actor, found: Reached) -> frozenset[str]:
    """What the actor may do with it; nothing for a key of another project."""
    project_id = found.pk if isinstance(found, Project) else found.project_id
    return frozenset() if actor.key and actor.key.project_id != project_id else actor.grants(vars(found)["role_there"])
