"""Analytics of one session: what it cost, when it asked what, and what each instance brought."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from billing.pricing import dollars
from sessions import access
from sessions.access import Actor
from sessions.reports import charts
from sessions.reports.charts import Part, Stack
from sessions.views.base import page, show
from sessions.views.downloads import csv_file, svg_file
from sessions.views.figures import COST_READING, Figures

INSTANCES = "instances"
DRAWINGS = ("cost", "calls", "rounds", "answers", "expected")
DOWNLOADS = ((INSTANCES, "csv"), *((what, form) for what in DRAWINGS for form in ("csv", "svg")))

EXAMPLE = charts.stacked_bars(
    "example",
    "An example: C cost 41 % and raised no finding that only it saw",
    COST_READING,
    [
        Stack("A · Security", "$0.02", [Part("review", "Review", 20, "$0.02")]),
        Stack(
            "B · Correctness",
            "$0.03",
            [Part("review", "Review", 21, "$0.02"), Part("summary", "Summary", 7, "$0.01")],
        ),
        Stack("C · Style", "$0.03", [Part("review", "Review", 33, "$0.03")]),
    ],
    lambda value: dollars(int(value * 1_000_000), about=True),
)


@page("GET")
def overview(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """The page; for htmx only what changes while the session runs."""
    session = access.find_session(actor, code)
    context = {"figures": Figures(session), "session": session, "example": EXAMPLE, "tab": "sessions"}
    if request.headers.get("HX-Request"):
        response = render(request, "sessions/_analytics.html", context)
    else:
        response = show(request, actor, session.project, "sessions/analytics.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@page("GET")
def download(request: HttpRequest, actor: Actor, code: UUID, what: str, form: str) -> HttpResponse:
    """A table as CSV, a drawing as SVG; Http404 for what this session has none of."""
    session = access.find_session(actor, code)
    figures = Figures(session)
    drawing = figures.drawings.get(what)
    if what == INSTANCES:
        return csv_file(session.title, what, figures.instance_table)
    if drawing is None:
        raise Http404
    return csv_file(session.title, what, drawing.table) if form == "csv" else svg_file(session.title, what, drawing)
