"""The figures of one session as drawings and tables: what its page of analytics shows and lets people take along."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from billing.pricing import dollars
from sessions.engine.agreement import told_agreement
from sessions.engine.text import clip
from sessions.glossary import label
from sessions.queries import Analytics, InstanceFigures, analytics
from sessions.queries.analytics import DECISION, STAGES
from sessions.queries.brought import Certified, Debated, certified, debated, round_costs
from sessions.queries.calls import TimedAttempt, timed_attempts
from sessions.queries.certification import CertificationView, certification_of
from sessions.queries.deliberation import DeliberationView
from sessions.reports import charts
from sessions.reports.charts import Lane, Part, Span, Stack
from sessions.reports.drawing import Drawing
from sessions.reports.tables import Cell, Column, Table
from sessions.templatetags.crucible import duration, milliseconds
from sessions.views.head import Head
from sessions.views.insights import answers_insight, cost_insight, estimate_insight, rounds_insight, time_insight

MOST_LABEL = 26  # letters of a name that fit beside a figure on a phone
COST_READING = "One bar per instance, its length the cost, divided by stage."
ROUNDS_READING = "One bar per round, its length the cost, divided by stage."
ANSWERS_READING = "One bar per instance, as long as it judged criteria, divided by what it says of them."
EXPECTED_READING = (
    "What was expected at least, most likely and at most, and below it what it came to, from the same zero."
)
TIME_READING = "One lane per instance on one scale of time: hatched while it had to wait for its turn, light until the"
TIME_READING += " first word, dark while its answer arrived, empty where a try failed."
SPAN_WORDS = (("queue", "waiting for its turn"), ("wait", "until the first word"), ("stream", "answer arriving"),
              ("lost", "try that failed"))  # fmt: skip
ANSWER_STYLES = {"met": "review", "not_met": "queue", "not_applicable": "brief", "cannot_determine": "summary"}
EXPECTED = (("low", "At least", "brief"), ("typical", "Expected", "opinion"), ("high", "At most", "brief"))

CALLS = (Column("Instance", "instance"), Column("Calls"), Column("Tries"), Column("Tokens in"), Column("Tokens out"),
         Column("Cached"), Column("Cost", "dollars"), Column("Median", "time"), Column("95 %", "time"))  # fmt: skip
FOUND = (Column("Raised"), Column(label("field", "confirmed_findings")), Column(label("field", "seen_by")),
         Column("Cost per confirmed", "dollars"))  # fmt: skip
DEBATED = (Column(label("agreement", "accepted")), Column(label("agreement", "rejected")), Column("Changed sides"),
           Column(label("confidence_cap", "conformity"), "text"))  # fmt: skip
CERTIFIED = (Column("Verdict", "text"), *(Column(label("criterion", code)) for code in ANSWER_STYLES),
             Column("Not met, unproven"))  # fmt: skip
FAILED = (Column("Failed tries", "text"),)
CALL_COLUMNS = (
    Column("Instance", "text"), Column("Stage", "text"), Column("Try"), Column("Asked after", "time"),
    Column("Waited", "time"), Column("First word after", "time"), Column("Took", "time"), Column("Came to", "text"),
)  # fmt: skip


def _money(microcredits: float) -> str:
    return dollars(int(microcredits), about=True)


def _clock(ms: float) -> str:
    return f"{ms / 1000:g} s" if ms < 60_000 else duration(ms / 1000)


class Figures:
    """What the page shows of a session, looked up when a template first asks."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.session = head.session
        self.running = not head.at_rest

    @cached_property
    def analytics(self) -> Analytics:
        return analytics(self.session)

    @cached_property
    def attempts(self) -> list[TimedAttempt]:
        return timed_attempts(self.session)

    @property
    def charge(self) -> str:
        return self.head.charge

    @property
    def elapsed(self) -> int | None:
        """Milliseconds from the start to the end, or to now."""
        elapsed = self.head.elapsed
        return None if elapsed is None else int(elapsed.total_seconds() * 1000)

    @property
    def deliberation(self) -> DeliberationView | None:
        return self.head.deliberation

    @cached_property
    def certification(self) -> CertificationView | None:
        return certification_of(self.session)

    @cached_property
    def debated(self) -> Mapping[str, Debated]:
        return debated(self.deliberation) if self.deliberation else {}

    @cached_property
    def certified(self) -> Mapping[str, Certified]:
        return certified(self.certification) if self.certification else {}

    @cached_property
    def drawings(self) -> dict[str, Drawing]:
        """By key, those that this session has something for."""
        found = {
            "cost": self._cost(),
            "calls": self._calls(),
            "rounds": self._rounds() if self.deliberation else None,
            "answers": self._answers() if self.certified else None,
            "expected": self._expected(),
        }
        return {key: drawing for key, drawing in found.items() if drawing}

    @property
    def instance_table(self) -> Table:
        finds = () if self.certification else FOUND
        of_kind = DEBATED if self.debated else CERTIFIED if self.certification else ()
        rows = tuple(self._instance_row(row) for row in self.analytics.instances)
        return Table((*CALLS, *finds, *of_kind, *FAILED), rows)

    def _instance_row(self, row: InstanceFigures) -> list[Cell]:
        finds = [] if self.certification else _found_cells(row, self.analytics)
        of_kind: list[Cell] = []
        if self.debated:
            of_kind = _debated_cells(self.debated[row.letter])
        elif self.certification:
            of_kind = _certified_cells(self.certified.get(row.letter))
        failures = "; ".join(f"{times} × {label('error', code)}" for code, times in row.failures.items())
        return [*_call_cells(row), *finds, *of_kind, failures]

    def _expected(self) -> Drawing | None:
        """None where nothing was expected, and where a price is not known."""
        figures, expected = self.analytics, self.analytics.estimate or {}
        if expected.get("typical") is None or figures.price_unknown or not figures.measured:
            return None
        now = "So far" if self.running else "In the end"
        rows = [(words, style, int(expected[name])) for name, words, style in EXPECTED]
        rows.append((now, "review", figures.cost_microcredits))
        stacks = [Stack(words, dollars(cost), [Part(style, words, cost, dollars(cost))]) for words, style, cost in rows]
        chart = charts.stacked_bars("expected", estimate_insight(figures), EXPECTED_READING, stacks, _money)
        table = Table((Column("", "text"), Column("Cost", "dollars")), tuple((words, cost) for words, _, cost in rows))
        return Drawing(chart, table, [])

    def _cost(self) -> Drawing:
        rows = {row.letter: row.cost_by_stage for row in self.analytics.instances}
        names = {row.letter: _name(row) for row in self.analytics.instances}
        stacks = [Stack(names[letter], dollars(sum(costs.values())), _parts(costs)) for letter, costs in rows.items()]
        chart = charts.stacked_bars("cost", cost_insight(self.analytics), COST_READING, stacks, _money)
        heads = {row.letter: f"{row.letter} {row.name}" for row in self.analytics.instances}
        table = _by_stage(Column("Instance", "instance"), [(heads[letter], costs) for letter, costs in rows.items()])
        return Drawing(chart, table, _stages(rows.values()))

    def _rounds(self) -> Drawing | None:
        """None before anything was paid or asked."""
        costs = round_costs(self.session)
        if not costs:
            return None
        last = label("stage", "decision")
        rows = [(last if number == DECISION else f"Round {number}", by_stage) for number, by_stage in costs.items()]
        stacks = [Stack(words, dollars(sum(by_stage.values())), _parts(by_stage)) for words, by_stage in rows]
        published = self.deliberation.rounds if self.deliberation else ()
        agreed = [told_agreement(one.number, one.agreement_bp) for one in published]
        chart = charts.stacked_bars("rounds", rounds_insight(costs, agreed), ROUNDS_READING, stacks, _money)
        return Drawing(chart, _by_stage(Column("Round", "text"), rows), _stages(costs.values()))

    def _answers(self) -> Drawing:
        names = {row.letter: _name(row) for row in self.analytics.instances}
        stacks = [
            Stack(
                names[letter],
                label("instance_verdict", one.verdict),
                [
                    Part(style, label("criterion", code), count, str(count))
                    for code, style in ANSWER_STYLES.items()
                    if (count := one.answers.get(code, 0))
                ],
            )
            for letter, one in self.certified.items()
        ]
        used = {code for one in self.certified.values() for code in one.answers}
        legend = [(style, label("criterion", code)) for code, style in ANSWER_STYLES.items() if code in used]
        chart = charts.stacked_bars("answers", answers_insight(self.certified), ANSWERS_READING, stacks, "{:g}".format)
        rows = tuple([f"{letter} {names[letter]}", *_certified_cells(one)] for letter, one in self.certified.items())
        return Drawing(chart, Table((Column("Instance", "instance"), *CERTIFIED), rows), legend)

    def _calls(self) -> Drawing:
        lanes = [self._lane(row) for row in self.analytics.instances]
        chart = charts.gantt("calls", time_insight(self.attempts), TIME_READING, lanes, _clock)
        used = {mark.style for mark in chart.marks}
        legend = [(style, words) for style, words in SPAN_WORDS if style in used]
        return Drawing(chart, Table(CALL_COLUMNS, tuple(_call_row(attempt) for attempt in self.attempts)), legend)

    def _lane(self, row: InstanceFigures) -> Lane:
        own = [attempt for attempt in self.attempts if attempt.letter == row.letter]
        took = sum(attempt.end - attempt.start for attempt in own)
        return Lane(_name(row), milliseconds(took), [_spans(attempt) for attempt in own])


