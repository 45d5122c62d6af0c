"""What the sessions of a project used and came to, whatever their kind: by kind, by day, by model, and at gates."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median_low

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from sessions.models import Attempt, Finding, Gate, GateDecision, LanguageModel, Participant, Project, Session
from sessions.queries.analytics import CONFIRMED
from sessions.queries.findings import MERGED


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Sessions of one kind. `outcomes` counts those that have one, by code; `seconds` is the median time from start to
    end of the completed ones, None without any. Money is micro-credits."""

    kind: str
    sessions: int
    completed: int
    failed: int
    outcomes: dict[str, int]
    cost: int
    seconds: int | None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What one model did. `tries` are requests, `failed` those that came to nothing. Findings: those it `raised`, those
    nobody else of the session saw (`alone`), and those people `confirmed`."""

    model_id: str
    label: str
    sessions: int
    tries: int
    failed: int
    cost: int
    raised: int
    alone: int
    confirmed: int


@dataclass(frozen=True, slots=True)
class GateFigures:
    """Gates by what counts now: `passed`, `failed`, neither yet (`waiting`). `overridden`: a person put another outcome
    in the policy's place. `waited` is the median of seconds between a judgement and the decision on it."""

    passed: int
    failed: int
    waiting: int
    overridden: int
    waited: int | None


@dataclass(frozen=True, slots=True)
class ProjectFigures:
    """`spent` is micro-credits by day and kind, of days on which something was asked; `finished` counts sessions that
    ended."""

    kinds: tuple[KindFigures, ...]
    spent: dict[date, dict[str, int]]
    models: tuple[ModelFigures, ...]
    gates: GateFigures
    finished: int
    price_unknown: bool

    @property
    def cost(self) -> int:
        return sum(one.cost for one in self.kinds)


def project_figures(project: Project, since: datetime) -> ProjectFigures:
    """Of the sessions made since then; eight queries. What was deleted keeps its numbers."""
    sessions = Session.objects.filter(project=project, created_at__gte=since)
    rows = list(sessions)
    kinds = sorted({row.kind for row in rows})
    return ProjectFigures(
        kinds=tuple(_kind(kind, [row for row in rows if row.kind == kind]) for kind in kinds),
        spent=_spent(sessions),
        models=tuple(_models(sessions)),
        gates=_gates(sessions),
        finished=sum(row.finished_at is not None for row in rows),
        price_unknown=any(row.price_unknown for row in rows),
    )


def _kind(kind: str, rows: Sequence[Session]) -> KindFigures:
    took = [
        (row.finished_at - row.started_at).total_seconds()
        for row in rows
        if row.status == "completed" and row.started_at and row.finished_at
    ]
    return KindFigures(
        kind=kind,
        sessions=len(rows),
        completed=sum(row.status == "completed" for row in rows),
        failed=sum(row.status == "failed" for row in rows),
        outcomes=dict(Counter(row.outcome for row in rows if row.outcome)),
        cost=sum(row.cost_microcredits for row in rows),
        seconds=int(median_low(took)) if took else None,
    )


def _spent(sessions: QuerySet[Session]) -> dict[date, dict[str, int]]:
    rows = Attempt.objects.filter(session__in=sessions).annotate(day=TruncDate("started_at"))
    sums = rows.values("day", "session__kind").annotate(cost=Sum("cost_microcredits")).order_by("day")
    spent: dict[date, dict[str, int]] = defaultdict(dict)
    for row in sums:
        spent[row["day"]][row["session__kind"]] = row["cost"] or 0
    return dict(spent)


def _models(sessions: QuerySet[Session]) -> Iterator[ModelFigures]:
    """The dearest first."""
    asked = (
        Attempt.objects.filter(session__in=sessions)
        .values("model_id")
        .annotate(
            sessions=Count("session", distinct=True),
            tries=Count("pk"),
            failed=Count("pk", Q(state__in=("failed", "lost"))),
            cost=Sum("cost_microcredits"),
        )
    )
    labels = dict(LanguageModel.objects.values_list("pk", "label"))
    raised = _raised(sessions)
    for row in sorted(asked, key=lambda row: (-(row["cost"] or 0), row["model_id"])):
        found = raised.get(row["model_id"], [])
        yield ModelFigures(
            model_id=row["model_id"],
            label=labels.get(row["model_id"]) or row["model_id"],
            sessions=row["sessions"],
            tries=row["tries"],
            failed=row["failed"],
            cost=row["cost"] or 0,
            raised=len(found),
            alone=sum(alone for alone, _ in found),
            confirmed=sum(confirmed for _, confirmed in found),
        )


def _raised(sessions: QuerySet[Session]) -> dict[str, list[tuple[bool, bool]]]:
    """By model, of each finding it raised: whether nobody else did, and whether people confirmed it."""
    seats = Participant.objects.filter(session__in=sessions).values_list("session", "letter", "language_model")
    model_of = {(session, letter): model for session, letter, model in seats}
    rows = Finding.objects.filter(session__in=sessions).exclude(status=MERGED)
    found: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for session, letters, disposition in rows.values_list("session", "raised_by", "disposition"):
        for model in {model_of[session, letter] for letter in letters}:
            found[model].append((len(letters) == 1, disposition in CONFIRMED))
    return found


def _gates(sessions: QuerySet[Session]) -> GateFigures:
    gates = list(Gate.objects.filter(session__in=sessions).values_list("outcome", "because"))
    decided = GateDecision.objects.filter(gate__session__in=sessions, version=F("gate__version"))
    waited = [
        (at - judged).total_seconds()
        for at, judged in decided.values_list("at", "gate__judged_at")
        if judged is not None
    ]
    outcomes = Counter(outcome for outcome, _ in gates)
    return GateFigures(
        passed=outcomes["pass"],
        failed=outcomes["fail"],
        waiting=outcomes[""],
        overridden=sum(because == "overridden" for _, because in gates),
        waited=int(median_low(waited)) if waited else None,
    )
