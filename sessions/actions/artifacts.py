"""Bringing artifacts in: reading what people have, keeping versions by content hash."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.projects import keep_open
from sessions.actions.superseding import tell_superseded
from sessions.actions.texts import add_text
from sessions.models import Artifact, ArtifactVersion, Project
from sessions.models.ids import uuid7
from sessions.reading import Readable, Refusal, Unreadable, read_bytes, read_many, read_text
from sessions.reading.secrets_scan import likely_secrets

Brought = TypeVar("Brought", bytes, str)


def add_artifact(actor: Actor, project: Project, name: str, data: bytes, kind: str | None = None) -> ArtifactVersion:
    """The version that holds `data`: a new artifact, a new version of the one with that name, or the version that
    already has this very text. Raises Refused when it cannot be read."""
    return keep(actor, project, _read(read_bytes, name, data), kind)


def add_text_artifact(actor: Actor, project: Project, name: str, text: str, kind: str | None = None) -> ArtifactVersion:
    """The same for pasted text."""
    return keep(actor, project, _read(read_text, name, text), kind)


def add_many(
    actor: Actor, project: Project, files: Sequence[tuple[str, bytes]]
) -> tuple[list[ArtifactVersion], list[Refusal]]:
    """What could be kept of several files, a folder or archives, and what was not read with the reason for each. It may
    take a parser's time: not for an event loop."""
    readables, refusals = read_many(files)
    return [keep(actor, project, readable) for readable in readables], refusals


def keep(
    actor: Actor, project: Project, readable: Readable, kind: str | None = None, version_id: UUID | None = None
) -> ArtifactVersion:
    """`version_id` is the id of a new version; drawn unless a recorded demo names it."""
    kind = kind or readable.kind
    if kind not in {"code", "document", "data", "diff"}:
        raise Refused("bad_kind", "An artifact is code, a document, data or a diff.")
    suspects = likely_secrets([(readable.name, readable.text)])  # may take a second, which nobody shall wait for locked
    with transaction.atomic():
        keep_open(project)
        known = {"project": project, "name": readable.name, "kind": kind, "deleted_at": None}
        rows = Artifact.objects.select_for_update()
        artifact, _ = rows.get_or_create(**known, defaults={"created_by": actor.user})
        same = artifact.versions.filter(digest=readable.digest, content__erased_at=None).first()
        if same:
            return same
        number = (artifact.versions.aggregate(last=Max("number"))["last"] or 0) + 1
        version = ArtifactVersion.objects.create(
            id=version_id or uuid7(),
            artifact=artifact,
            number=number,
            content=add_text(project, None, "artifact", readable.text),
            digest=readable.digest,
            lines=readable.lines,
            notices=list(readable.notices),
            likely_secrets=len(suspects),
        )
        if number > 1:
            tell_superseded(version)
    return version


def _read(reader: Callable[[str, Brought], Readable], name: str, brought: Brought) -> Readable:
    try:
        return reader(name, brought)
    except Unreadable as reason:
        status = 413 if reason.code in {"too_large", "total_too_large"} else 422
        raise Refused(reason.code, f"{reason.sentence} {reason.next_step}", status) from None
