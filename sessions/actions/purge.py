"""Erasing words. What stays are ids, digests, numbers and a tombstone, so every chain still verifies.

An artifact's words are also in what models wrote about it: their outputs, quotes, claims and summaries. Deleting an
artifact therefore erases the model-written words of every session that read it; deleting a session erases its own, and
deleting a project both. A running session is stopped first.
"""

from collections import Counter

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from sessions import append_only
from sessions.access import Actor
from sessions.actions.lifecycle import stop_session
from sessions.actions.log import append
from sessions.compaction import compact, owe
from sessions.kinds import KINDS
from sessions.models import (
    ApiKey,
    Artifact,
    Content,
    Delivery,
    Invitation,
    Participant,
    Project,
    ProjectExport,
    PullRequest,
    ReportLink,
    Repository,
    Session,
    Unpacking,
    Webhook,
)
from sessions.states import AT_REST
from sessions.writer import Draft

# Words a person wrote about a session survive the deletion of an artifact it read; they are not copies of it.
OWN_WORDS = ("request", "gate_reason")


def contents_of_artifact(artifact: Artifact) -> QuerySet[Content]:
    """Every row that may hold words of the artifact."""
    readers = readers_of(artifact)
    derived = Q(session__in=readers) & ~Q(kind__in=OWN_WORDS)
    bodies = Q(pk__in=artifact.versions.values("content"))
    return Content.objects.filter(derived | bodies, erased_at=None)


def readers_of(artifact: Artifact) -> QuerySet[Session]:
    return Session.objects.filter(sources__version__artifact=artifact).distinct()


def preview(contents: QuerySet[Content]) -> dict[str, int]:
    """What would go: number of rows by kind."""
    return dict(Counter(contents.values_list("kind", flat=True)))


def delete_artifact(actor: Actor, artifact: Artifact) -> None:
    """Erase the artifact and everything models wrote from it."""
    erase_artifact(actor, artifact)
    compact()


def delete_session(actor: Actor, session: Session) -> None:
    """Erase the session's words and leave a tombstone that its numbers and chain hang on."""
    erase_session(actor, session)
    compact()


def erase_artifact(actor: Actor, artifact: Artifact) -> None:
    """As `delete_artifact`; `compact` has to follow, once for many."""
    with transaction.atomic():
        gone = {"deleted_at": timezone.now(), "name": "(deleted)"}
        if not Artifact.objects.filter(pk=artifact.pk, deleted_at=None).update(**gone):
            return
        for session in readers_of(artifact).filter(deleted_at=None).order_by("pk"):
            _come_to_rest(actor, session)
            if artifact.name.rpartition("/")[2] in session.title:
                Session.objects.filter(pk=session.pk).update(title=f"{KINDS[session.kind].label} of a deleted artifact")
            erased = _erase(contents_of_artifact(artifact).filter(session=session))
            append(session, [Draft("session.erased", {"by": actor.user_id, "why": "artifact", "contents": erased})])
            _delete_decision(actor, session)
        _erase(contents_of_artifact(artifact))
        _drop_exports(artifact.project)
        artifact.versions.update(notices=[])


def erase_session(actor: Actor, session: Session, why: str = "session") -> None:
    """As `delete_session`; `compact` has to follow, once for many."""
    with transaction.atomic():
        if _come_to_rest(actor, session).deleted_at:
            return
        erased = _erase(Content.objects.filter(session=session, erased_at=None))
        _delete_decision(actor, session)
        _drop_exports(session.project)
        Participant.objects.filter(session=session).update(name="(deleted)", focus="")
        ReportLink.objects.filter(session=session).delete()
        Session.objects.filter(pk=session.pk).update(
            deleted_at=timezone.now(), title="(deleted)", params={}, nonce_seed=""
        )
        append(session, [Draft("session.erased", {"by": actor.user_id, "why": why, "contents": erased})])


def _delete_decision(actor: Actor, session: Session) -> None:
    """The artifact that holds the words of a deliberation goes with them, and what was written from it."""
    if session.decision is not None:
        erase_artifact(actor, session.decision)


def delete_project(actor: Actor, project: Project) -> None:
    """Erase everything anybody wrote in the project. Its slug is free again; two dashes stand in no slug of a name."""
    _delete_sessions(actor, project)  # before anything is locked: workers have rows of theirs
    with transaction.atomic():
        # Whoever adds something holds a shared lock (`keep_open`): it is here now, or will be refused.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        _delete_sessions(actor, project)
        Artifact.objects.filter(project=project, deleted_at=None).update(deleted_at=timezone.now(), name="(deleted)")
        _erase(Content.objects.filter(project=project, erased_at=None))
        project.rosters.all().delete()
        project.templates.all().delete()
        ApiKey.objects.filter(project=project).delete()
        project.standards.update(name="(deleted)", purpose="")
        with append_only.purge():
            project.gate_policies.all().delete()
        for model in (Invitation, Webhook, Delivery, ProjectExport, Unpacking, Repository, PullRequest):
            model._default_manager.filter(project=project).delete()
        project.memberships.all().delete()
        Project.objects.filter(pk=project.pk).update(
            deleted_at=timezone.now(), name="(deleted)", slug=f"deleted--{project.pk}"
        )
    compact()


def _delete_sessions(actor: Actor, project: Project) -> None:
    for session in Session.objects.filter(project=project, deleted_at=None).order_by("pk"):
        erase_session(actor, session, why="project")


def _come_to_rest(actor: Actor, session: Session) -> Session:
    """The session as it is, its row locked: nobody can start it again while its words go. Stopped if need be."""
    # Without its key: a session that takes this one's answers holds on to that, and may be the next to be deleted.
    locked = Session.objects.select_for_update(no_key=True).get(pk=session.pk)
    if locked.status not in AT_REST:
        stop_session(actor, locked)
    return locked


def _erase(contents: QuerySet[Content]) -> int:
    owe()
    return contents.update(text="", erased_at=timezone.now())


def _drop_exports(project: Project) -> None:
    """They hold copies of what is erased. One that is being made ends with its row."""
    ProjectExport.objects.filter(project=project).delete()
