"""Needs you: what waits for a person. Rows lead to the page on which one decides; nothing is decided from a list."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sessions.access import Actor
from sessions.queries.inbox import inbox_of
from sessions.views.base import page


@page("GET")
def inbox(request: HttpRequest, actor: Actor) -> HttpResponse:
    return render(request, "sessions/inbox.html", {"inbox": inbox_of(actor), "tab": "inbox"})
