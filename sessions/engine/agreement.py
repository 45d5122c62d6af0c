"""How far a round agrees: counts, no weights, in exact fractions.

Outside this package a share is a whole number of basis points (`basis_points`): events hold no floats.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

from sessions.engine.findings import SEVERITIES, median_severity
from sessions.engine.positions import LedgerEntry, Position, Round, Standing, standing, standings, survivors

Status = Literal["accepted", "rejected", "contested", "undecided"]

EVERYONE, THREE_QUARTERS = Fraction(1), Fraction(3, 4)
MORE_THAN_HALF = Fraction(5_001, 10_000)
SLACK = Fraction(1, 10**9)
"""A share this close below the threshold has reached it: a threshold of two thirds may be written with nine digits."""

FEWEST_FOR_AC1 = 5
FIRST_JUDGED = 2
"""Before this round everybody only agrees with what they raised themselves: nobody has judged anything of others."""
NOBODY_JUDGED = "Nobody has judged yet"


@dataclass(frozen=True, slots=True)
class Rules:
    """`letters` are the deciding instances, `tau` the share that must agree on a finding, more than a half."""

    letters: tuple[str, ...]
    tau: Fraction = EVERYONE
    max_rounds: int = 3
    confirmation_round: bool = False

    def __post_init__(self) -> None:
        if not self.letters or len(set(self.letters)) < len(self.letters):
            raise ValueError("a deliberation needs at least one deciding instance, each with its own letter")
        if not Fraction(1, 2) < self.tau <= 1:
            raise ValueError("the share that must agree is more than a half and at most one")
        if self.max_rounds < 1:
            raise ValueError("a deliberation has at least one round")


@dataclass(frozen=True, slots=True)
class Tally:
    """Decisive positions on one finding: agree, minor amend, material amend, disagree."""

    agree: int = 0
    minor: int = 0
    material: int = 0
    disagree: int = 0

    @property
    def decisive(self) -> int:
        """v"""
        return self.agree + self.minor + self.material + self.disagree

    @property
    def support(self) -> Fraction | None:
        """s: a material amendment is half an agreement. None when nobody decided."""
        if not self.decisive:
            return None
        return Fraction(2 * (self.agree + self.minor) + self.material, 2 * self.decisive)


@dataclass(frozen=True, slots=True)
class FindingFigures:
    """One finding after one round. `severity` is the median of `severities`, which are its raters', lowest first."""

    number: int
    tally: Tally
    support: Fraction | None
    agreement: Fraction
    status: Status
    severity: str
    severity_disputed: bool
    severities: tuple[str, ...]
    is_key: bool


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """One round. `seats` counts the deciding instances. `agreement` is A, the mean over its key findings; `same_set`
    over those that were key before, too. None where no percentage may be shown: too few answered, one instance, nothing
    to agree on."""

    number: int
    seats: int
    answered: int
    quorum: int
    agreement: Fraction | None
    same_set: Fraction | None
    findings: tuple[FindingFigures, ...]

    @property
    def is_void(self) -> bool:
        """Whether too few deciding instances answered for the round to count."""
        return self.answered < self.quorum

    @property
    def key(self) -> tuple[FindingFigures, ...]:
        return tuple(one for one in self.findings if one.is_key)


