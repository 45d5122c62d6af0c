"""Artifacts: what is reviewed. The same name is a new version, the same text under it the same version."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status
from ninja.errors import ValidationError
from pydantic import BaseModel, Field
from pydantic import ValidationError as Invalid

from sessions import access
from sessions.access import MANAGE, WRITE
from sessions.actions.artifacts import add_artifact
from sessions.actions.errors import Refused
from sessions.actions.purge import delete_artifact as erase_artifact
from sessions.actions.unpacking import Brought, bring_many, brought_of, find_unpacking
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Limit, Offset, Slug, replies
from sessions.engine.roster import ArtifactKind
from sessions.models import Artifact, ArtifactVersion, Unpacking
from sessions.queries import text_of
from sessions.queries.suspects import secrecy, suspects_in
from sessions.reading import Refusal
from sessions.reading.uploads import uploaded_files

router = Router()


class NewText(Body):
    """`kind` is told from name and text unless given."""

    project: Slug
    name: str = Field(min_length=1, max_length=1_000)
    text: str
    kind: ArtifactKind | None = None


class FormFields(BaseModel):
    """What comes beside the part `file` of a form."""

    project: Slug
    kind: ArtifactKind | None = None


class VersionOut(Schema):
    """`digest` is the SHA-256 of the text; `notices` say what reading changed in it; `likely_secrets` counts places
    that look like keys or passwords."""

    number: int
    digest: str
    lines: int
    notices: list[str]
    likely_secrets: int
    created_at: datetime


class ArtifactOut(Schema):
    code: UUID
    project: str
    name: str
    kind: str
    created_at: datetime
    version: VersionOut


class ArtifactDetail(ArtifactOut):
    """`text` is that of the newest version."""

    versions: list[VersionOut]
    text: str


class ArtifactsOut(Schema):
    artifacts: list[ArtifactOut]


class UnreadOut(Schema):
    """A file that was not kept. `ignored`: it only came along, in a folder or an archive."""

    name: str
    code: str
    message: str
    ignored: bool


class SuspectOut(Schema):
    """Where something looks like a secret. The value is never repeated."""

    path: str
    line: int
    kind: str


class UnpackingOut(Schema):
    """A ZIP archive that is unpacked in the background: `waiting`, then `done`, or `failed` when nothing of it could be
    kept."""

    code: UUID
    name: str
    state: str


class BroughtOut(Schema):
    """`artifacts` with likely secrets come first."""

    artifacts: list[ArtifactOut]
    unread: list[UnreadOut]
    likely_secrets: list[SuspectOut]


class UploadOut(BroughtOut):
    """`unpacking` are archives to be asked for; what is in them is not among `artifacts`."""

    unpacking: list[UnpackingOut]


class UnpackedOut(UnpackingOut, BroughtOut):
    """What was in an archive, once it is not `waiting`. It can be asked for during a day."""


_FORM = {
    "type": "object",
    "required": ["project", "file"],
    "properties": {
        "project": {"type": "string"},
        "file": {"type": "string", "format": "binary"},
        "kind": {"type": "string", "enum": ["code", "document", "data", "diff"]},
    },
}


@router.get("/artifacts", response=replies(200, ArtifactsOut))
def list_artifacts(request: HttpRequest, project: Slug, limit: Limit = 100, offset: Offset = 0) -> dict[str, Any]:
    found = access.find_project(actor_of(request), project)
    rows = Artifact.objects.filter(project=found, deleted_at=None).select_related("project")
    page = rows.prefetch_related("versions").order_by("-created_at", "-pk")[offset : offset + limit]
    return {"artifacts": [artifact_data(row, row.versions.all()[0]) for row in page]}


@router.post(
    "/artifacts",
    response=replies(201, ArtifactOut),
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": _FORM}}}},
)
def create_artifact(request: HttpRequest, body: NewText | None = None) -> Status[Any]:
    """From text in JSON, or from a file in a multipart form. 201 also when this very text was there already."""
    actor = actor_of(request)
    if body is None:
        fields, file = _form(request)
        name, data, kind = file.name or "file", file.read(), fields.kind
        project = access.find_project(actor, fields.project, WRITE)
    else:
        name, data, kind = body.name, body.text.encode(), body.kind
        project = access.find_project(actor, body.project, WRITE)
    version = add_artifact(actor, project, name, data, kind)
    return Status(201, artifact_data(version.artifact, version))


_FILES = {
    "type": "object",
    "required": ["project", "file"],
    "properties": {
        "project": {"type": "string"},
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "file_path": {"type": "array", "items": {"type": "string"}},
    },
}


@router.post(
    "/artifacts/upload",
    response=replies(201, UploadOut) | replies(202, UploadOut),
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": _FILES}}}},
)
def upload_artifacts(request: HttpRequest) -> Status[Any]:
    """Several files, a folder (the n-th `file_path` is the path of the n-th `file`) or ZIP archives, in a multipart
    form. 202 when there is an archive among them: it is unpacked in the background, and
    `GET /projects/{slug}/unpackings/{code}` says what was in it. 422 when nothing of it could be kept."""
    actor = actor_of(request)
    fields = _fields(request)
    project = access.find_project(actor, fields.project, WRITE)
    files = uploaded_files(request, "file")
    if not files:
        raise Refused("no_file", "Send a multipart form with one or more parts `file`.")
    brought = bring_many(actor, project, files)
    if not brought.versions and not brought.unpackings:
        reasons = "; ".join(f"{one.name}: {one.sentence}" for one in brought.unread[:5])
        raise Refused("nothing_readable", f"Nothing of it can be reviewed. {reasons}", 422)
    waiting = [_unpacking_data(row) for row in brought.unpackings]
    return Status(202 if waiting else 201, {**_brought_data(brought), "unpacking": waiting})


@router.get("/projects/{slug:slug}/unpackings/{uuid:code}", response=replies(200, UnpackedOut))
def get_unpacking(request: HttpRequest, slug: str, code: UUID) -> dict[str, Any]:
    """What was in an archive of an upload. Ask every second or two while `state` is `waiting`."""
    row = find_unpacking(access.find_project(actor_of(request), slug, WRITE), code)
    if row is None:
        raise Http404
    return {**_unpacking_data(row), **_brought_data(brought_of(row))}


@router.get("/artifacts/{uuid:code}", response=replies(200, ArtifactDetail))
def get_artifact(request: HttpRequest, code: UUID) -> dict[str, Any]:
    artifact = access.find_artifact(actor_of(request), code)
    versions = list(artifact.versions.all())
    newest = artifact.versions.select_related("content").get(pk=versions[0].pk)
    return {**artifact_data(artifact, newest), "versions": versions, "text": text_of(newest.content)}


@router.delete("/artifacts/{uuid:code}", response=replies(204, None))
def delete_artifact(request: HttpRequest, code: UUID) -> Status[Any]:
    """Erases the text and everything models wrote from it."""
    actor = actor_of(request)
    erase_artifact(actor, access.find_artifact(actor, code, MANAGE))
    return Status(204, None)


def _form(request: HttpRequest) -> tuple[FormFields, "UploadedFile[Any]"]:
    files = request.FILES.getlist("file")
    if len(files) != 1:
        raise Refused("no_file", "Send JSON with `text`, or a multipart form with one part `file`.")
    return _fields(request), files[0]


def _fields(request: HttpRequest) -> FormFields:
    try:
        return FormFields.model_validate(request.POST.dict())
    except Invalid as invalid:
        raise ValidationError([dict(error) for error in invalid.errors(include_url=False)]) from None


def _unpacking_data(row: Unpacking) -> dict[str, Any]:
    return {"code": row.code, "name": row.name, "state": row.state}


def _brought_data(brought: Brought) -> dict[str, Any]:
    return {
        "artifacts": [artifact_data(one.artifact, one) for one in sorted(brought.versions, key=secrecy)],
        "unread": [unread_data(one) for one in brought.unread],
        "likely_secrets": [suspect._asdict() for suspect in suspects_in(brought.versions)],
    }


def unread_data(refusal: Refusal) -> dict[str, Any]:
    message = f"{refusal.sentence} {refusal.next_step}".strip()
    return {"name": refusal.name, "code": refusal.code, "message": message, "ignored": refusal.ignored}


def artifact_data(row: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "code": row.code,
        "project": row.project.slug,
        "name": row.name,
        "kind": row.kind,
        "created_at": row.created_at,
        "version": version,
    }
