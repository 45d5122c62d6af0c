"""API keys of a project: everybody sees and makes their own; moderators see all and can end them."""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from sessions import access
from sessions.access import APPROVE, MANAGE, READ, WRITE, Actor, grants_in
from sessions.actions.errors import Refused
from sessions.actions.projects import create_api_key, revoke_api_key
from sessions.models import ApiKey
from sessions.views.base import page, show

SCOPE_WORDS = {
    READ: "see artifacts, sessions and findings",
    WRITE: "bring artifacts; start, stop and retry sessions",
    APPROVE: "decide on gates",
    MANAGE: "delete artifacts and sessions",
}
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "no end"}


@page("GET", "POST")
def keys(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """POST makes a key and shows it in its reply, the only time it can be seen."""
    project = access.find_project(actor, slug)
    granted, refusal, made = grants_in(actor, project), None, None
    if request.method == "POST":
        try:
            made = create_api_key(
                actor,
                project,
                request.POST.get("name", ""),
                request.POST.getlist("scopes"),
                _expiry(request.POST.get("lifetime", "")),
            )
        except Refused as refused:
            refusal = refused
    rows = ApiKey.objects.filter(project=project).select_related("user").order_by("-created_at")
    context = {
        "rows": rows if MANAGE in granted else rows.filter(user=actor.user),
        "scopes": [(scope, words) for scope, words in SCOPE_WORDS.items() if scope in granted],
        "lifetimes": LIFETIMES.items(),
        "refusal": refusal,
        "made": made,
        "now": timezone.now(),
        "tab": "keys",
    }
    status = refusal.status if refusal else 201 if made else 200
    return show(request, actor, project, "sessions/keys.html", context, status)


@page("POST")
def revoke(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    key = ApiKey.objects.select_related("project").filter(code=code).first()
    if key is None:
        raise Http404
    access.require(actor, key.project, READ)
    revoke_api_key(actor, key)
    messages.success(request, f"The key {key.name} was revoked.")
    return redirect("sessions:keys", key.project.slug)


def _expiry(days: str) -> datetime | None:
    return timezone.now() + timedelta(days=int(days)) if days in LIFETIMES and days else None
