"""Standards of a project, and what certifications come to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.standards import create_standard, find_standard, retire_standard, revise_standard
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, replies
from sessions.certificates.fetching import newest_certificate, signed_certificate
from sessions.models import StandardVersion
from sessions.queries.standards import criteria_of, newest_standards, retires

router = Router()


class CriterionIn(Body):
    """`critical`: not met with a quote that proves it, it refuses the certificate for all. `guidance` tells instances
    how to judge it."""

    id: str = Field(max_length=24)
    text: str = Field(max_length=600)
    mandatory: bool = True
    critical: bool = False
    guidance: str = Field("", max_length=600)


class CriteriaIn(Body):
    criteria: list[CriterionIn] = Field(min_length=1, max_length=40)


class NewStandard(CriteriaIn):
    name: str = Field(min_length=1, max_length=80)
    purpose: str = Field("", max_length=300)


class CriterionOut(Schema):
    id: str
    text: str
    mandatory: bool
    critical: bool
    guidance: str


class StandardOut(Schema):
    """One version. Certify against it with the parameters `standard` (its `key`) and `version`; without a version it is
    the newest. `digest` stands in certificates. `retired`: this version has no criteria and ends the standard."""

    key: str
    name: str
    purpose: str
    version: int
    digest: str
    created_at: datetime
    retired: bool
    criteria: list[CriterionOut]


class StandardsOut(Schema):
    standards: list[StandardOut]


@router.get("/projects/{slug:slug}/standards", response=replies(200, StandardsOut))
def list_standards(request: HttpRequest, slug: str) -> dict[str, Any]:
    """The newest version of each."""
    found = access.find_project(actor_of(request), slug)
    return {"standards": [_standard(version) for version in newest_standards(found.pk)]}


@router.post("/projects/{slug:slug}/standards", response=replies(201, StandardOut))
def add_standard(request: HttpRequest, slug: str, body: NewStandard) -> Status[Any]:
    actor = actor_of(request)
    project = access.find_project(actor, slug, WRITE)
    rows = [criterion.model_dump() for criterion in body.criteria]
    return Status(201, _standard(create_standard(actor, project, body.name, rows, body.purpose)))


@router.get("/projects/{slug:slug}/standards/{slug:key}", response=replies(200, StandardOut))
def get_standard(request: HttpRequest, slug: str, key: str, version: int | None = None) -> dict[str, Any]:
    return _standard(find_standard(access.find_project(actor_of(request), slug), key, version))


@router.post("/projects/{slug:slug}/standards/{slug:key}/versions", response=replies(201, StandardOut))
def add_standard_version(request: HttpRequest, slug: str, key: str, body: CriteriaIn) -> Status[Any]:
    """Its next version; the newest one when nothing has changed."""
    actor = actor_of(request)
    standard = find_standard(access.find_project(actor, slug, WRITE), key).standard
    rows = [criterion.model_dump() for criterion in body.criteria]
    return Status(201, _standard(revise_standard(actor, standard, rows)))


@router.post("/projects/{slug:slug}/standards/{slug:key}/retire", response=replies(200, StandardOut))
def retire(request: HttpRequest, slug: str, key: str) -> dict[str, Any]:
    """No new session can be made against it; what was certified stays. Its next version brings it back."""
    actor = actor_of(request)
    return _standard(retire_standard(actor, find_standard(access.find_project(actor, slug, WRITE), key).standard))


@router.get("/sessions/{uuid:code}/certificate", response=replies(200, dict[str, Any]))
def get_certificate(request: HttpRequest, code: UUID) -> HttpResponse:
    """The newest certificate of a session, signed with what it is worth now: `status.state` is valid or superseded.
    Check it offline with `manage.py verify_certificate` and the keys at `/.well-known/crucible-keys.json`."""
    session = access.find_session(actor_of(request), code)
    return JsonResponse(signed_certificate(newest_certificate(session)))


def _standard(version: StandardVersion) -> dict[str, Any]:
    standard = version.standard
    return {
        "key": standard.key,
        "name": standard.name,
        "purpose": standard.purpose,
        "version": version.number,
        "digest": version.digest,
        "created_at": version.created_at,
        "retired": retires(version),
        "criteria": criteria_of(version),
    }
