"""Projects: the list, one project's reviews, its members, its settings."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from sessions import access
from sessions.access import MANAGE, OWN, Actor
from sessions.actions import projects, purge
from sessions.actions.errors import Refused
from sessions.models import Artifact, Content, Membership, Project, Role, Session
from sessions.people import User
from sessions.queries import sessions_of
from sessions.views.base import counted, page, show, show_deletion

SESSIONS_SHOWN = 50


@page("GET", "POST")
def home(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The projects of a person; whoever has one goes straight to it. POST makes one."""
    refusal = None
    if request.method == "POST":
        try:
            return redirect("sessions:project", projects.create_project(actor.user, request.POST.get("name", "")).slug)
        except Refused as refused:
            refusal = refused
    rows = list(access.memberships(actor).select_related("project").order_by("project__name"))
    if len(rows) == 1 and request.method != "POST" and "all" not in request.GET:
        return redirect("sessions:project", rows[0].project.slug)
    context = {"memberships": rows, "refusal": refusal, "typed": request.POST.get("name", "")}
    return render(request, "sessions/home.html", context, status=refusal.status if refusal else 200)


@page("GET")
def project(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    found = access.find_project(actor, slug)
    start = _whole_number(request.GET.get("from", ""))
    rows = sessions_of(found, limit=SESSIONS_SHOWN + 1, offset=start)
    later = start + SESSIONS_SHOWN if len(rows) > SESSIONS_SHOWN else None
    artifacts = Artifact.objects.filter(project=found, deleted_at=None)[:6]
    context = {"rows": rows[:SESSIONS_SHOWN], "start": start, "later": later, "artifacts": artifacts, "tab": "reviews"}
    return show(request, actor, found, "sessions/project.html", context)


@page("GET", "POST")
def members(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """Who belongs to a project. POST adds somebody or changes a role."""
    found = access.find_project(actor, slug, MANAGE if request.method == "POST" else access.READ)
    refusal = None
    if request.method == "POST":
        try:
            _change_member(request, actor, found)
            return redirect("sessions:members", found.slug)
        except Refused as refused:
            refusal = refused
    rows = Membership.objects.filter(project=found).select_related("user").order_by("created_at")
    context = {"rows": rows, "roles": Role.values, "refusal": refusal, "typed": request.POST, "tab": "members"}
    return show(request, actor, found, "sessions/members.html", context, refusal.status if refusal else 200)


def _change_member(request: HttpRequest, actor: Actor, found: Project) -> None:
    email, role = request.POST.get("email", "").strip(), request.POST.get("role", "")
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise Refused("no_such_person", "Nobody here has this e-mail address. They need an account first.", 422)
    if request.POST.get("go") == "remove":
        projects.remove_member(actor, found, user)
        messages.success(request, f"{user} does not belong to this project any more.")
    else:
        projects.set_member(actor, found, user, role)
        messages.success(request, f"{user} is now {role}.")


@page("GET")
def settings(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    found = access.find_project(actor, slug)
    return show(request, actor, found, "sessions/settings.html", {"tab": "settings"})


@page("GET", "POST")
def delete(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """GET says what goes, POST erases it."""
    found = access.find_project(actor, slug, OWN)
    if request.method == "POST":
        purge.delete_project(actor, found)
        messages.success(request, f"{found.name} was deleted.")
        return redirect("home")
    going = [
        counted(Session.objects.filter(project=found, deleted_at=None).count(), "review", "reviews"),
        counted(Artifact.objects.filter(project=found, deleted_at=None).count(), "artifact", "artifacts"),
        counted(Membership.objects.filter(project=found).count(), "membership", "memberships"),
        counted(Content.objects.filter(project=found, erased_at=None).count(), "text in all", "texts in all"),
    ]
    back = reverse("sessions:settings", args=[found.slug])
    return show_deletion(request, actor, found, f"the project {found.name}", going, back)


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
