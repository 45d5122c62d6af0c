"""The search box: one field, everything that somebody may read."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sessions import access
from sessions.access import Actor
from sessions.queries.search import SHOWN, search
from sessions.views.base import page

LONGEST = 200


@page("GET")
def results(request: HttpRequest, actor: Actor) -> HttpResponse:
    query = request.GET.get("q", "")[:LONGEST].strip()
    context = {"query": query, "hits": search(access.projects(actor), query), "shown": SHOWN}
    return render(request, "sessions/search.html", context)
