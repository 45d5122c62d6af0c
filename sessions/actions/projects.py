"""Projects, who belongs to them, and keys."""

from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.text import slugify

from sessions import live
from sessions.access import SCOPES, Actor, grants_in
from sessions.actions.errors import Refused
from sessions.actions.standard_versions import seed_standards
from sessions.keys import digest_of_key, new_key
from sessions.models import ApiKey, Membership, Project, Provider, Role
from sessions.people import User

MAX_SLUG = 48


def create_project(user: User, name: str) -> Project:
    """A project that `user` owns. The slug follows the name and never changes."""
    name = _checked_name(name)
    base = slugify(name)[:MAX_SLUG] or "project"
    for number in range(1, 1000):
        slug = base if number == 1 else f"{base}-{number}"
        try:
            with transaction.atomic():
                project = Project.objects.create(slug=slug, name=name)
                Membership.objects.create(project=project, user=user, role=Role.OWNER)
                seed_standards(project)
        except IntegrityError:
            continue
        return project
    raise Refused("bad_name", "Too many projects have this name. Choose another.")


def rename_project(project: Project, name: str) -> None:
    """The slug stays: addresses and keys name it."""
    Project.objects.filter(pk=project.pk, deleted_at=None).update(name=_checked_name(name))


def restrict_project(project: Project, providers: list[str], local_only: bool) -> None:
    """Where the project's files may be sent: `providers` by name (none: all), or servers of one's own only. Sessions
    that started are left as they are. Raises Refused."""
    if unknown := set(providers) - set(Provider.objects.values_list("name", flat=True)):
        raise Refused("no_such_provider", f"There is no provider {', '.join(sorted(unknown))}.", 422)
    chosen = sorted(set(providers))
    Project.objects.filter(pk=project.pk, deleted_at=None).update(allowed_providers=chosen, local_only=local_only)


def keep_open(project: Project) -> None:
    """Until the caller's transaction ends nobody deletes the project, so that nothing is added to one that is gone.
    Others may add to it at the same time. To be called before other rows are locked. Raises Refused."""
    # Django cannot ask for a shared lock; on SQLite a transaction has the whole file to itself.
    lock = "FOR SHARE" if connection.vendor == "postgresql" else ""
    table = connection.ops.quote_name(Project._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s AND deleted_at IS NULL {lock}", [project.pk])  # noqa: S608
        if cursor.fetchone() is None:
            raise Refused("project_deleted", "This project was deleted.", 404)


def set_member(actor: Actor, project: Project, user: User, role: str) -> Membership:
    """Add `user` or change the role. Only owners make or unmake owners, and one owner stays."""
    if role not in Role.values:
        raise Refused("bad_role", f"A role is one of {', '.join(Role.values)}.")
    with transaction.atomic():
        before = Membership.objects.filter(project=project, user=user).first()
        _guard_owners(actor, project, before, role)
        membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
        transaction.on_commit(lambda: live.rights_changed(user.pk))
    return membership


def remove_member(actor: Actor, project: Project, user: User) -> None:
    """Take somebody out; open sockets and keys of theirs stop at once."""
    with transaction.atomic():
        before = Membership.objects.filter(project=project, user=user).first()
        if before is None:
            return
        _guard_owners(actor, project, before, "")
        before.delete()
        transaction.on_commit(lambda: live.rights_changed(user.pk))


def create_api_key(
    actor: Actor, project: Project, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """The key's row and its text, which is shown once and never again."""
    if not scopes or set(scopes) - set(SCOPES):
        raise Refused("bad_scope", f"Scopes are {', '.join(SCOPES)}.")
    if actor.key is not None:
        raise Refused("needs_person", "A key cannot make keys. Sign in to make one.", 403)
    if not grants_in(actor, project) >= set(scopes):
        raise Refused("scope_too_wide", "A key cannot do more than you can.", 403)
    key = new_key()
    with transaction.atomic():
        keep_open(project)
        row = ApiKey.objects.create(
            project=project,
            user=actor.user,
            name=" ".join(name.split())[:80] or "key",
            prefix=key[:12],
            digest=digest_of_key(key),
            scopes=sorted(set(scopes), key=SCOPES.index),
            expires_at=expires_at,
        )
    return row, key


def revoke_api_key(actor: Actor, key: ApiKey) -> None:
    """End a key. Its owner may, and whoever manages the project."""
    if key.user_id != actor.user_id and "manage" not in grants_in(actor, key.project):
        raise Refused("denied", "Only the key's owner or a moderator can revoke it.", 403)
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 120:
        raise Refused("bad_name", "A project needs a name of at most 120 characters.")
    return name


def _guard_owners(actor: Actor, project: Project, before: Membership | None, role: str) -> None:
    touches_owner = role == Role.OWNER or (before is not None and before.role == Role.OWNER)
    if touches_owner and "own" not in grants_in(actor, project):
        raise Refused("denied", "Only an owner can make or change owners.", 403)
    if before is not None and before.role == Role.OWNER and role != Role.OWNER:
        owners = Membership.objects.select_for_update().filter(project=project, role=Role.OWNER)
        if len(owners) == 1:
            raise Refused("last_owner", "A project keeps at least one owner. Make somebody else owner first.", 409)
