"""What a session found and what it used."""

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from ninja import Router, Schema

from sessions import access, export
from sessions.api.auth import actor_of
from sessions.api.bodies import replies
from sessions.queries import Analytics, Place, analytics, findings_of, seats_of, simulated_notice, who_answered

router = Router()


class WordingOut(Schema):
    """The same defect as one instance worded it; `id` is its letter and a number."""

    id: str
    severity: str
    title: str
    claim: str
    evidence: str
    evidence_verified: bool
    confidence_percent: int


class FindingOut(Schema):
    """`evidence_verified`: the quote stands in the artifact. `erased`: the words were deleted, the numbers stay.
    `flags`: `injection` when a wording speaks to a language model."""

    id: str
    severity: str
    severity_disputed: bool
    title: str
    claim: str
    evidence: str
    evidence_verified: bool
    suggestion: str
    category: str
    family: str
    location: Place
    raised_by: list[str]
    status: str
    flags: list[str]
    erased: bool
    reports: list[WordingOut]


class FindingsOut(Schema):
    """In rank order. `simulated_notice` must be shown with them when it is not empty."""

    findings: list[FindingOut]
    who_answered: str
    simulated: bool
    simulated_notice: str


@router.get("/sessions/{uuid:code}/findings", response=replies(200, FindingsOut))
def get_findings(request: HttpRequest, code: UUID) -> dict[str, Any]:
    session = access.find_session(actor_of(request), code)
    notice = simulated_notice(seats_of(session))
    return {
        "findings": [export.finding_data(finding) for finding in findings_of(session)],
        "who_answered": who_answered(session).sentence,
        "simulated": bool(notice),
        "simulated_notice": notice,
    }


@router.get("/sessions/{uuid:code}/analytics", response=replies(200, Analytics))
def get_analytics(request: HttpRequest, code: UUID) -> Analytics:
    """Tokens, cost and time per instance and stage. Money is micro-credits, 1,000,000,000 are one US dollar."""
    return analytics(access.find_session(actor_of(request), code))


MARKDOWN = {200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}}


@router.get(
    "/sessions/{uuid:code}/export", response=replies(200, dict[str, Any]), openapi_extra={"responses": MARKDOWN}
)
def get_export(
    request: HttpRequest,
    code: UUID,
    format: Literal["json", "markdown"] = "json",  # noqa: A002 - the query's name
) -> HttpResponseBase:
    """The whole result as one document: JSON, or Markdown as a file."""
    session = access.find_session(actor_of(request), code)
    if format == "json":
        return JsonResponse(export.document(session))
    name = f"attachment; filename=session-{session.code}.md"
    return HttpResponse(
        export.markdown(session), content_type="text/markdown; charset=utf-8", headers={"Content-Disposition": name}
    )
