"""The gate of a session: its page, and the box in which people decide. Opening the page decides nothing."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from sessions import access
from sessions.access import APPROVE, WRITE, Actor
from sessions.actions import gates
from sessions.actions.errors import Refused
from sessions.actions.gate_refusals import FEWEST_CHARACTERS, MOST_CHARACTERS
from sessions.models import Gate, Session
from sessions.views.base import page
from sessions.views.gate_panel import Panel
from sessions.views.head import Head, show_tab

# What stays in the form when it is refused: by the template's name, the field's.
TYPED = {"why": "reason", "to": "to", "hours": "hours"}
HOURS = (("", "for good"), ("24", "for a day"), ("168", "for a week"), ("720", "for 30 days"))

Act = Callable[[Actor, Session, QueryDict], Gate]


def _approve(actor: Actor, session: Session, said: QueryDict) -> Gate:
    return gates.approve(actor, session, said.get("shown", ""))


def _reject(actor: Actor, session: Session, said: QueryDict) -> Gate:
    return gates.reject(actor, session, said.get("shown", ""), said.get("reason", ""))


def _override(actor: Actor, session: Session, said: QueryDict) -> Gate:
    hours = said.get("hours", "")
    span = int(hours) if hours.isascii() and hours.isdigit() and len(hours) < 6 else None
    return gates.override(actor, session, said.get("shown", ""), said.get("to", ""), said.get("reason", ""), span)


def _undo(actor: Actor, session: Session, said: QueryDict) -> Gate:
    return gates.undo(actor, session, said.get("shown", ""))


# last word of the address -> what it does and what is said then
ACTS: dict[str, tuple[Act, str]] = {
    "approve": (_approve, "Your decision is on record."),
    "reject": (_reject, "Rejected."),
    "override": (_override, "Overridden."),
    "undo": (_undo, "Taken back."),
}


@page("GET")
def panel(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    return _page(request, actor, code)


@page("POST")
def judge(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """Ask for the gate, or have it judged by another policy."""
    session = access.find_session(actor, code, WRITE)
    try:
        gates.judge_session(actor, session, request.POST.get("policy", ""))
    except Refused as refused:
        return _page(request, actor, code, refused)
    return redirect("sessions:gate", code)


def _overrides(request: HttpRequest) -> bool:
    return request.path.endswith("/override/")


@page("POST")
@reauthentication_required(enabled=_overrides)  # type: ignore[untyped-decorator]
def decide(request: HttpRequest, actor: Actor, code: UUID, act: str) -> HttpResponseBase:
    """Whoever overrides and has a password or a passkey proves it once more; then it goes on with what was typed.
    Whoever was second sees the gate as it is now, and who was first."""
    session = access.find_session(actor, code, APPROVE)
    if act not in ACTS:
        raise Http404
    action, words = ACTS[act]
    try:
        action(actor, session, request.POST)
    except Refused as refused:
        return _page(request, actor, code, refused)
    messages.success(request, words)
    return redirect(f"{reverse('sessions:gate', args=[code])}#gate-box-head")  # where it can be taken back


def _page(request: HttpRequest, actor: Actor, code: UUID, refusal: Refused | None = None) -> HttpResponse:
    """As it is now, whatever was known of it before."""
    head = Head(*access.open_session(actor, code), "gate")
    context = box_context(actor, head) | {
        "seq": head.log.last_seq,
        "typed": {name: request.POST.get(said, "") for name, said in TYPED.items()},
        "refusal": refusal,
    }
    return show_tab(request, head, "sessions/gate.html", context, refusal.status if refusal else 200)


def box_context(actor: Actor, head: Head) -> dict[str, Any]:
    """What the parts of the page are made of."""
    return {
        "panel": Panel(head, actor),
        "hours": HOURS,
        "fewest": FEWEST_CHARACTERS,
        "most": MOST_CHARACTERS,
    }
