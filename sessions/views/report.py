"""The report of a session: to read, to print, to show to somebody by a link."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sessions import access
from sessions.access import MANAGE, WRITE, Actor
from sessions.actions.errors import Refused
from sessions.actions.sharing import LIFETIME_DAYS, find_link, open_links, revoke_link, share_report
from sessions.reports.export import markdown
from sessions.reports.html import html_of
from sessions.views.base import page
from sessions.views.head import Head, show_tab


@page("GET")
def report(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    return _shown(request, actor, code)


@page("POST")
def share(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """Make a link. Its token is shown in this reply only."""
    session = access.find_session(actor, code, WRITE)
    days = request.POST.get("days", "")
    try:
        lifetime = int(days) if days.isascii() and days.isdigit() and len(days) < 4 else 0
        _, token = share_report(actor, session, lifetime, public=request.POST.get("who") == "everybody")
    except Refused as refusal:
        return _shown(request, actor, code, refusal=refusal)
    address = request.build_absolute_uri(reverse("sessions:shared_report", args=[token]))
    return _shown(request, actor, code, address=address)


@page("POST")
def revoke(request: HttpRequest, actor: Actor, code: UUID, link: UUID) -> HttpResponseBase:
    session = access.find_session(actor, code, WRITE)
    revoke_link(session, link)
    messages.success(request, "The link was taken back. Whoever has it sees nothing any more.")
    return redirect("sessions:report", code)


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponseBase:
    """What somebody with a link sees: the report alone."""
    link = find_link(token)
    if link is None:
        raise Http404
    if not (link.public or request.user.is_authenticated):
        return redirect_to_login(request.path)
    context = {"session": link.session, "report": html_of(markdown(link.session)), "link": link}
    response = render(request, "sessions/shared_report.html", context)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"  # the address is the key
    return response


def _shown(
    request: HttpRequest, actor: Actor, code: UUID, *, address: str = "", refusal: Refused | None = None
) -> HttpResponse:
    head = Head(*access.open_session(actor, code), "report")
    context = {
        "report": html_of(markdown(head.session)),
        "links": open_links(head.session).select_related("created_by"),
        "lifetimes": LIFETIME_DAYS,
        "address": address,
        "refusal": refusal,
        "may_publish": MANAGE in head.grants,
    }
    return show_tab(request, head, "sessions/report.html", context, refusal.status if refusal else 200)
