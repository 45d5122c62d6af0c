"""Analytics of one review: what it cost, when it asked what, and what each instance brought."""

from functools import cached_property
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.text import slugify

from billing.pricing import dollars
from sessions import access
from sessions.access import Actor
from sessions.engine.text import clip
from sessions.glossary import label
from sessions.models import Participant, Session
from sessions.queries import Analytics, InstanceFigures, analytics, charge_notice
from sessions.queries.analytics import STAGES
from sessions.queries.calls import TimedAttempt, timed_attempts
from sessions.reports import charts
from sessions.reports.charts import Chart, Lane, Part, Span, Stack
from sessions.reports.tables import Cell, Column, Table
from sessions.states import AT_REST
from sessions.templatetags.crucible import duration, milliseconds
from sessions.views.base import page, show
from sessions.views.insights import cost_insight, estimate_insight, time_insight

MOST_LABEL = 26  # letters of a name that fit beside a figure on a phone
COST_READING = "One bar per instance, its length the cost, divided by stage."
TIME_READING = "One lane per instance on one scale of time: hatched while it had to wait for its turn, light until the"
TIME_READING += " first word, dark while its answer arrived, empty where a try failed."
SPAN_WORDS = (("queue", "waiting for its turn"), ("wait", "until the first word"), ("stream", "answer arriving"),
              ("lost", "try that failed"))  # fmt: skip

INSTANCE_COLUMNS = (
    Column("Instance", "instance"), Column("Calls"), Column("Tries"), Column("Tokens in"), Column("Tokens out"),
    Column("Cached"), Column("Cost", "dollars"), Column("Median", "time"), Column("95 %", "time"),
    Column("Raised"), Column(label("field", "confirmed_findings")), Column(label("field", "seen_by")),
    Column("Cost per confirmed", "dollars"), Column("Failed tries", "text"),
)  # fmt: skip
CALL_COLUMNS = (
    Column("Instance", "text"), Column("Stage", "text"), Column("Try"), Column("Asked after", "time"),
    Column("Waited", "time"), Column("First word after", "time"), Column("Took", "time"), Column("Came to", "text"),
)  # fmt: skip

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


def _money(microcredits: float) -> str:
    return dollars(int(microcredits), about=True)


def _clock(ms: float) -> str:
    return f"{ms / 1000:g} s" if ms < 60_000 else duration(ms / 1000)


