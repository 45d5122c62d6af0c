"""Needs you: what waits for a person. Rows lead to the page on which one decides; nothing is decided from a list."""

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from sessions.access import Actor
from sessions.queries.inbox import inbox_of
from sessions.views.base import cursor_of, page, render


@page("GET")
def inbox(request: HttpRequest, actor: Actor) -> HttpResponse:
    return render(request, "sessions/inbox.html", {"inbox": inbox_of(actor), "tab": "inbox"})


@page("GET")
def live(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The list as it is now, as a partial; 304 when it is still what `?after=` stands for. The ETag is its stamp."""
    found = inbox_of(actor)
    response = HttpResponse(status=304)
    if found.stamp != cursor_of(request):
        response = render(request, "sessions/_inbox_live.html", {"inbox": found, "tab": "inbox"})
    response["ETag"] = f'"{found.stamp}"'
    patch_vary_headers(response, ["HX-Request"])
    return response
