"""One session: its page, the fragments that keep it live, the buttons, exports, deletion."""

from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.text import slugify

from sessions import access
from sessions.access import MANAGE, WRITE, Actor
from sessions.actions import lifecycle, purge
from sessions.actions.errors import Refused
from sessions.kinds import KINDS
from sessions.models import Content
from sessions.reports.export import document, markdown
from sessions.reports.sarif import sarif
from sessions.views.base import Deletion, ask_and_delete, counted, cursor_of, page, render
from sessions.views.choice import choice_of
from sessions.views.head import show_tab
from sessions.views.room import Room
from sessions.views.timeline import announcement

ACTIONS = {
    "start": lifecycle.start_session,
    "stop": lifecycle.stop_session,
    "retry": lifecycle.retry_session,
    "continue": lifecycle.continue_session,
}
SARIF = "application/sarif+json"


@page("GET")
def detail(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    return show_room(request, _room(request, actor, code))


@page("POST")
def act(request: HttpRequest, actor: Actor, code: UUID, action: str) -> HttpResponseBase:
    """Pull a trigger. Whoever lost the race sees the session as it is now, with what happened."""
    session = access.find_session(actor, code, WRITE)
    try:
        ACTIONS[action](actor, session)
    except Refused as refusal:
        return show_room(request, _room(request, actor, code), refusal)
    return redirect("sessions:detail", code)


@page("POST")
def again(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """The same once more, asked anew; leads to the new session."""
    session = access.find_session(actor, code, WRITE)
    try:
        new = lifecycle.run_again(actor, session)
    except Refused as refusal:
        return show_room(request, _room(request, actor, code), refusal)
    return redirect("sessions:detail", new.code)


@page("GET")
def live(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """What changed after event `?after=`, as partials; 304 when nothing did. The ETag is the number of the last event
    that is in it: the next `after`."""
    room = _room(request, actor, code, cursor_of(request))
    response = HttpResponse(status=304)
    if room.log.events:
        context = {"room": room, "parts": room.touched, "announcement": announcement(room.log.events)}
        response = render(request, "sessions/_live.html", context)
    response["ETag"] = f'"{room.log.seq}"'
    patch_vary_headers(response, ["HX-Request"])
    return response


@page("GET")
def panes(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """What another choice changes, as partials: always the detail, the list when `?want=list`, and the artifact unless
    its window is the one that is `?shown=`."""
    room = _room(request, actor, code)
    parts = ["list", "detail"] if request.GET.get("want") == "list" else ["detail"]
    if room.texts.pane is None or room.texts.pane.key != request.GET.get("shown"):
        parts.append("artifact")
    response = render(request, "sessions/_panes.html", {"room": room, "parts": parts})
    patch_vary_headers(response, ["HX-Request"])
    return response


@page("GET")
def export(request: HttpRequest, actor: Actor, code: UUID, form: str) -> HttpResponse:
    """The session as a document to keep: `md` for people, `json` for programs, `sarif` for code scanning."""
    session = access.find_session(actor, code)
    if form == "md":
        body, kind = markdown(session).encode(), "text/markdown; charset=utf-8"
    else:
        data, kind = (sarif(session), SARIF) if form == "sarif" else (document(session), "application/json")
        body = orjson.dumps(data, option=orjson.OPT_INDENT_2)
    name = f"{slugify(session.title)[:60] or 'session'}.{form}"
    return HttpResponse(body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@page("GET", "POST")
def delete(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    session = access.find_session(actor, code, MANAGE)
    deletion = Deletion(
        name=session.title,
        kind=KINDS[session.kind].label.lower(),
        erase=lambda: purge.delete_session(actor, session),
        going=lambda: [
            counted(session.participants.count(), "instance's answers", "instances' answers"),
            counted(session.findings.count(), "finding", "findings"),
            counted(Content.objects.filter(session=session, erased_at=None).count(), "text in all", "texts in all"),
        ],
        back=reverse("sessions:detail", args=[code]),
        after=reverse("sessions:project", args=[session.project.slug]),
    )
    return ask_and_delete(request, actor, session.project, deletion)


def show_room(request: HttpRequest, room: Room, refusal: Refused | None = None) -> HttpResponse:
    """The page of a session; with a refusal, the page as it is now and what was refused."""
    return show_tab(request, room, "sessions/session.html", {"refusal": refusal}, refusal.status if refusal else 200)


def _room(request: HttpRequest, actor: Actor, code: UUID, after: int = 0) -> Room:
    return Room(*access.open_session(actor, code), choice_of(request.GET), after)