def _name(row: InstanceFigures) -> str:
    return clip(f"{row.letter} · {row.name}", MOST_LABEL)


def _parts(costs: Mapping[str, int]) -> list[Part]:
    return [
        Part(stage, label("stage", stage), cost, dollars(cost)) for stage in STAGES if (cost := costs.get(stage, 0))
    ]


def _stages(costs: Iterable[Mapping[str, int]]) -> list[tuple[str, str]]:
    used = {stage for by_stage in costs for stage in by_stage}
    return [(stage, label("stage", stage)) for stage in STAGES if stage in used]


def _by_stage(first: Column, rows: Sequence[tuple[str, Mapping[str, int]]]) -> Table:
    used = [stage for stage, _ in _stages(costs for _, costs in rows)]
    columns = (first, *(Column(label("stage", stage), "dollars") for stage in used), Column("All", "dollars"))
    cells: list[list[Cell]] = [
        [words, *(costs.get(stage, 0) for stage in used), sum(costs.values())] for words, costs in rows
    ]
    return Table(columns, tuple(cells))


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


def _call_cells(row: InstanceFigures) -> list[Cell]:
    tokens: list[Cell] = [row.prompt_tokens, row.output_tokens, row.cached_tokens] if row.measured else [None] * 3
    cost = row.cost_microcredits if row.measured and not row.price_unknown else None
    return [f"{row.letter} {row.name}", row.calls, row.attempts, *tokens, cost, row.p50_ms, row.p95_ms]


def _found_cells(row: InstanceFigures, figures: Analytics) -> list[Cell]:
    return [
        row.findings_raised if figures.merged else None,
        row.confirmed if figures.judged else None,
        row.findings_only_by_it if figures.merged else None,
        row.cost_per_confirmed,
    ]


def _debated_cells(one: Debated) -> list[Cell]:
    followed = f"{one.unexplained} of {one.joined}" if one.joined else None
    return [one.upheld, one.rejected, one.changed, followed]


def _certified_cells(one: Certified | None) -> list[Cell]:
    if one is None:
        return [None] * len(CERTIFIED)
    return [label("instance_verdict", one.verdict), *(one.answers.get(code, 0) for code in ANSWER_STYLES), one.unproven]


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
