"""The repository of a project, as a part of its settings page."""

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import OWN, Actor
from sessions.actions import repositories
from sessions.views.base import page


@page("POST")
def repository(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """Set it (`name`, `api_url`, `token`), or with `go=remove` forget it and its token."""
    project = access.find_project(actor, slug, OWN)
    if request.POST.get("go") == "remove":
        repositories.remove_repository(project)
        messages.success(request, "The repository and its token were removed.")
    else:
        fields = {name: request.POST.get(name, "") for name in ("name", "api_url", "token")}
        kept = repositories.set_repository(actor, project, **fields)
        messages.success(request, f"Pull requests come from {kept.name}.")
    return redirect("sessions:settings", project.slug)
