"""Retention: what a project keeps for so many days only. It goes as if somebody deleted it: words are erased, numbers
and tombstones stay."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Coalesce, Now

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.purge import erase_artifact, erase_session
from sessions.models import Artifact, ArtifactVersion, Project, Session, SessionSource
from sessions.states import AT_REST

MOST_DAYS = 3_650
BATCH = 20


@dataclass(frozen=True, slots=True)
class Expired:
    """What is older than it may be. An artifact goes only when no session that stays has read it."""

    sessions: QuerySet[Session]
    artifacts: QuerySet[Artifact]


def expired(project: Project, days: int) -> Expired:
    """Sessions at rest that ended (or, without an end, began) more than `days` days ago, and artifacts whose last
    version is older than that."""
    limit = Now() - timedelta(days=days)
    living = Session.objects.filter(project=project, deleted_at=None)
    aged = living.annotate(last=Coalesce("finished_at", "started_at", "created_at"))
    sessions = aged.filter(status__in=AT_REST, last__lt=limit)
    stays = living.exclude(pk__in=sessions.values("pk"))
    read = SessionSource.objects.filter(version__artifact=OuterRef("pk"), session__in=stays.values("pk"))
    recent = ArtifactVersion.objects.filter(artifact=OuterRef("pk"), created_at__gte=limit)
    artifacts = Artifact.objects.filter(~Exists(read), ~Exists(recent), project=project, deleted_at=None)
    return Expired(sessions, artifacts)


def set_retention(actor: Actor, project: Project, days: int | None) -> None:
    """None keeps everything. Raises Refused."""
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Refused("bad_retention", f"Retention is a number of days from 1 to {MOST_DAYS}.", 422)
    by = None if days is None else actor.user
    Project.objects.filter(pk=project.pk).update(retention_days=days, retention_by=by)


def expire_some() -> bool:
    """Erase at most BATCH sessions and BATCH artifacts that are over their time. Whether there may be more; in the end
    `compact` has to follow."""
    again = False
    rows = Project.objects.filter(deleted_at=None, retention_days__isnull=False).select_related("retention_by")
    for project in rows:
        if project.retention_days is None or project.retention_by is None:
            continue
        actor, old = Actor(project.retention_by), expired(project, project.retention_days)
        sessions = list(old.sessions.order_by("pk")[:BATCH])
        for session in sessions:
            erase_session(actor, session, why="retention")
        artifacts = [] if sessions else list(old.artifacts.order_by("pk")[:BATCH])
        for artifact in artifacts:
            erase_artifact(actor, artifact)
        again = again or bool(sessions or artifacts)
    return again
