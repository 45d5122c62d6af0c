"""How far the result of a deliberation may be trusted: a level by rule, no percentage; agreement is not correctness."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Literal

from sessions.engine.agreement import EVERYONE, FindingFigures, RoundFigures, Rules, history
from sessions.engine.convergence import Flip, conformity, flips, of_those
from sessions.engine.findings import SEVERITIES
from sessions.engine.positions import Round, Standing, standing, survivors
from sessions.engine.roster import Member

Level = Literal["undetermined", "low", "medium", "high"]
Cap = Literal["one_family", "single_assessor", "conformity", "void_round"]
LEVELS: tuple[Level, ...] = ("undetermined", "low", "medium", "high")
TOO_MUCH_CONFORMITY = Fraction(1, 2)
_CAPPED_AT: dict[Cap, Level] = {"one_family": "medium", "single_assessor": "low", "conformity": "medium"}

SAME_MODEL, SAME_FAMILY, OTHER_FAMILY = Fraction(9, 10), Fraction(7, 10), Fraction(4, 10)
"""How far two instances err together, before anything was measured."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """`findings` holds each key finding's level, `caps` what lowered the session's."""

    level: Level
    findings: tuple[tuple[int, Level], ...]
    caps: tuple[Cap, ...]


def confidence(
    rounds: Sequence[Round], rules: Rules, members: Sequence[Member], block_severity: str = "critical"
) -> Confidence:
    """`members` are the deciding instances. The session is as sure as the least sure of its key findings at or above
    the blocking severity, of all of them when there is none."""
    told, changes = history(rounds, rules), of_those(flips(rounds, rules.letters), rules.letters)
    now = told[-1]
    judge = _Judge(rounds, standing(rounds, rules.letters), members, changes)
    levels = {one.number: judge.level(one) for one in now.key}
    blocking = [one.number for one in now.key if SEVERITIES[one.severity] >= SEVERITIES[block_severity]]
    level = min((levels[number] for number in blocking or levels), key=LEVELS.index, default=_of_nothing(now))
    caps = _caps(rounds, told, members, changes)
    for cap in caps:
        level = min(level, _CAPPED_AT.get(cap, level), key=LEVELS.index)
    if "void_round" in caps and level != "undetermined":
        level = LEVELS[max(LEVELS.index("low"), LEVELS.index(level) - 1)]
    return Confidence(level, tuple(sorted(levels.items())), caps)


def effective_votes(members: Sequence[Member]) -> Fraction:
    """n_eff: how many independent votes these instances are worth: n / (1 + (n - 1) rho), where rho is the mean over
    all pairs."""
    pairs = [_err_together(*pair) for pair in combinations(members, 2)]
    n = len(members)
    return Fraction(n) if n < 2 else n / (1 + (n - 1) * sum(pairs, Fraction(0)) / len(pairs))


def _err_together(one: Member, other: Member) -> Fraction:
    if one.model_id == other.model_id:
        return SAME_MODEL
    return SAME_FAMILY if one.family == other.family else OTHER_FAMILY


@dataclass(frozen=True, slots=True)
class _Judge:
    rounds: Sequence[Round]
    held: Standing
    members: Sequence[Member]
    changes: Iterable[Flip]

    def level(self, one: FindingFigures) -> Level:
        if one.status == "undecided":
            return "undetermined"
        entry = next(entry for entry in self.rounds[-1].entries if entry.number == one.number)
        if not entry.evidence_verified or one.agreement < Fraction(3, 4):
            return "low"
        return "high" if self._is_high(one) else "medium"

    def _is_high(self, one: FindingFigures) -> bool:
        decided = {letter for letter, position in self.held[one.number].items() if position.is_decisive}
        families = {member.family for member in self.members if member.letter in decided}
        direction = "agree" if one.status == "accepted" else "disagree"
        followed = any(
            flip.is_unexplained and flip.number == one.number and flip.to == direction for flip in self.changes
        )
        unanimous = one.agreement == EVERYONE and len(decided) >= 3 and len(families) >= 2
        return unanimous and len(self._first_raisers(one.number)) >= 2 and not followed

    def _first_raisers(self, number: int) -> set[str]:
        """Who raised it, or what was merged into it, in the blind first round."""
        heirs = survivors(self.rounds[-1].entries)
        first = [entry for entry in self.rounds[0].entries if heirs.get(entry.number) == number]
        return {letter for entry in first for letter in entry.raised_by}


def _of_nothing(now: RoundFigures) -> Level:
    """Without any key finding: a clean bill is as good as those who gave it, and no quote can prove it."""
    return "medium" if now.agreement == EVERYONE else "undetermined"


def _caps(
    rounds: Sequence[Round], told: Sequence[RoundFigures], members: Sequence[Member], changes: Iterable[Flip]
) -> tuple[Cap, ...]:
    followed = conformity(changes)
    found: dict[Cap, bool] = {
        "one_family": len({member.family for member in members}) < 2,
        "single_assessor": len(members) == 1,
        "conformity": followed is not None and followed > TOO_MUCH_CONFORMITY,
        "void_round": any(one.is_void or at.attempt > 1 for at, one in zip(rounds, told, strict=True)),
    }
    return tuple(cap for cap, holds in found.items() if holds)
