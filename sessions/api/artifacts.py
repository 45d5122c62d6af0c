"""Artifacts: what is reviewed. The same name is a new version, the same text under it the same version."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.errors import ValidationError
from pydantic import BaseModel, Field
from pydantic import ValidationError as Invalid

from sessions import access
from sessions.access import MANAGE, WRITE
from sessions.actions.artifacts import add_artifact
from sessions.actions.errors import Refused
from sessions.actions.purge import delete_artifact as erase_artifact
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Limit, Offset, Slug, replies
from sessions.engine.roster import ArtifactKind
from sessions.models import Artifact, ArtifactVersion
from sessions.queries import text_of

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
    """`digest` is the SHA-256 of the text; `notices` are codes of what reading changed in it."""

    number: int
    digest: str
    lines: int
    notices: list[str]
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
    return {"artifacts": [_artifact(row, row.versions.all()[0]) for row in page]}


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
    return Status(201, _artifact(version.artifact, version))


@router.get("/artifacts/{uuid:code}", response=replies(200, ArtifactDetail))
def get_artifact(request: HttpRequest, code: UUID) -> dict[str, Any]:
    artifact = access.find_artifact(actor_of(request), code)
    versions = list(artifact.versions.all())
    newest = artifact.versions.select_related("content").get(pk=versions[0].pk)
    return {**_artifact(artifact, newest), "versions": versions, "text": text_of(newest.content)}


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
    try:
        return FormFields.model_validate(request.POST.dict()), files[0]
    except Invalid as invalid:
        raise ValidationError([dict(error) for error in invalid.errors(include_url=False)]) from None


def _artifact(row: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "code": row.code,
        "project": row.project.slug,
        "name": row.name,
        "kind": row.kind,
        "created_at": row.created_at,
        "version": version,
    }
