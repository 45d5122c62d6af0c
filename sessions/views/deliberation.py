"""What the page of a deliberation shows: how it stands, who holds what, and how that was counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString

from sessions.engine.agreement import (
    FIRST_JUDGED,
    RoundFigures,
    basis_points,
    percent,
    share_words,
    told_agreement,
)
from sessions.engine.convergence import Flip, Reason, forecast, velocities
from sessions.engine.decision import SETTLED_BY
from sessions.engine.divergence import Crux, DivergenceReport, Side, divergence
from sessions.engine.positions import Position, Standing, standings
from sessions.models import Session
from sessions.queries import FoundFinding, SeatView
from sessions.queries.deliberation import DeliberationView, PublishedRound
from sessions.queries.open_round import OpenRound, open_round_of
from sessions.reports import verdict_words as words
from sessions.reports.tables import Table
from sessions.reports.tracker import LEGEND, TrackedRound, Tracker, tracker, tracker_table
from sessions.states import AT_REST
from sessions.views.stances import stance_rows

POINTS_SHOWN, FLIPS_SHOWN = 12, 20
_AGAINST = {"accepted": ("disagree", "material"), "rejected": ("agree", "minor", "material")}


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A finding that was not settled. `question` is what would settle it, in the words of the synthesis, else of the
    platform; `follow_up` is the address of a new session about it."""

    label: str
    title: str
    status: str
    sides: tuple[Side, ...]
    settled_by: str
    question: str
    follow_up: str


@dataclass(frozen=True, slots=True)
class Dissent:
    """Somebody holds otherwise than what was agreed."""

    label: str
    title: str
    position: Position


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """An instance over the rounds: which it `missed`, else in which it took `part`. How many positions it handed in in
    the round that is under way stands in `heard`, None until then."""

    seat: SeatView
    missed: str
    part: str
    heard: int | None


@dataclass(frozen=True, slots=True)
class CountedRound:
    """A published round with its shares in words; `same_set` and `velocity` are empty where there is none."""

    round: PublishedRound
    agreement: str
    same_set: str
    velocity: str


