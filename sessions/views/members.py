"""Who belongs to a project, and invitations for those who do not yet."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from sessions import access
from sessions.access import MANAGE, OWN, READ, Actor
from sessions.actions import invitations, projects
from sessions.actions.errors import Refused
from sessions.models import Invitation, Membership, Project, Role
from sessions.people import User
from sessions.views.base import page, show

ONLY_OWNER = "The only owner stays: make somebody else owner first."
OWNERS_ONLY = "Only an owner can change an owner."
LISTED = 50


@page("GET", "POST")
def members(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """POST adds somebody who has an account, changes a role, or removes somebody."""
    found = access.find_project(actor, slug, MANAGE if request.method == "POST" else READ)
    refusal = None
    if request.method == "POST":
        try:
            _change_member(request, actor, found)
            return redirect("sessions:members", found.slug)
        except Refused as refused:
            refusal = refused
    return _page(request, actor, found, refusal)


@page("POST")
def invite(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """Make an invitation and show its link in the reply, the only time it can be seen."""
    found = access.find_project(actor, slug, MANAGE)
    days = request.POST.get("days", "")
    try:
        made = invitations.invite(
            actor,
            found,
            request.POST.get("role", ""),
            request.POST.get("email", ""),
            int(days) if days in map(str, invitations.LIFETIME_DAYS) else 0,
        )
    except Refused as refused:
        return _page(request, actor, found, refused)
    return _page(request, actor, found, made=made)


@page("POST")
def revoke_invitation(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    invitation = Invitation.objects.select_related("project").filter(code=code, project__deleted_at=None).first()
    if invitation is None:
        raise Http404
    access.require(actor, invitation.project, MANAGE)
    invitations.revoke_invitation(invitation)
    messages.success(request, "The invitation was taken back: its link lets nobody in.")
    return redirect("sessions:members", invitation.project.slug)


def _page(
    request: HttpRequest,
    actor: Actor,
    found: Project,
    refusal: Refused | None = None,
    made: tuple[Invitation, str] | None = None,
) -> HttpResponseBase:
    granted = access.grants_in(actor, found)
    context = {
        "rows": _member_rows(found, OWN in granted),
        "roles": [role for role in Role.values if OWN in granted or role != Role.OWNER],
        "invitations": _invitation_rows(found) if MANAGE in granted else [],
        "lifetimes": invitations.LIFETIME_DAYS,
        "can_mail": settings.CRUCIBLE_MAIL,
        "made": made and made[0],
        "link": made and request.build_absolute_uri(reverse("join", args=[made[1]])),
        "only_here": request.get_host().split(":")[0] in ("127.0.0.1", "localhost"),
        "refusal": refusal,
        "typed": request.POST,
        "tab": "members",
    }
    status = refusal.status if refusal else 201 if made else 200
    return show(request, actor, found, "sessions/members.html", context, status)


def _member_rows(found: Project, owns: bool) -> list[tuple[Membership, str]]:
    """The members, each with the reason why the role stays as it is; empty where it may be changed."""
    rows = list(Membership.objects.filter(project=found).select_related("user").order_by("created_at"))
    owners = sum(row.role == Role.OWNER for row in rows)
    why = "" if owns and owners > 1 else ONLY_OWNER if owns else OWNERS_ONLY
    return [(row, why if row.role == Role.OWNER else "") for row in rows]


def _invitation_rows(found: Project) -> list[tuple[Invitation, str]]:
    """(invitation, state), the newest first."""
    now = timezone.now()
    rows = found.invitations.select_related("invited_by", "used_by")[:LISTED]
    return [(row, invitations.state_of(row, now)) for row in rows]


def _change_member(request: HttpRequest, actor: Actor, found: Project) -> None:
    email, role = request.POST.get("email", "").strip(), request.POST.get("role", "")
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise Refused("no_such_person", "Nobody here has this e-mail address. Send an invitation instead.", 422)
    if request.POST.get("go") == "remove":
        projects.remove_member(actor, found, user)
        messages.success(request, f"{user} does not belong to this project any more.")
    else:
        projects.set_member(actor, found, user, role)
        messages.success(request, f"{user} is now {role}.")