def quorum(n: int) -> int:
    """How many of n deciding instances must decide: two thirds, and never fewer than two."""
    return max(2, -(-2 * n // 3))


def tally_of(positions: Iterable[Position]) -> Tally:
    kinds = Counter(position.kind for position in positions)
    return Tally(kinds["agree"], kinds["minor"], kinds["material"], kinds["disagree"])


@lru_cache(1024)  # fractions are dear, and most findings share a few tallies
def status_of(tally: Tally, n: int, tau: Fraction) -> Status:
    support = tally.support
    if support is None or tally.decisive < quorum(n):
        return "undecided"
    if support >= tau - SLACK:
        return "accepted"
    return "rejected" if 1 - support >= tau - SLACK else "contested"


@lru_cache(1024)
def agreement_of(tally: Tally, n: int) -> Fraction:
    """g: agreeing that a finding is wrong is agreement; too few decisive positions are none."""
    support = tally.support
    if support is None or tally.decisive < quorum(n):
        return Fraction(0)
    return max(support, 1 - support)


def is_late_note(entry: LedgerEntry) -> bool:
    """First raised after round 1 and below major: told, and in nobody's way. Part of a split finding is not new, and
    a person's mark makes it count."""
    is_new = entry.registered_round > 1 and entry.split_from is None
    return is_new and SEVERITIES[entry.severity] < SEVERITIES["major"] and not entry.marked_key


def matters(entry: LedgerEntry) -> bool:
    """What makes an open finding key. One that a single instance raised without a quote that stands in the artifact is
    key only when a person says so."""
    if entry.marked_key:
        return True
    if len(entry.raised_by) >= 2:
        return not is_late_note(entry)
    return entry.evidence_verified and SEVERITIES[entry.severity] >= SEVERITIES["major"]


def key_entries(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """K: the open findings that matter; all open ones but late notes when none does."""
    open_ones = [entry for entry in entries if entry.state == "open"]
    key = tuple(entry for entry in open_ones if matters(entry))
    return key or tuple(entry for entry in open_ones if not is_late_note(entry))


def severities_of(rounds: Sequence[Round], held: Standing) -> dict[int, tuple[str, ...]]:
    """By open finding, lowest first: the latest severity given by each instance that holds it to be true now."""
    heirs = survivors(rounds[-1].entries)
    latest = {
        (heirs[position.number], position.letter): position.given_severity
        for one in rounds
        for position in one.positions
        if position.given_severity and position.letter in one.answered
    }
    return {
        number: tuple(
            sorted(
                (
                    latest[number, letter]
                    for letter, position in by_letter.items()
                    if position.stance in ("agree", "amend") and (number, letter) in latest
                ),
                key=SEVERITIES.__getitem__,
            )
        )
        for number, by_letter in held.items()
    }


def straddles(severities: Sequence[str], block_severity: str) -> bool:
    """Whether some raters hold a finding to be blocking and some do not: the median decides, a person looks."""
    levels = [SEVERITIES[severity] for severity in severities]
    return bool(levels) and min(levels) < SEVERITIES[block_severity] <= max(levels)


def figures(rounds: Sequence[Round], rules: Rules, held: Standing | None = None) -> RoundFigures:
    """Those of the last round. They depend on no later one. `held` is where everybody stands after it, if known."""
    last = rounds[-1]
    letters = last.letters or rules.letters
    n = len(letters)
    held = standing(rounds, letters) if held is None else held
    key = {entry.number for entry in key_entries(last.entries)}
    before = {entry.number for entry in key_entries(rounds[-2].entries)} if len(rounds) > 1 else set()
    rated = severities_of(rounds, held)
    findings = tuple(
        _finding_figures(entry, held[entry.number], rated[entry.number], n, rules.tau, is_key=entry.number in key)
        for entry in sorted(last.entries, key=lambda entry: entry.number)
        if entry.state == "open"
    )
    agreements = {one.number: one.agreement for one in findings if one.is_key}
    answered = len(last.answered & set(letters))
    counts = answered >= quorum(n)  # never for one instance alone
    whole = _mean(list(agreements.values())) if key else _nothing_found(last, letters)
    same = _mean([agreements[number] for number in sorted(key & before)])
    needed = min(quorum(n), n)  # which is not void all the same: it just decides nothing
    return RoundFigures(last.number, n, answered, needed, whole if counts else None, same if counts else None, findings)


def history(rounds: Sequence[Round], rules: Rules, held: Sequence[Standing] | None = None) -> tuple[RoundFigures, ...]:
    """`figures` of each round; `held` is where everybody stands after each, if known."""
    held = standings(rounds, rules.letters) if held is None else held
    return tuple(figures(rounds[: end + 1], rules, held[end]) for end in range(len(rounds)))


def _finding_figures(
    entry: LedgerEntry,
    positions: Mapping[str, Position],
    rated: tuple[str, ...],
    n: int,
    tau: Fraction,
    *,
    is_key: bool,
) -> FindingFigures:
    tally = tally_of(positions.values())
    severity, disputed = median_severity(rated or (entry.severity,))
    return FindingFigures(
        entry.number,
        tally,
        tally.support,
        agreement_of(tally, n),
        status_of(tally, n, tau),
        severity,
        disputed,
        rated,
        is_key,
    )


def _mean(shares: Sequence[Fraction]) -> Fraction | None:
    return sum(shares, Fraction(0)) / len(shares) if shares else None


def _nothing_found(last: Round, letters: Sequence[str]) -> Fraction | None:
    """Nothing to agree on is agreement only when everybody who answered said that there is nothing."""
    active = last.answered & set(letters)
    return Fraction(1) if active <= last.empty_lists else None


def ac1(tallies: Iterable[Tally]) -> Fraction | None:
    """Gwet's AC1 of "this is true" (agree, amend) against "it is not": how much more often two instances agree than by
    chance. A diagnostic; None with fewer than five findings that two instances decided."""
    votes = [(tally.decisive - tally.disagree, tally.disagree) for tally in tallies if tally.decisive >= 2]
    if len(votes) < FEWEST_FOR_AC1:
        return None
    observed = _mean([Fraction(a * (a - 1) + d * (d - 1), (a + d) * (a + d - 1)) for a, d in votes])
    true = _mean([Fraction(a, a + d) for a, d in votes])
    assert observed is not None
    assert true is not None
    chance = 2 * true * (1 - true)
    return (observed - chance) / (1 - chance)


def basis_points(share: Fraction | None) -> int | None:
    """A share as events and answers carry it: 5/6 is 8333, None stays None. Only the whole is 10,000."""
    if share is None:
        return None
    points = math.floor(share * 10_000 + Fraction(1, 2))
    return min(points, 9_999) if share < 1 else points


def percent(points: int) -> str:
    """Basis points in words, with one decimal: 8333 is "83.3". Only the whole is "100.0"."""
    tenths = (abs(points) + 5) // 10
    if abs(points) < 10_000:
        tenths = min(tenths, 999)
    return f"{'-' if points < 0 and tenths else ''}{tenths // 10}.{tenths % 10}"


def told_agreement(number: int, points: int | None) -> int | None:
    """The agreement of round `number` as people are told it, in basis points: there is none before anybody judged."""
    return None if number < FIRST_JUDGED else points


def share_words(number: int, points: int | None) -> str:
    """The agreement of a round, `83.3 %`, or why there is none."""
    if number < FIRST_JUDGED:
        return NOBODY_JUDGED.lower()
    return "no figure" if points is None else f"{percent(points)} %"


def agreement_words(number: int, points: int | None) -> str:
    """As `share_words`, by itself: `agreement 83.3 %`."""
    words = share_words(number, points)
    return words if told_agreement(number, points) is None else f"agreement {words}"


def round_data(one: RoundFigures) -> dict[str, Any]:
    """A round's figures in whole numbers and words, for an event."""
    return {
        "round": one.number,
        "answered": one.answered,
        "quorum": one.quorum,
        "agreement_bp": basis_points(one.agreement),
        "same_set_bp": basis_points(one.same_set),
        "findings": [_finding_data(finding) for finding in one.findings],
    }


def _finding_data(one: FindingFigures) -> dict[str, Any]:
    tally = one.tally
    return {
        "number": one.number,
        "counts": [tally.agree, tally.minor, tally.material, tally.disagree],
        "support_bp": basis_points(one.support),
        "agreement_bp": basis_points(one.agreement),
        "status": one.status,
        "severity": one.severity,
        "severity_disputed": one.severity_disputed,
        "key": one.is_key,
    }
