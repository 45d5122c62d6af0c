"""Who may do what: decided here, once, before anything else happens.

Every object reaches its project along one path. A stranger gets the same 404 as for something that does not exist; a
member whose role is too small gets 403. Pages, fragments, API, sockets and commands all come through `find_*`.
"""

from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import slug_re
from django.db.models import BigAutoField, CharField, F, OuterRef, QuerySet, Subquery, UUIDField
from django.http import Http404
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from sessions.compiled import Compiled, Given
from sessions.models import ApiKey, Artifact, Event, Membership, Project, Role, Roster, SavedTemplate, Session
from sessions.people import User

Owned = TypeVar("Owned", Session, Artifact, Roster, SavedTemplate)

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
        return self.key.user_id if self.key else self.user.pk

    def grants(self, role: str) -> frozenset[str]:
        granted = GRANTS.get(role, frozenset())
        return granted & frozenset(self.key.scopes) if self.key else granted


def memberships(actor: Actor) -> QuerySet[Membership]:
    """What the actor belongs to, live projects only. Nobody who is switched off belongs anywhere."""
    found = Membership.objects.filter(user=actor.user_id, user__is_active=True, project__deleted_at=None)
    return found.filter(project=actor.key.project_id) if actor.key else found


def projects(actor: Actor) -> QuerySet[Project]:
    return Project.objects.filter(pk__in=memberships(actor).values("project")).order_by("name")


def grants_in(actor: Actor, project: Project) -> frozenset[str]:
    """What the actor may do there; empty for a stranger."""
    role = memberships(actor).filter(project=project).values_list("role", flat=True).first()
    return actor.grants(role) if role else frozenset()


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
    rows = Project.objects.filter(slug=slug, deleted_at=None)
    project = rows.first() if slug_re.match(slug) else None  # no database takes every text
    if project is None:
        raise Http404
    require(actor, project, need)
    return project


def _reached(model: type[Owned], **alive: Any) -> Compiled[Owned]:
    """The object with that code and its project, for somebody who belongs there, and which role they have."""
    return Compiled(
        lambda: (
            model._default_manager.filter(
                code=Given("code", UUIDField()),
                project__deleted_at=None,
                project__memberships__user=Given("user", BigAutoField()),
                project__memberships__user__is_active=True,
                **alive,
            )
            .select_related("project")
            .annotate(role_there=F("project__memberships__role"))
        )
    )


_SESSION, _ARTIFACT = _reached(Session, deleted_at=None), _reached(Artifact, deleted_at=None)
_ROSTER, _TEMPLATE = _reached(Roster), _reached(SavedTemplate)


def find_session(actor: Actor, code: UUID | str, need: str = READ) -> Session:
    return _checked(actor, _SESSION, code, need)


def open_session(actor: Actor, code: UUID) -> tuple[Session, frozenset[str]]:
    """The session with what stands beside it, and what the actor may do there; one query. Raises Http404."""
    role = memberships(actor).filter(project=OuterRef("project")).values("role")[:1]
    rows = Session.objects.filter(deleted_at=None, project__deleted_at=None, code=code).annotate(role=Subquery(role))
    found = rows.select_related("project", "created_by", "brief", "summary", "previous", "reuses").first()
    granted = actor.grants(found.role) if found and found.role else frozenset()
    if found is None or not granted:
        raise Http404
    return found, granted


def find_artifact(actor: Actor, code: UUID | str, need: str = READ) -> Artifact:
    return _checked(actor, _ARTIFACT, code, need)


def find_roster(actor: Actor, code: UUID | str, need: str = READ) -> Roster:
    return _checked(actor, _ROSTER, code, need)


def find_template(actor: Actor, code: UUID | str, need: str = READ) -> SavedTemplate:
    return _checked(actor, _TEMPLATE, code, need)


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


def _checked(actor: Actor, query: Compiled[Owned], code: UUID | str, need: str) -> Owned:
    try:
        found = next(iter(query(code=code, user=actor.user_id)), None)
    except ValidationError:  # a text that is no UUID
        found = None
    if found is None or (actor.key and actor.key.project_id != found.project_id):
        raise Http404
    _check(actor.grants(vars(found)["role_there"]), need)
    return found
