"""Pages that belong to no project: sign-in by link, invitations, health, errors."""

import logging
import sys
from typing import cast
from urllib.parse import urlencode

from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import login
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from crucible_site.accounts import find_login_link, use_login_link
from crucible_site.models import User
from sessions.access import Actor, memberships
from sessions.actions.errors import Refused
from sessions.actions.invitations import accept_invitation, find_invitation, require_usable

logger = logging.getLogger(__name__)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_link(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a page with one button, so that a mail scanner cannot use the link up; POST signs in."""
    if request.method == "POST":
        user = use_login_link(token)
        if user is not None:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("home")
    link = find_login_link(token)
    return render(request, "site/login_link.html", {"link": link}, status=200 if link else 410)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """An invitation. GET says to what and changes nothing, so that a mail scanner cannot use it up; POST accepts."""
    if not ratelimit.consume(request, action="invitation"):
        return cast(HttpResponse, ratelimit.respond_429(request))
    invitation = find_invitation(token)
    if invitation is None:
        return render(request, "site/invitation.html", {"invitation": None}, status=404)
    person = request.user if isinstance(request.user, User) else None
    project = redirect("sessions:project", invitation.project.slug)
    try:
        if request.method == "POST" and person:
            accept_invitation(invitation, person)
            return project
        require_usable(invitation, person)
    except Refused as refusal:
        if person and memberships(Actor(person)).filter(project=invitation.project).exists():
            if invitation.used_by_id != person.pk:
                messages.info(request, "You belong to this project already.")
            return project
        context = {"invitation": invitation, "refusal": refusal}
        return render(request, "site/invitation.html", context, status=refusal.status)
    way_on = urlencode({"next": request.path, **({"email": invitation.email} if invitation.email else {})})
    return render(request, "site/invitation.html", {"invitation": invitation, "way_on": way_on})


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """For load balancers: the process answers and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """The page and the log line name the same request id. A database that is away is not our failure: 503."""
    unreachable = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    logger.error("request %s failed: %s", getattr(request, "id", ""), request.path)
    return render(request, "500.html", status=503 if unreachable else 500)
