"""What keeps the page of a gate live: its parts, once the log of the session went on."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from sessions import access
from sessions.access import Actor
from sessions.queries.gates import gate_events, policy_labels
from sessions.views.base import cursor_of, page
from sessions.views.gates import box_context
from sessions.views.head import Head, show_tab
from sessions.views.timeline import entries


@page("GET")
def live(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """The parts as they are now, as partials; 304 when nothing happened after event `?after=`. The ETag is the number
    of the last event that is in them. What moved the gate meanwhile is said in the box and announced."""
    head, after = Head(*access.open_session(actor, code), "gate"), cursor_of(request)
    seq = head.log.last_seq
    response = HttpResponse(status=304)
    if seq > after:
        newer = [event for event in gate_events(head.session) if event["seq"] > after]
        moves = entries(newer, partial(policy_labels, head.session.project))
        context = box_context(actor, head) | {"moved": moves[-1] if moves else None}
        response = show_tab(request, head, "sessions/_gate_live.html", context)
    response["ETag"] = f'"{seq}"'
    patch_vary_headers(response, ["HX-Request"])
    return response
