"""A finished session as it was: the page that goes through its event log. It changes nothing."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from sessions import access
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.engine.agreement import share_words
from sessions.queries import LoggedEvent, charge_notice
from sessions.queries.gates import policy_labels
from sessions.queries.replay import replay as replay_at
from sessions.states import ENDED
from sessions.views.base import page
from sessions.views.head import Head, show_tab
from sessions.views.timeline import entries

MOST_DIGITS = 9


@page("GET")
def replay(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """As of event `?at=`, else the first; for htmx only what that changes."""
    head = Head(*access.open_session(actor, code), "replay")
    session = head.session
    if session.status not in ENDED:
        said = f"A {head.kind_word} is replayed once it is finished. Its own page shows it live."
        raise Refused("not_finished", said, 409)
    at = request.GET.get("at", "")
    then = replay_at(session, int(at) if at.isascii() and at.isdigit() and len(at) <= MOST_DIGITS else 1)
    event = LoggedEvent(seq=then.seq, kind=then.event.kind, at=then.at, data=then.event.data)
    context = {
        "then": then,
        "entry": entries([event], partial(policy_labels, session.project))[0],
        "elapsed": then.at - session.created_at,
        "rounds": [(one, share_words(one.number, one.agreement_bp)) for one in then.rounds],
        "charge": charge_notice(then.seats),
    }
    template = "sessions/_then.html" if request.headers.get("HX-Request") else "sessions/replay.html"
    response = show_tab(request, head, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response