@dataclass(frozen=True)
class Debate:
    """One deliberation as its page shows it. `findings` are those with words, by number."""

    session: Session
    found: DeliberationView
    seats: Sequence[SeatView]
    findings: Mapping[int, FoundFinding]

    # --- the five blocks

    @property
    def running(self) -> bool:
        return self.session.status not in AT_REST and self.session.status != "draft"

    @cached_property
    def open_round(self) -> OpenRound | None:
        return open_round_of(self.session)

    @property
    def sentence(self) -> str:
        return words.under_way(self.found, self.open_round) if self.running else words.verdict(self.found)

    @property
    def decided(self) -> dict[str, Any]:
        """The event; empty without a decision."""
        return self.found.decided.data if self.found.decided and not self.running else {}

    @property
    def summary(self) -> str:
        return self.found.decided.summary if self.found.decided and not self.running else ""

    @property
    def confidence(self) -> str:
        """What it rests on, in words."""
        return words.confidence_words(self.found, self.session.params["block_severity"]) if self.decided else ""

    @cached_property
    def to_do(self) -> list[str]:
        return words.to_do(self.found, self.report) if self.report and not self.running else []

    @cached_property
    def report(self) -> DivergenceReport | None:
        """None before the first round is published."""
        if not self.found.rounds:
            return None
        reason: Reason = self.found.decided.data["reason"] if self.found.decided else "cancelled"
        return divergence(self.found.told, self.found.rules, self.found.members, reason, self.held)

    @property
    def is_blind(self) -> bool:
        """Whether the round that is under way shows nobody what the others say."""
        return self.open_round is None or self.open_round.mode == "blind"

    @property
    def put(self) -> int:
        """How many findings the rounds are about; what settling a review left out is none of them."""
        return sum(entry.state == "open" for entry in self.found.told[-1].entries)

    @property
    def has_sides(self) -> bool:
        """Whether anybody was asked about what others raised."""
        return len(self.found.rounds) >= FIRST_JUDGED

    @cached_property
    def open_points(self) -> list[OpenPoint]:
        """The first of them; the table has them all."""
        return [self._open_point(crux) for crux in (self.report.cruxes[:POINTS_SHOWN] if self.report else ())]

    @property
    def points_left(self) -> int:
        """How many are not shown with their sides."""
        return max(len(self.report.cruxes) - POINTS_SHOWN, 0) if self.report else 0

    def _open_point(self, crux: Crux) -> OpenPoint:
        settle = self.found.decided.settle if self.found.decided else {}
        title = self._title(crux.number)
        about = urlencode({"from": self.session.code, "kind": "deliberation", "about": f"F-{crux.number:03d}"})
        return OpenPoint(
            label=f"F-{crux.number:03d}",
            title=title,
            status=crux.status,
            sides=crux.sides,
            settled_by=SETTLED_BY[crux.settled_by],
            question=settle.get(crux.number, ""),
            follow_up=f"{reverse('sessions:new', args=[self.session.project.slug])}?{about}",
        )

    @property
    def dissent(self) -> list[Dissent]:
        """Whoever holds otherwise than what the key findings were settled to."""
        settled = [one for one in (self.found.figures.key if self.found.figures else ()) if one.status in _AGAINST]
        return [
            Dissent(f"F-{one.number:03d}", self._title(one.number), position)
            for one in settled
            for _, position in sorted(self.found.held_by[one.number].items())
            if position.kind in _AGAINST[one.status]
        ]

    @property
    def records(self) -> list[SeatRecord]:
        heard = self.open_round.heard if self.open_round else {}
        rounds = self.found.rounds
        told = [(seat, words.missed(rounds, seat.letter), words.took_part(rounds, seat.letter)) for seat in self.seats]
        return [SeatRecord(seat, missed, part, heard.get(seat.letter)) for seat, missed, part in told]

    @property
    def costs(self) -> list[tuple[int, int]]:
        """Number and micro-credits of each round."""
        return [(one.number, one.cost_microcredits) for one in self.found.rounds]

    # --- convergence

    @cached_property
    def tracked(self) -> list[TrackedRound]:
        return [self._tracked(at, one) for at, one in enumerate(self.found.rounds)]

    def _tracked(self, at: int, one: PublishedRound) -> TrackedRound:
        before = _merged(self.found.rounds[at - 1]) if at else set()
        return TrackedRound(
            number=one.number,
            agreement=told_agreement(one.number, one.agreement_bp),
            same_set=one.same_set_bp,
            new=sum(entry.registered_round == one.number for entry in one.told.entries if entry.state != "withdrawn"),
            merged=len(_merged(one) - before),
            flipped=sum(flip.round == one.number for flip in (self.report.flips if self.report else ())),
            note="too few answered" if one.agreement_bp is None else share_words(one.number, one.agreement_bp),
        )

    @property
    def tracker(self) -> Tracker:
        threshold = basis_points(self.found.rules.tau) or 0
        return tracker("tracker", self.tracked, threshold, self.found.rules.max_rounds)

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        return LEGEND

    @property
    def table(self) -> Table:
        return tracker_table(self.tracked)

    # --- stances

    @cached_property
    def held(self) -> list[Standing]:
        """After each round."""
        told = self.found.told
        return [*standings(told[:-1], self.found.rules.letters), self.found.held_by] if told else []

    def rows(self, base: str) -> list[SafeString]:
        """Of the table; `base` is the address of a finding up to its label."""
        if self.report is None or self.found.figures is None:
            return []
        figures = self.found.figures.findings
        titles = {number: finding.title for number, finding in self.findings.items()}
        return stance_rows(self.held, self.found.letters, figures, titles, self.report.flips, base)

    def positions_on(self, number: int | None) -> list[tuple[int, list[Position]]]:
        """On one finding, what each instance said in each round, newest first."""
        return [
            (at, [position for _, position in sorted(held[number].items()) if position.stance != "not_shown"])
            for at, held in reversed(list(enumerate(self.held, 1)))
            if number is not None and number in held
        ]

    # --- how it was decided

    @property
    def counted(self) -> list[CountedRound]:
        speeds = [None, None, *velocities(self.judged)]  # from the second round in which there is an agreement
        return [
            CountedRound(
                one,
                share_words(one.number, one.agreement_bp),
                _percent(one.same_set_bp),
                points_of(basis_points(speed)),
            )
            for one, speed in zip(self.found.rounds, speeds, strict=False)
        ]

    @property
    def judged(self) -> tuple[RoundFigures, ...]:
        """The rounds in which instances judged what others raised."""
        return tuple(one for one in self.report.rounds if one.number >= FIRST_JUDGED) if self.report else ()

    @property
    def flips(self) -> tuple[Flip, ...]:
        """The first of them, of those who decide in the end; the table marks them all."""
        return self.report.counted_flips[:FLIPS_SHOWN] if self.report else ()

    @property
    def flips_left(self) -> int:
        return max(len(self.report.counted_flips) - FLIPS_SHOWN, 0) if self.report else 0

    @property
    def conformity(self) -> str:
        return _percent(basis_points(self.report.conformity)) if self.report else ""

    @property
    def ac1(self) -> str:
        points = basis_points(self.report.ac1) if self.report else None
        return "" if points is None else f"{points / 10_000:.2f}"

    @property
    def votes(self) -> str:
        """How many independent votes the instances are worth."""
        return f"{float(self.report.effective_votes):.2f}" if self.report else ""

    @property
    def forecast(self) -> int | None:
        """How many more rounds it would have taken at the pace of those in which there was an agreement."""
        diverged = self.judged and self.decided.get("outcome") == "diverged"
        return forecast(self.judged, self.found.rules.tau) if diverged else None

    def _title(self, number: int) -> str:
        finding = self.findings.get(number)
        return finding.title if finding else ""


def points_of(points: int | None) -> str:
    """`+33.3 points`; empty without a figure."""
    if points is None:
        return ""
    return f"{'+' if points > 0 else '−' if points < 0 else '±'}{percent(abs(points))} points"


def _percent(points: int | None) -> str:
    return "" if points is None else f"{percent(points)} %"


def _merged(one: PublishedRound) -> set[int]:
    return {entry.number for entry in one.told.entries if entry.state == "merged"}
