"""One session: its page, the fragments that keep it live, the buttons, exports, deletion."""

from uuid import UUID

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.text import slugify

from sessions import access
from sessions.access import MANAGE, WRITE, Actor
from sessions.actions import lifecycle, purge
from sessions.actions.errors import Refused
from sessions.export import document, markdown
from sessions.models import Content, Session
from sessions.views.base import counted, page, show, show_deletion
from sessions.views.room import PARTS, Room, parts_touched
from sessions.views.timeline import announcement

ACTIONS = {
    "start": lifecycle.start_session,
    "stop": lifecycle.stop_session,
    "retry": lifecycle.retry_session,
    "continue": lifecycle.continue_session,
}


@page("GET")
def detail(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    return _page(request, actor, access.find_session(actor, code))


@page("POST")
def act(request: HttpRequest, actor: Actor, code: UUID, action: str) -> HttpResponseBase:
    """Pull a trigger. Whoever lost the race sees the session as it is now, with what happened."""
    session = access.find_session(actor, code, WRITE)
    try:
        ACTIONS[action](actor, session)
    except Refused as refusal:
        return _page(request, actor, access.find_session(actor, code), refusal)
    return redirect("sessions:detail", code)


@page("GET")
def live(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """What changed after event `?after=`, as partials; 304 when nothing did. The ETag is the number of the last event
    that is in it: the next `after`."""
    cursor = request.GET.get("after", "")
    after = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else 0
    room = Room(access.find_session(actor, code), actor, after)
    response = HttpResponse(status=304)
    if room.events:
        parts = parts_touched(room.events)
        context = {"room": room, "parts": parts, "announcement": announcement(room.events)}
        response = render(request, "sessions/_live.html", context)
    response["ETag"] = f'"{room.seq}"'
    patch_vary_headers(response, ["HX-Request"])
    return response


@page("GET")
def export(request: HttpRequest, actor: Actor, code: UUID, form: str) -> HttpResponse:
    """The session as a document to keep: `md` for people, `json` for programs."""
    session = access.find_session(actor, code)
    if form == "md":
        body, kind = markdown(session).encode(), "text/markdown; charset=utf-8"
    else:
        body, kind = orjson.dumps(document(session), option=orjson.OPT_INDENT_2), "application/json"
    name = f"{slugify(session.title)[:60] or 'session'}.{form}"
    return HttpResponse(body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@page("GET", "POST")
def delete(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """GET says what goes, POST erases it."""
    session = access.find_session(actor, code, MANAGE)
    if request.method == "POST":
        purge.delete_session(actor, session)
        messages.success(request, f"{session.title} was deleted.")
        return redirect("sessions:project", session.project.slug)
    going = [
        counted(session.participants.count(), "instance's answers", "instances' answers"),
        counted(session.findings.count(), "finding", "findings"),
        counted(Content.objects.filter(session=session, erased_at=None).count(), "text in all", "texts in all"),
    ]
    back = reverse("sessions:detail", args=[code])
    return show_deletion(request, actor, session.project, f"the review {session.title}", going, back)


def _page(request: HttpRequest, actor: Actor, session: Session, refusal: Refused | None = None) -> HttpResponse:
    context = {"room": Room(session, actor), "parts": PARTS, "refusal": refusal, "tab": "reviews"}
    return show(request, actor, session.project, "sessions/session.html", context, refusal.status if refusal else 200)
