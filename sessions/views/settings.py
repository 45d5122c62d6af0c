"""A project's settings: its name, how long it keeps things, an export of everything, its end."""

from uuid import UUID

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone

from sessions import access
from sessions.access import MANAGE, OWN, READ, Actor
from sessions.actions import expiry, projects, purge
from sessions.actions.errors import Refused
from sessions.actions.gate_policies import set_separate_approver
from sessions.models import Artifact, Content, Membership, Project, ProjectExport, Provider, SeparateApprover, Session
from sessions.reports import project_export
from sessions.views.base import Deletion, ask_and_delete, counted, page, show


@page("GET", "POST")
def settings(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """`?days=` says what a retention of so many days would erase now. POST renames."""
    found = access.find_project(actor, slug, MANAGE if request.method == "POST" else READ)
    if request.method == "POST":
        try:
            projects.rename_project(found, request.POST.get("name", ""))
        except Refused as refused:
            return _page(request, actor, found, refused)
        messages.success(request, "The project has a new name.")
        return redirect("sessions:settings", found.slug)
    return _page(request, actor, found)


@page("POST")
def providers(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """Where files of the project may be sent."""
    found = access.find_project(actor, slug, MANAGE)
    chosen = request.POST.getlist("providers") if request.POST.get("which") == "some" else []
    if request.POST.get("which") == "some" and not chosen:
        return _page(request, actor, found, Refused("no_provider", "Choose at least one provider.", 422))
    projects.restrict_project(found, chosen, request.POST.get("which") == "local")
    messages.success(request, "Sessions that start from now on keep to it.")
    return redirect("sessions:settings", found.slug)


@page("POST")
def gates(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """When somebody else than the starter of a session has to decide on its gate."""
    found = access.find_project(actor, slug, MANAGE)
    set_separate_approver(found, request.POST.get("separate_approver", ""))
    messages.success(request, "Decisions from now on keep to it.")
    return redirect("sessions:settings", found.slug)


@page("POST")
def retention(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    found = access.find_project(actor, slug, OWN)
    days = request.POST.get("days", "").strip()
    try:
        expiry.set_retention(actor, found, _days(days))
    except Refused as refused:
        return _page(request, actor, found, refused)
    messages.success(request, f"What is older than {days} days is erased from now on." if days else "Everything stays.")
    return redirect("sessions:settings", found.slug)


@page("POST")
def export(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """Ask for a zip of everything; a worker makes it."""
    found = access.find_project(actor, slug, MANAGE)
    try:
        project_export.ask_for_export(actor, found)
    except Refused as refused:
        return _page(request, actor, found, refused)
    messages.success(request, "The export is being made. Reload this page in a moment to download it.")
    return redirect("sessions:settings", found.slug)


@page("GET")
def download_export(request: HttpRequest, actor: Actor, slug: str, code: UUID) -> HttpResponseBase:
    found = access.find_project(actor, slug, MANAGE)
    row = get_object_or_404(found.exports, code=code, state=ProjectExport.State.READY)
    name = f"{found.slug}-{row.created_at:%Y-%m-%d}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(row.size)}
    return StreamingHttpResponse(project_export.pieces(row), content_type="application/zip", headers=headers)


@page("GET", "POST")
def delete(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    found = access.find_project(actor, slug, OWN)
    deletion = Deletion(
        name=found.name,
        kind="project",
        erase=lambda: purge.delete_project(actor, found),
        going=lambda: [
            counted(Session.objects.filter(project=found, deleted_at=None).count(), "session", "sessions"),
            counted(Artifact.objects.filter(project=found, deleted_at=None).count(), "artifact", "artifacts"),
            counted(found.rosters.count(), "roster", "rosters"),
            counted(Membership.objects.filter(project=found).count(), "membership", "memberships"),
            counted(found.api_keys.count(), "API key", "API keys"),
            _texts(found),
        ],
        back=reverse("sessions:settings", args=[found.slug]),
        after=reverse("home"),
    )
    return ask_and_delete(request, actor, found, deletion)


def _page(request: HttpRequest, actor: Actor, found: Project, refusal: Refused | None = None) -> HttpResponseBase:
    asked = request.GET.get("days", "")
    days = _days(asked)
    sensible = days is not None and 1 <= days <= expiry.MOST_DAYS
    context = {
        "refusal": refusal,
        "typed": request.POST,
        "days": days if days is not None else found.retention_days,
        "most_days": expiry.MOST_DAYS,
        "asked": sensible,
        "going": _going(found, days) if sensible and days else [],
        "providers": Provider.objects.exclude(adapter="demo").order_by("label", "name"),
        "separate_choices": SeparateApprover.choices,
        "exports": found.exports.all()[:5],
        "now": timezone.now(),
        "tab": "settings",
    }
    return show(request, actor, found, "sessions/settings.html", context, refusal.status if refusal else 200)


def _going(found: Project, days: int) -> list[str]:
    """What a retention of so many days would erase now."""
    old = expiry.expired(found, days)
    counts = ((old.sessions.count(), "session", "sessions"), (old.artifacts.count(), "artifact", "artifacts"))
    return [counted(*count) for count in counts if count[0]]


def _texts(found: Project) -> str:
    texts = Content.objects.filter(project=found, erased_at=None)
    size = texts.aggregate(sum=Sum("size"))["sum"] or 0
    return f"{counted(texts.count(), 'text in all', 'texts in all')}, {size / 1_000_000:.1f} MB"


def _days(text: str) -> int | None:
    """None for none; 0, which is refused, for what is no number."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
