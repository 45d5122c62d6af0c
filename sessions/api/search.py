"""Search, as the page does it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema

from sessions import access
from sessions.api.auth import actor_of
from sessions.api.bodies import replies
from sessions.queries.search import search

router = Router()


class SessionHitOut(Schema):
    code: UUID
    project: str
    title: str
    summary: str | None


class FindingHitOut(Schema):
    """`id` is the finding's in the session `code`."""

    code: UUID
    project: str
    id: str
    severity: str
    disposition: str
    title: str
    claim: str


class ArtifactHitOut(Schema):
    """`version` is the newest that fits; without a `line` only the name does."""

    code: UUID
    project: str
    name: str
    version: int
    line: int | None
    text: str | None
    changed_at: datetime


class HitsOut(Schema):
    """`more` names the kinds of which there are more."""

    sessions: list[SessionHitOut]
    findings: list[FindingHitOut]
    artifacts: list[ArtifactHitOut]
    more: list[str]


@router.get("/search", response=replies(200, HitsOut))
def find(request: HttpRequest, q: Annotated[str, Query(min_length=1, max_length=200)]) -> Any:
    """What holds every word of `q`, the last one at least as a beginning; the newest first, 20 of each kind."""
    hits = search(access.projects(actor_of(request)), q)
    return {
        "sessions": [
            {
                "code": hit.session.code,
                "project": hit.session.project.slug,
                "title": hit.session.title,
                "summary": str(hit.summary) if hit.summary else None,
            }
            for hit in hits.sessions
        ],
        "findings": [
            {
                "code": hit.session.code,
                "project": hit.session.project.slug,
                "id": hit.label,
                "severity": hit.severity,
                "disposition": hit.disposition,
                "title": str(hit.title),
                "claim": str(hit.claim),
            }
            for hit in hits.findings
        ],
        "artifacts": [
            {
                "code": hit.artifact.code,
                "project": hit.artifact.project.slug,
                "name": hit.artifact.name,
                "version": hit.version,
                "line": hit.line,
                "text": str(hit.text) if hit.text else None,
                "changed_at": hit.changed_at,
            }
            for hit in hits.artifacts
        ],
        "more": sorted(hits.more),
    }
