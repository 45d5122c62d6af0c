"""Tables and drawings as files to take along; `title` and `what` make the name of the file."""

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.text import slugify

from sessions.reports import charts
from sessions.reports.drawing import Drawing
from sessions.reports.tables import Table


def csv_file(title: str, what: str, table: Table) -> HttpResponse:
    return _file(table.as_csv(), "text/csv", f"{_name(title)}-{what}.csv")


def svg_file(title: str, what: str, drawing: Drawing) -> HttpResponse:
    context = {"chart": drawing.chart, "legend": charts.legend(drawing.legend)}
    return _file(render_to_string("sessions/chart.svg", context), "image/svg+xml", f"{_name(title)}-{what}.svg")


def _name(title: str) -> str:
    return slugify(title)[:60] or "session"


def _file(body: str, kind: str, name: str) -> HttpResponse:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(body, content_type=f"{kind}; charset=utf-8", headers=disposition)
