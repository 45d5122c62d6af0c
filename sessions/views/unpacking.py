"""What the start page asks while archives are being unpacked."""

from django.http import HttpRequest, HttpResponse

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions.unpacking import MAX_WAITING, find_unpacking
from sessions.models import Unpacking
from sessions.views.base import page, show


@page("GET")
def unpacking(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    """The archives of `?unpacking=use:code` and how far each is; `unpacked` once nothing is waited for. A
    fragment."""
    project = access.find_project(actor, slug, WRITE)
    named = [text.partition(":") for text in request.GET.getlist("unpacking")[:MAX_WAITING]]
    rows = [(row, use) for use, _, code in named if (row := find_unpacking(project, code))]
    unpacked = all(row.state != Unpacking.State.WAITING for row, _ in rows)
    return show(request, actor, project, "sessions/_unpacking.html", {"unpackings": rows, "unpacked": unpacked})
