"""The page that says what settling a review would put to the rounds and cost, and its one button."""

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import start_session
from sessions.actions.settling import candidates, check_settling, settle, settling_estimate
from sessions.models import Session
from sessions.queries import findings_of
from sessions.queries.estimate import start_line
from sessions.views.base import page, show


@page("GET", "POST")
def settling(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """GET lists the findings, those preset that something speaks for, or with `?choose` those named; POST starts the
    deliberation about the chosen."""
    review = access.find_session(actor, code, WRITE)
    refusal = None
    chosen = _named(request.GET.getlist("finding")) if "choose" in request.GET else None
    if request.method == "POST":
        chosen = _named(request.POST.getlist("finding"))
        try:
            return redirect("sessions:detail", _start(actor, review, chosen).code)
        except Refused as refused:
            refusal = refused
    check_settling(review)
    reasons = {one.number: one for one in candidates(review)}
    chosen = {one.number for one in reasons.values() if one.why} if chosen is None else chosen & set(reasons)
    findings = [finding for finding in findings_of(review) if finding.number in reasons]
    context = {
        "session": review,
        "rows": [(finding, reasons[finding.number], finding.number in chosen) for finding in findings],
        "chosen": len(chosen),
        "cost": start_line(settling_estimate(review, chosen)) if chosen else "",
        "refusal": refusal,
        "tab": "sessions",
    }
    status = refusal.status if refusal else 200
    return show(request, actor, review.project, "sessions/settle.html", context, status)


def _named(given: list[str]) -> set[int]:
    return {int(number) for number in given if number.isascii() and number.isdigit() and len(number) < 9}


def _start(actor: Actor, review: Session, numbers: set[int]) -> Session:
    with transaction.atomic():
        return start_session(actor, settle(actor, review, numbers))
