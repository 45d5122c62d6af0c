"""Who may do what: decided here, once, before anything else happens.

Every object reaches its project along one path. A stranger gets the same 404 as for something that does not exist; a
member whose role is too small gets 403. Pages, fragments, API, sockets and commands all come through `find_*`.
"""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import slug_re
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone

from sessions.models import ApiKey, Artifact, Event, Membership, Project, Role, Roster, Session
from sessions.people import User

Owned = TypeVar("Owned", Session, Artifact, Roster)

READ, WRITE, MANAGE, OWN = "read", "write", "manage", "own"
SCOPES = (READ, WRITE, MANAGE)
GRANTS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({READ}),
    Role.MEMBER: frozenset({READ, WRITE}),
    Role.APPROVER: frozenset({READ, WRITE}),
    Role.MODERATOR: frozenset({READ, WRITE, MANAGE}),
    Role.OWNER: frozenset({READ, WRITE, MANAGE, OWN}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts: a person, or a person's key, which reaches one project and only its scopes."""

    user: User
    key: ApiKey | None = None

    @property
    def user_id(self) -> int:
        return self.user.pk

    def grants(self, role: str) -> frozenset[str]:
        granted = GRANTS.get(role, frozenset())
        return granted & frozenset(self.key.scopes) if self.key else granted


def memberships(actor: Actor) -> QuerySet[Membership]:
    """What the actor belongs to, live projects only. Nobody who is switched off belongs anywhere."""
    found = Membership.objects.filter(user=actor.user, user__is_active=True, project__deleted_at=None)
    return found.filter(project=actor.key.project) if actor.key else found


def projects(actor: Actor) -> QuerySet[Project]:
    return Project.objects.filter(pk__in=memberships(actor).values("project")).order_by("name")


def grants_in(actor: Actor, project: Project) -> frozenset[str]:
    """What the actor may do there; empty for a stranger."""
    role = memberships(actor).filter(project=project).values_list("role", flat=True).first()
    return actor.grants(role) if role else frozenset()


def require(actor: Actor, project: Project, need: str) -> None:
    """Raises Http404 for a stranger, PermissionDenied for a role that is too small."""
    granted = grants_in(actor, project)
    if not granted:
        raise Http404
    if need not in granted:
        raise PermissionDenied(need)


def find_project(actor: Actor, slug: str, need: str = READ) -> Project:
    rows = Project.objects.filter(slug=slug, deleted_at=None)
    project = rows.first() if slug_re.match(slug) else None  # no database takes every text
    if project is None:
        raise Http404
    require(actor, project, need)
    return project


def find_session(actor: Actor, code: UUID | str, need: str = READ) -> Session:
    return _checked(actor, Session.objects.filter(deleted_at=None), code, need)


def find_artifact(actor: Actor, code: UUID | str, need: str = READ) -> Artifact:
    return _checked(actor, Artifact.objects.filter(deleted_at=None), code, need)


def find_roster(actor: Actor, code: UUID | str, need: str = READ) -> Roster:
    return _checked(actor, Roster.objects.all(), code, need)


def readable_log(user: "User", code: UUID) -> QuerySet[Event]:
    """The events of a session, none for somebody who may not read it: rights and rows in one query, for sockets.
    Every role may read."""
    return Event.objects.filter(
        session__code=code,
        session__deleted_at=None,
        session__project__deleted_at=None,
        session__project__memberships__user=user,
        session__project__memberships__user__is_active=True,
    ).order_by("seq")


def actor_of_key(presented: str) -> Actor | None:
    """The person behind an API key, or None: unknown, revoked, expired, or its owner left the project."""
    from sessions.keys import digest_of_key

    now = timezone.now()
    key = ApiKey.objects.select_related("user", "project").filter(digest=digest_of_key(presented)).first()
    if key is None or key.revoked_at or (key.expires_at and key.expires_at <= now):
        return None
    actor = Actor(key.user, key)
    if not memberships(actor).exists():
        return None
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() > 60:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return actor


def _checked(actor: Actor, rows: QuerySet[Owned], code: UUID | str, need: str) -> Owned:
    try:
        found = rows.select_related("project").filter(code=code, project__deleted_at=None).first()
    except ValidationError:  # a text that is no UUID
        found = None
    if found is None:
        raise Http404
    require(actor, found.project, need)
    return found
