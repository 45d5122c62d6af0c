"""What people do about one finding: each a form that says which revision they looked at."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from django.http import Http404, HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import findings
from sessions.actions.errors import Refused
from sessions.models import Session
from sessions.views.base import page, render
from sessions.views.choice import choice_of
from sessions.views.room import Room
from sessions.views.session import show_room

Change = Callable[[Actor, Session, int, QueryDict], int]


def _decide(actor: Actor, session: Session, number: int, said: QueryDict) -> int:
    disposition, because = said.get("disposition", ""), said.get("because", "")
    return findings.decide(actor, session, number, disposition, because, seen=_number(said, "seen")).number


def _regrade(actor: Actor, session: Session, number: int, said: QueryDict) -> int:
    return findings.regrade(actor, session, number, said.get("severity", ""), seen=_number(said, "seen")).number


def _join(actor: Actor, session: Session, number: int, said: QueryDict) -> int:
    return findings.join(actor, session, number, _number(said, "into") or 0, seen=_number(said, "seen")).number


def _split(actor: Actor, session: Session, number: int, said: QueryDict) -> int:
    return findings.split(actor, session, number, said.getlist("reports"), seen=_number(said, "seen")).number


def _comment(actor: Actor, session: Session, number: int, said: QueryDict) -> int:
    findings.comment(actor, session, number, said.get("words", ""))
    return number


def _ask(actor: Actor, session: Session, number: int, said: QueryDict) -> int:
    findings.ask_opinions(actor, session, [number])
    return number


# last word of the address -> what it does; each returns the number of the finding to look at then
CHANGES: dict[str, Change] = {
    "decide": _decide,
    "regrade": _regrade,
    "join": _join,
    "split": _split,
    "comment": _comment,
    "opinions": _ask,
}


@page("POST")
def change(request: HttpRequest, actor: Actor, code: UUID, number: int, what: str) -> HttpResponseBase:
    """Whoever was second sees who was first and the finding as it is now. A script gets the detail alone and, in
    Content-Location, the address of what it shows."""
    session = access.find_session(actor, code, WRITE)
    if what not in CHANGES or number >= 10**9:
        raise Http404
    refusal = None
    try:
        number = CHANGES[what](actor, session, number, request.POST)
    except Refused as refused:
        refusal = refused
    choice = replace(choice_of(request.GET), f=f"F-{number:03d}")
    room = Room(*access.open_session(actor, code), choice)
    if "HX-Request" in request.headers:
        context = {"room": room, "parts": ["detail"], "problem": refusal}
        response = render(request, "sessions/_panes.html", context, status=refusal.status if refusal else 200)
        response["Content-Location"] = choice.address
        return response
    if refusal:
        return show_room(request, room, refusal)
    return redirect(reverse("sessions:detail", args=[code]) + choice.address)


def _number(said: QueryDict, name: str) -> int | None:
    value = said.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