class Figures:
    """What the page shows of a session, looked up when a template first asks."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.running = session.status not in AT_REST

    @cached_property
    def analytics(self) -> Analytics:
        return analytics(self.session)

    @cached_property
    def attempts(self) -> list[TimedAttempt]:
        return timed_attempts(self.session)

    @cached_property
    def charge(self) -> str:
        return charge_notice(Participant.objects.filter(session=self.session).order_by("letter"))

    @property
    def estimate_sentence(self) -> str:
        return estimate_insight(self.analytics)

    @property
    def elapsed(self) -> int | None:
        """Milliseconds from the start to the end, or to now."""
        started = self.session.started_at
        end = self.session.finished_at or timezone.now()
        return int((end - started).total_seconds() * 1000) if started else None

    @cached_property
    def cost_chart(self) -> Chart:
        rows = self.analytics.instances
        stacks = [Stack(_name(row), dollars(row.cost_microcredits), _parts(row)) for row in rows]
        return charts.stacked_bars("cost", cost_insight(self.analytics), COST_READING, stacks, _money)

    @cached_property
    def time_chart(self) -> Chart:
        lanes = [self._lane(row) for row in self.analytics.instances]
        return charts.gantt("calls", time_insight(self.attempts), TIME_READING, lanes, _clock)

    @property
    def cost_legend(self) -> list[tuple[str, str]]:
        used = {stage for row in self.analytics.instances for stage in row.cost_by_stage}
        return [(stage, label("stage", stage)) for stage in STAGES if stage in used]

    @property
    def time_legend(self) -> list[tuple[str, str]]:
        used = {mark.style for mark in self.time_chart.marks}
        return [(style, words) for style, words in SPAN_WORDS if style in used]

    @property
    def instance_table(self) -> Table:
        return Table(INSTANCE_COLUMNS, tuple(_instance_row(row, self.analytics) for row in self.analytics.instances))

    @property
    def cost_table(self) -> Table:
        used = [stage for stage, _ in self.cost_legend]
        columns = [Column(label("stage", stage), "dollars") for stage in used]
        rows: list[list[Cell]] = [
            [f"{row.letter} {row.name}", *(row.cost_by_stage.get(stage, 0) for stage in used), row.cost_microcredits]
            for row in self.analytics.instances
        ]
        return Table((Column("Instance", "instance"), *columns, Column("All", "dollars")), tuple(rows))

    @property
    def calls_table(self) -> Table:
        return Table(CALL_COLUMNS, tuple(_call_row(attempt) for attempt in self.attempts))

    def _lane(self, row: InstanceFigures) -> Lane:
        own = [attempt for attempt in self.attempts if attempt.letter == row.letter]
        took = sum(attempt.end - attempt.start for attempt in own)
        return Lane(_name(row), milliseconds(took), [_spans(attempt) for attempt in own])


@page("GET")
def overview(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """The page; for htmx only what changes while the session runs."""
    session = access.find_session(actor, code)
    context = {"figures": Figures(session), "session": session, "example": EXAMPLE, "tab": "reviews"}
    if request.headers.get("HX-Request"):
        response = render(request, "sessions/_analytics.html", context)
    else:
        response = show(request, actor, session.project, "sessions/analytics.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@page("GET")
def download(request: HttpRequest, actor: Actor, code: UUID, what: str, form: str) -> HttpResponse:
    """A table as CSV, a drawing as SVG."""
    session = access.find_session(actor, code)
    figures = Figures(session)
    if form == "csv":
        tables = {"instances": figures.instance_table, "cost": figures.cost_table, "calls": figures.calls_table}
        body, kind = tables[what].as_csv(), "text/csv; charset=utf-8"
    else:
        drawings = {
            "cost": (figures.cost_chart, figures.cost_legend),
            "calls": (figures.time_chart, figures.time_legend),
        }
        chart, entries = drawings[what]
        body = render_to_string("sessions/chart.svg", {"chart": chart, "legend": charts.legend(entries)})
        kind = "image/svg+xml; charset=utf-8"
    name = f"{slugify(session.title)[:60] or 'session'}-{what}.{form}"
    return HttpResponse(body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


DOWNLOADS = (("instances", "csv"), ("cost", "csv"), ("calls", "csv"), ("cost", "svg"), ("calls", "svg"))


def _name(row: InstanceFigures) -> str:
    return clip(f"{row.letter} · {row.name}", MOST_LABEL)


def _parts(row: InstanceFigures) -> list[Part]:
    costs = [(stage, row.cost_by_stage.get(stage, 0)) for stage in STAGES]
    return [Part(stage, label("stage", stage), cost, dollars(cost)) for stage, cost in costs if cost]


def _spans(attempt: TimedAttempt) -> list[Span]:
    """Waiting for its turn, for the first word, then the answer; a try that failed is one stretch."""
    what = f"{attempt.letter}, {label('stage', attempt.stage)}"
    if attempt.ordinal > 1:
        what += f", try {attempt.ordinal}"
    edges = [("queue", attempt.ready, attempt.start)]
    if attempt.answered or attempt.running:
        first = attempt.end if attempt.first_token is None else min(attempt.first_token, attempt.end)
        edges += [("wait", attempt.start, first), ("stream", first, attempt.end)]
    else:
        edges += [("lost", attempt.start, attempt.end)]
    words = dict(SPAN_WORDS)
    return [
        Span(style, start, end, f"{what}: {words[style]}, {milliseconds(end - start)}")
        for style, start, end in edges
        if end > start
    ]


def _instance_row(row: InstanceFigures, figures: Analytics) -> list[Cell]:
    measured, merged = row.measured, figures.merged
    failures = "; ".join(f"{times} × {label('error', code)}" for code, times in row.failures.items())
    return [
        f"{row.letter} {row.name}",
        row.calls,
        row.attempts,
        *((row.prompt_tokens, row.output_tokens, row.cached_tokens) if measured else (None, None, None)),
        row.cost_microcredits if measured and not row.price_unknown else None,
        row.p50_ms,
        row.p95_ms,
        row.findings_raised if merged else None,
        row.confirmed if figures.judged else None,
        row.findings_only_by_it if merged else None,
        row.cost_per_confirmed,
        failures,
    ]


def _call_row(attempt: TimedAttempt) -> list[Cell]:
    came_to = "under way" if attempt.running else label("error", attempt.error_code) or "answered"
    first = None if attempt.first_token is None else attempt.first_token - attempt.start
    return [
        attempt.letter,
        label("stage", attempt.stage),
        attempt.ordinal,
        attempt.start,
        attempt.start - attempt.ready,
        first,
        attempt.end - attempt.start,
        came_to,
    ]
