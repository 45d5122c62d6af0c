"""A whole project as a zip: who belongs to it, its rosters, artifacts and sessions, in JSON and Markdown.

A worker makes it in the background, one entry at a time, into pieces in the database. So neither worker nor web process
holds more than one session, one text and one piece, however large the project is.
"""

import asyncio
import re
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.db import db
from sessions.models import (
    Artifact,
    ArtifactVersion,
    ExportPiece,
    GatePolicy,
    Membership,
    Project,
    ProjectExport,
    Session,
    StandardVersion,
)
from sessions.queries.standards import criteria_of, versions_in
from sessions.reports.export import document, markdown

PIECE_BYTES = 1024 * 1024
LEASE = timedelta(minutes=5)
MOST_TRIES = 3
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


class Overtaken(Exception):  # noqa: N818
    """The export was deleted, another worker took it over, or this one stops."""


def ask_for_export(actor: Actor, project: Project) -> ProjectExport:
    """One at a time; a project that has one under way gets no second one. Raises Refused."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.exports.filter(state=ProjectExport.State.WAITING).exists():
            raise Refused("export_under_way", "An export is being made already. It appears below when it is done.", 409)
        return ProjectExport.objects.create(project=project, asked_by=actor.user)


async def make_exports() -> None:
    """Make the next export that somebody asked for, on a thread of its own. A worker that stops leaves it to others."""
    stop = threading.Event()
    if taken := await db(_claim):
        try:
            await asyncio.to_thread(_make, *taken, stop)
        finally:
            stop.set()


async def pieces(export: ProjectExport) -> AsyncIterator[bytes]:
    """The bytes of a finished export, a piece at a time."""
    position = 0
    while (data := await db(_piece, export.pk, position)) is not None:
        yield data
        position += 1


def _piece(export_id: int, position: int) -> bytes | None:
    data = ExportPiece.objects.filter(export=export_id, position=position).values_list("data", flat=True).first()
    return None if data is None else bytes(data)


def _claim() -> tuple[int, int] | None:
    """(id, which try this is), or None when there is nothing to do."""
    free = ProjectExport.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), state="waiting")
    found = free.order_by("created_at").values_list("pk", "tries").first()
    if found is None:
        return None
    mine, tries = free.filter(pk=found[0]), found[1] + 1
    if tries > MOST_TRIES:
        mine.update(state=ProjectExport.State.FAILED, ended_at=timezone.now())
        return None
    return (found[0], tries) if mine.update(tries=tries, lease_until=Now() + LEASE) else None


def _make(export_id: int, tries: int, stop: threading.Event) -> None:
    mine = ProjectExport.objects.filter(pk=export_id, tries=tries, state="waiting")
    try:
        project = Project.objects.get(exports=export_id)
        ExportPiece.objects.filter(export=export_id).delete()
        sink = _Sink(export_id, mine, stop)
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries(project):
                archive.writestr(name, content)
        sink.close()
        mine.update(state=ProjectExport.State.READY, size=sink.tell(), ended_at=timezone.now(), lease_until=None)
    except (Overtaken, Project.DoesNotExist):
        if stop.is_set():
            mine.update(lease_until=None, tries=F("tries") - 1)
    finally:
        connection.close()  # this thread's own, which nobody else would close


class _Sink:
    """What the zip is written to: it cannot be read or moved in, so entries carry their sizes behind them."""

    def __init__(self, export_id: int, mine: QuerySet[ProjectExport], stop: threading.Event) -> None:
        self._mine, self._stop = mine, stop
        self._export_id, self._position, self._buffer, self._size = export_id, 0, bytearray(), 0

    def write(self, data: bytes) -> int:
        self._buffer += data
        self._size += len(data)
        while len(self._buffer) >= PIECE_BYTES:
            self._store(PIECE_BYTES)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing: pieces are stored when they are full."""

    def close(self) -> None:
        self._store(len(self._buffer))

    def _store(self, length: int) -> None:
        with transaction.atomic():
            if self._stop.is_set() or not self._mine.update(lease_until=Now() + LEASE):
                raise Overtaken
            data = bytes(self._buffer[:length])
            ExportPiece.objects.create(export_id=self._export_id, position=self._position, data=data)
        del self._buffer[:length]
        self._position += 1


def entries(project: Project) -> Iterator[tuple[str, bytes]]:
    """(name in the archive, content), one after the other."""
    yield "project.json", _json(_about(project))
    for roster in project.rosters.order_by("pk"):
        content = _json({"name": roster.name, "seats": roster.seats})
        yield f"rosters/{_file_name(roster.name)}-{roster.code}.json", content
    for template in project.templates.order_by("pk"):
        content = _json({"name": template.name, "seats": template.seats, "params": template.params})
        yield f"templates/{_file_name(template.name)}-{template.code}.json", content
    for version in versions_in(project.pk).order_by("standard", "number"):
        yield f"standards/{version.standard.key}-{version.number}.json", _json(_standard(version))
    yield from _artifacts(project)
    living = Session.objects.filter(project=project, deleted_at=None)
    for pk in list(living.order_by("pk").values_list("pk", flat=True)):
        session = living.select_related("project", "brief", "summary").filter(pk=pk).first()
        if session is not None:
            base = f"sessions/{_file_name(session.title)}-{session.code}"
            yield f"{base}.json", _json(document(session))
            yield f"{base}.md", markdown(session).encode()


def _standard(version: StandardVersion) -> dict[str, Any]:
    standard, criteria = version.standard, [asdict(criterion) for criterion in criteria_of(version)]
    about = {"key": standard.key, "name": standard.name, "purpose": standard.purpose, "version": version.number}
    return about | {"digest": version.digest, "created_at": version.created_at.isoformat(), "criteria": criteria}


def _artifacts(project: Project) -> Iterator[tuple[str, bytes]]:
    for artifact in Artifact.objects.filter(project=project, deleted_at=None).order_by("pk").iterator(100):
        base = f"artifacts/{artifact.code}"
        versions = ArtifactVersion.objects.filter(artifact=artifact).order_by("number")
        about = [_version(version) for version in versions]
        yield f"{base}/artifact.json", _json({"name": artifact.name, "kind": artifact.kind, "versions": about})
        for version in versions.select_related("content").iterator(1):
            name = _file_name(artifact.name.rpartition("/")[2])
            yield f"{base}/{version.number}-{name}", version.content.text.encode()


def _version(version: ArtifactVersion) -> dict[str, Any]:
    return {"number": version.number, "digest": version.digest, "created_at": version.created_at.isoformat()}


def _about(project: Project) -> dict[str, Any]:
    members = Membership.objects.filter(project=project).select_related("user").order_by("pk")
    return {
        "name": project.name,
        "slug": project.slug,
        "created_at": project.created_at.isoformat(),
        "exported_at": timezone.now().isoformat(),
        "retention_days": project.retention_days,
        "separate_approver": project.separate_approver,
        "gate_policies": [_policy(row) for row in project.gate_policies.order_by("key", "version")],
        "members": [
            {"name": row.user.name, "email": row.user.email, "role": row.role, "since": row.created_at.isoformat()}
            for row in members
        ],
    }


def _policy(row: GatePolicy) -> dict[str, Any]:
    about = {"key": row.key, "version": row.version, "label": row.label, "created_at": row.created_at.isoformat()}
    return {**about, **row.rules}


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def _file_name(text: str) -> str:
    """What every system can unpack; the code beside it keeps names apart."""
    return _UNUSUAL.sub("-", text).strip("-.")[:60] or "untitled"
