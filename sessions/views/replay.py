"""A finished session as it was: the page that goes through its event log. It changes nothing."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from sessions import access
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.engine.agreement import percent
from sessions.kinds import KINDS
from sessions.queries import LoggedEvent, charge_notice, simulated_notice
from sessions.queries.replay import replay as replay_at
from sessions.states import ENDED
from sessions.views.base import page, show
from sessions.views.timeline import entries

MOST_DIGITS = 9


@page("GET")
def replay(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """As of event `?at=`, else the first."""
    session = access.find_session(actor, code)
    if session.status not in ENDED:
        word = KINDS[session.kind].label.lower()
        raise Refused("not_finished", f"A {word} is replayed once it is finished. Its own page shows it live.", 409)
    at = request.GET.get("at", "")
    then = replay_at(session, int(at) if at.isascii() and at.isdigit() and len(at) <= MOST_DIGITS else 1)
    event = LoggedEvent(seq=then.seq, kind=then.event.kind, at=then.at, data=then.event.data)
    context = {
        "session": session,
        "then": then,
        "entry": entries([event])[0],
        "elapsed": then.at - session.created_at,
        "rounds": [(one, "" if one.agreement_bp is None else f"{percent(one.agreement_bp)} %") for one in then.rounds],
        "simulated": simulated_notice(then.seats),
        "charge": charge_notice(then.seats),
        "tab": "sessions",
    }
    return show(request, actor, session.project, "sessions/replay.html", context)
