"""Projects: the list, and one project's sessions."""

from django.db.models import BigAutoField, Count, Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from sessions import access
from sessions.access import Actor
from sessions.actions import projects
from sessions.actions.errors import Refused
from sessions.catalog.best import working_models
from sessions.catalog.review_templates import REVIEW_TEMPLATES
from sessions.compiled import Compiled, Given
from sessions.models import Repository, Session
from sessions.queries import projects_of, sessions_of
from sessions.views.artifacts import TEXT_KINDS, UPLOAD_LIMITS
from sessions.views.base import page, render, show

SESSIONS_SHOWN = 50
MODELS_NAMED = 3


@page("GET", "POST")
def home(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The projects of a person; whoever has one goes straight to it. POST makes one."""
    refusal = None
    if request.method == "POST":
        try:
            return redirect("sessions:project", projects.create_project(actor.user, request.POST.get("name", "")).slug)
        except Refused as refused:
            refusal = refused
    month = timezone.localtime().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = projects_of(access.memberships(actor), month)
    if len(rows) == 1 and request.method != "POST" and "all" not in request.GET:
        return redirect("sessions:project", rows[0].project.slug)
    context = {"memberships": rows, "refusal": refusal, "typed": request.POST.get("name", ""), "tab": "projects"}
    return render(request, "sessions/home.html", context, status=refusal.status if refusal else 200)


@page("GET")
def project(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    found = access.find_project(actor, slug)
    start = _whole_number(request.GET.get("from", ""))
    rows = sessions_of(found, limit=SESSIONS_SHOWN + 1, offset=start)
    later = start + SESSIONS_SHOWN if len(rows) > SESSIONS_SHOWN else None
    models = working_models(found)
    context = {
        "rows": rows[:SESSIONS_SHOWN],
        "start": start,
        "later": later,
        "models": [model.label or model.pk for model in models[:MODELS_NAMED]],
        "more_models": max(len(models) - MODELS_NAMED, 0),
        "works": bool(models) and models[0].state == "works",
        "example": example_of(actor),
        "templates": list(REVIEW_TEMPLATES.values()),
        "repository": Repository.objects.filter(project=found).first(),
        "text_kinds": TEXT_KINDS,
        **UPLOAD_LIMITS,
        "tab": "sessions",
    }
    return show(request, actor, found, "sessions/project.html", context)


_EXAMPLE = Compiled(
    lambda: (
        access.readable_sessions(Given("user", BigAutoField()))
        .filter(project__is_demo=True, status="completed", kind="review")
        .annotate(raised=Count("findings", Q(findings__status="open")))
        .order_by("created_at", "pk")[:1]
    )
)


def example_of(actor: Actor) -> Session | None:
    """The finished review that came along, for whoever may see the demo project."""
    return next(iter(_EXAMPLE(user=actor.user_id)), None)


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
