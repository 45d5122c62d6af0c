"""Analytics of a project: what its sessions of all kinds cost and came to in the last weeks."""

from datetime import timedelta
from functools import cached_property

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from billing.pricing import dollars
from sessions import access
from sessions.access import Actor
from sessions.engine.text import clip
from sessions.glossary import label
from sessions.kinds import KINDS
from sessions.models import Project
from sessions.queries.project_figures import KindFigures, ModelFigures, ProjectFigures, project_figures
from sessions.reports import charts
from sessions.reports.charts import Part, Stack
from sessions.reports.drawing import Drawing
from sessions.reports.tables import Cell, Column, Table
from sessions.views.analytics import EXAMPLE
from sessions.views.base import page, show
from sessions.views.downloads import csv_file, svg_file
from sessions.views.insights import models_insight, spent_insight

DAYS = 30
FEWEST = 5  # finished sessions from which on figures say something
DOWNLOADS = (
    ("kinds", "csv"),
    ("models", "csv"),
    ("spent", "csv"),
    ("spent", "svg"),
    ("shares", "csv"),
    ("shares", "svg"),
)
KIND_STYLES = {"review": "review", "deliberation": "assess", "certification": "brief"}
SPENT_READING = "One bar per day on which models were asked, its length the cost, divided by kind of session."
SHARES_READING = "One bar per model, its length what it cost; the dearest first."
MOST_MODELS, MOST_LABEL = 12, 26
KIND_COLUMNS = (
    Column("Kind", "text"), Column("Sessions"), Column(label("status", "completed")), Column(label("status", "failed")),
    Column("Came to", "text"), Column("Cost", "dollars"), Column("Cost of one", "dollars"),
    Column("Median time", "time"),
)  # fmt: skip
MODEL_COLUMNS = (
    Column("Model", "text"), Column("Sessions"), Column("Tries"), Column("Failed tries"), Column("Cost", "dollars"),
    Column("Raised"), Column(label("field", "seen_by")), Column(label("field", "confirmed_findings")),
    Column("Cost per confirmed", "dollars"),
)  # fmt: skip


class ProjectDrawings:
    """What the page shows, looked up when a template first asks."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def figures(self) -> ProjectFigures:
        return project_figures(self.project, timezone.now() - timedelta(days=DAYS))

    @property
    def is_enough(self) -> bool:
        return self.figures.finished >= FEWEST

    @cached_property
    def drawings(self) -> dict[str, Drawing]:
        return {"spent": self._spent(), "shares": self._shares()}

    @property
    def tables(self) -> dict[str, Table]:
        kinds = tuple(_kind_row(one) for one in self.figures.kinds)
        models = tuple(_model_row(one) for one in self.figures.models)
        return {"kinds": Table(KIND_COLUMNS, kinds), "models": Table(MODEL_COLUMNS, models)}

    def _spent(self) -> Drawing:
        days = [(f"{day:%-d %B}", by_kind) for day, by_kind in self.figures.spent.items()]
        stacks = [Stack(day, dollars(sum(by_kind.values())), _parts(by_kind)) for day, by_kind in days]
        chart = charts.stacked_bars("spent", spent_insight(self.figures, DAYS), SPENT_READING, stacks, _money)
        used = [kind for kind in KIND_STYLES if any(one.kind == kind for one in self.figures.kinds)]
        columns = (*(Column(KINDS[kind].label, "dollars") for kind in used), Column("All", "dollars"))
        rows: list[list[Cell]] = [
            [day, *(by_kind.get(kind, 0) for kind in used), sum(by_kind.values())] for day, by_kind in days
        ]
        legend = [(KIND_STYLES[kind], KINDS[kind].label) for kind in used]
        return Drawing(chart, Table((Column("Day", "text"), *columns), tuple(rows)), legend)

    def _shares(self) -> Drawing:
        dearest = self.figures.models[:MOST_MODELS]
        stacks = [
            Stack(
                clip(one.label, MOST_LABEL), dollars(one.cost), [Part("review", one.label, one.cost, dollars(one.cost))]
            )
            for one in dearest
        ]
        chart = charts.stacked_bars("shares", models_insight(self.figures), SHARES_READING, stacks, _money)
        columns = (Column("Model", "text"), Column("Cost", "dollars"))
        return Drawing(chart, Table(columns, tuple((one.label, one.cost) for one in dearest)), [])


@page("GET")
def overview(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    found = access.find_project(actor, slug)
    context = {"shown": ProjectDrawings(found), "days": DAYS, "fewest": FEWEST, "example": EXAMPLE, "tab": "sessions"}
    return show(request, actor, found, "sessions/project_analytics.html", context)


@page("GET")
def download(request: HttpRequest, actor: Actor, slug: str, what: str, form: str) -> HttpResponse:
    """A table as CSV, a drawing as SVG."""
    shown = ProjectDrawings(access.find_project(actor, slug))
    name = shown.project.name
    if form == "svg":
        return svg_file(name, what, shown.drawings[what])
    return csv_file(name, what, shown.tables[what] if what in shown.tables else shown.drawings[what].table)


def _money(microcredits: float) -> str:
    return dollars(int(microcredits), about=True)


def _parts(by_kind: dict[str, int]) -> list[Part]:
    return [
        Part(style, KINDS[kind].label, cost, dollars(cost))
        for kind, style in KIND_STYLES.items()
        if (cost := by_kind.get(kind, 0))
    ]


def _kind_row(one: KindFigures) -> list[Cell]:
    outcomes = ", ".join(f"{label('outcome', code).lower()} {count}" for code, count in sorted(one.outcomes.items()))
    milliseconds = None if one.seconds is None else one.seconds * 1000
    each = one.cost // one.sessions
    return [KINDS[one.kind].label, one.sessions, one.completed, one.failed, outcomes, one.cost, each, milliseconds]


def _model_row(one: ModelFigures) -> list[Cell]:
    each = one.cost // one.confirmed if one.confirmed else None
    return [one.label, one.sessions, one.tries, one.failed, one.cost, one.raised, one.alone, one.confirmed, each]
