"""Analytics of one session: what it cost, when it asked what, and what each instance brought."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from billing.pricing import dollars
from sessions import access
from sessions.access import Actor
from sessions.reports import charts
from sessions.reports.charts import Part, Stack
from sessions.views.base import page
from sessions.views.downloads import csv_file, svg_file
from sessions.views.figures import COST_READING, Figures
from sessions.views.head import Head, show_tab

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
    head = _head(actor, code)
    template = "sessions/_analytics_live.html" if request.headers.get("HX-Request") else "sessions/analytics.html"
    response = show_tab(request, head, template, {"figures": Figures(head), "example": EXAMPLE})
    patch_vary_headers(response, ["HX-Request"])
    return response


@page("GET")
def download(request: HttpRequest, actor: Actor, code: UUID, what: str, form: str) -> HttpResponse:
    """A table as CSV, a drawing as SVG; Http404 for what this session has none of."""
    figures = Figures(_head(actor, code))
    session = figures.session
    drawing = figures.drawings.get(what)
    if what == INSTANCES:
        return csv_file(session.title, what, figures.instance_table)
    if drawing is None:
        raise Http404
    return csv_file(session.title, what, drawing.table) if form == "csv" else svg_file(session.title, what, drawing)


def _head(actor: Actor, code: UUID) -> Head:
    return Head(*access.open_session(actor, code), "analytics")
