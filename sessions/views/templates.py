"""Review templates of a project: what they look at, saving, renaming, deleting."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import templates
from sessions.actions.errors import Refused
from sessions.catalog.review_templates import REVIEW_TEMPLATES
from sessions.seats import seats_of_session
from sessions.views.base import page, show


@page("GET")
def listing(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    """The project's own, and those that come along, with who looks at what."""
    project = access.find_project(actor, slug)
    known = templates.templates_of(project)
    context = {
        "own": [one for one in known if one.key not in REVIEW_TEMPLATES],
        "along": list(REVIEW_TEMPLATES.values()),
        "tab": "rosters",
    }
    return show(request, actor, project, "sessions/templates.html", context)


@page("GET", "POST")
def save(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """GET says what of a finished review would be kept, POST keeps it."""
    session = access.find_session(actor, code, WRITE)
    refusal, name = None, request.POST.get("name", session.title[:80])
    if request.method == "POST":
        try:
            saved = templates.save_template(actor, session, name)
            messages.success(request, f"{saved.name} was saved. New reviews can begin with it.")
            return redirect("sessions:templates", session.project.slug)
        except Refused as refused:
            refusal = refused
    context = {
        "session": session,
        "seats": seats_of_session(session),
        "name": name,
        "refusal": refusal,
        "tab": "sessions",
    }
    return show(
        request, actor, session.project, "sessions/save_template.html", context, refusal.status if refusal else 200
    )


@page("POST")
def rename(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    saved = access.find_template(actor, code, WRITE)
    templates.rename_template(saved, request.POST.get("name", ""))
    messages.success(request, f"It is called {saved.name} now.")
    return redirect("sessions:templates", saved.project.slug)


@page("POST")
def delete(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    saved = access.find_template(actor, code, WRITE)
    templates.drop_template(saved)
    messages.success(request, f"{saved.name} was deleted. Reviews that began with it keep their own copy.")
    return redirect("sessions:templates", saved.project.slug)
