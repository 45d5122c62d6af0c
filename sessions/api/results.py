"""What a session found and what it used."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from ninja import Router, Schema

from sessions import access
from sessions.api.auth import actor_of
from sessions.api.bodies import replies
from sessions.queries import Analytics, Place, analytics, seats_of, simulated_notice
from sessions.queries.reworded import findings_now
from sessions.reports import export
from sessions.reports.sarif import sarif

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


class OpinionOut(Schema):
    """Of an instance that did not raise the finding: confirmed, refuted, cannot_tell; missing with an `error_code`.
    `verified`: its quote stands in the artifact."""

    letter: str
    verdict: str
    verified: bool
    analysis: str
    evidence: str
    confidence: int
    error_code: str
    erased: bool


class CommentOut(Schema):
    by: str
    at: datetime
    text: str
    erased: bool


class RewordingOut(Schema):
    """New words of a finding's claim or suggestion (`part`), which the instances adopted in that round."""

    round: int
    part: str
    words: str


class FindingOut(Schema):
    """`evidence_verified`: the quote stands in the artifact. `erased`: the words were deleted, the numbers stay.
    `flags`: `injection` when a wording speaks to a language model. `status` is what people decided: open, to_fix,
    dismissed (`dismissed_because`) or fixed; `carried` when that comes from the session this one continues, whose
    finding is `earlier`. `decided_by` is the person's name, or what stands before the @ of their address. `claim` and
    `suggestion` are in their last words (`rewordings`). `severity` is the one that counts, `models_severity` the
    instances' median. Send `revision` as `seen` when you decide."""

    id: str
    severity: str
    severity_disputed: bool
    title: str
    claim: str
    evidence: str
    evidence_verified: bool
    suggestion: str
    rewordings: list[RewordingOut]
    category: str
    family: str
    location: Place
    raised_by: list[str]
    status: str
    models_severity: str
    dismissed_because: str
    decided_by: str
    decided_at: datetime | None
    carried: bool
    earlier: str | None
    revision: int
    fingerprint: str
    second_opinions: str
    opinions: list[OpinionOut]
    comments: list[CommentOut]
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
        "findings": [export.finding_data(finding) for finding in findings_now(session)],
        "who_answered": export.who_words(session),
        "simulated": bool(notice),
        "simulated_notice": notice,
    }


@router.get("/sessions/{uuid:code}/analytics", response=replies(200, Analytics))
def get_analytics(request: HttpRequest, code: UUID) -> Analytics:
    """Tokens, cost and time per instance and stage. Money is micro-credits, 1,000,000,000 are one US dollar."""
    return analytics(access.find_session(actor_of(request), code))


DOWNLOADS = {
    200: {
        "content": {
            "text/markdown": {"schema": {"type": "string"}},
            "application/sarif+json": {"schema": {"type": "object"}},
        }
    }
}


@router.get(
    "/sessions/{uuid:code}/export", response=replies(200, dict[str, Any]), openapi_extra={"responses": DOWNLOADS}
)
def get_export(
    request: HttpRequest,
    code: UUID,
    format: Literal["json", "markdown", "sarif"] = "json",  # noqa: A002 - the query's name
) -> HttpResponseBase:
    """The whole result as one document: JSON, or as a file Markdown or SARIF 2.1.0."""
    session = access.find_session(actor_of(request), code)
    if format == "json":
        return JsonResponse(export.document(session))
    if format == "sarif":
        name = {"Content-Disposition": f"attachment; filename=session-{session.code}.sarif"}
        return JsonResponse(sarif(session), content_type="application/sarif+json", headers=name)
    name = {"Content-Disposition": f"attachment; filename=session-{session.code}.md"}
    return HttpResponse(export.markdown(session), content_type="text/markdown; charset=utf-8", headers=name)
