"""Whether a deliberation is over after a round, why, and how it got there: stability, changed sides, pace."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sessions.engine.agreement import (
    RoundFigures,
    Rules,
    figures,
    is_late_note,
    key_entries,
    matters,
    tally_of,
)
from sessions.engine.positions import LedgerEntry, Position, Round, Standing, standing, standings

Reason = Literal["converged", "max_rounds", "stalled", "budget", "quorum_lost", "single_assessor", "cancelled"]
Direction = Literal["agree", "disagree"]

FIRST_TO_CONVERGE, FIRST_TO_STALL = 2, 3
STABLE = Fraction(95, 100)
RESERVE = Fraction(5, 4)
"""A round may cost this much more than the mean of those before it."""

_DIRECTIONS: Mapping[str, Direction] = {"agree": "agree", "minor": "agree", "disagree": "disagree"}


@dataclass(frozen=True, slots=True)
class Decision:
    """`next`: another round. `repeat`: this one was void, once more. `confirm`: one extra round about `asked` alone.
    `stop`: over, because of `reason`."""

    action: Literal["next", "repeat", "confirm", "stop"]
    reason: Reason | None = None
    asked: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Stability:
    """Of the pairs of instance and key finding that were decisive in two rounds running, how many changed."""

    pairs: int
    changed: int

    @property
    def share(self) -> Fraction | None:
        """T: None without pairs."""
        return 1 - Fraction(self.changed, self.pairs) if self.pairs else None


@dataclass(frozen=True, slots=True)
class Flip:
    """One instance changed sides on one key finding. `toward_majority`: to where most stood the round before."""

    letter: str
    number: int
    round: int
    to: Direction
    toward_majority: bool
    explained: bool

    @property
    def is_unexplained(self) -> bool:
        """It joined the majority and named no reason that resolves."""
        return self.toward_majority and not self.explained


def decide(rounds: Sequence[Round], rules: Rules, left: int | None = None) -> Decision:
    """What follows the last round. `left` is what may still be spent, in micro-credits; None: no limit."""
    last, paid = rounds[-1], [one.cost for one in rounds if one.cost]  # what a record answered tells no price
    can_pay = left is None or RESERVE * sum(paid) / max(len(paid), 1) <= left
    if len(rules.letters) == 1:
        return Decision("stop", "single_assessor")
    if figures(rounds, rules).is_void:
        if last.attempt > 1:
            return Decision("stop", "quorum_lost")
        return Decision("repeat") if can_pay else Decision("stop", "budget")
    if is_converged(rounds, rules):
        return Decision("stop", "converged")
    if last.number >= rules.max_rounds:
        late = frozenset(unassessed(last))
        if rules.confirmation_round and last.number == rules.max_rounds and late and can_pay:
            return Decision("confirm", asked=late)
        return Decision("stop", "max_rounds")
    if is_stalled(rounds, rules):
        return Decision("stop", "stalled")
    return Decision("next") if can_pay else Decision("stop", "budget")


def is_converged(rounds: Sequence[Round], rules: Rules) -> bool:
    """Whether every key finding is settled, either way, by instances who saw it as it is now."""
    last, found = rounds[-1], figures(rounds, rules)
    if last.number < FIRST_TO_CONVERGE or found.agreement is None or changed_entries(last):
        return False
    return all(one.status in ("accepted", "rejected") for one in found.key)


def is_stalled(rounds: Sequence[Round], rules: Rules) -> bool:
    """Whether nothing new came and (nearly) nobody moved: not once in the last round, or hardly in the last two."""
    if rounds[-1].number < FIRST_TO_STALL or changed_entries(rounds[-1]):
        return False
    now, before = (stability(one, rules.letters).share for one in (rounds, rounds[:-1]))
    return now is not None and (now == 1 or (now >= STABLE and before is not None and before >= STABLE))


def changed_entries(last: Round) -> tuple[int, ...]:
    """Key findings that are not what this round assessed, or that it had no time to assess: registered, given a new
    version, merged into or split in it."""
    changed = [
        entry.number
        for entry in key_entries(last.entries)
        if last.number in (entry.registered_round, entry.versioned_round, entry.merged_round)
    ]
    return tuple(changed + [one.number for one in last.entries if one.split_round == last.number and matters(one)])


def unassessed(last: Round) -> tuple[int, ...]:
    """Key findings that are new, or new in what they say, since the others were last asked."""
    return tuple(
        entry.number
        for entry in key_entries(last.entries)
        if last.number in (entry.registered_round, entry.versioned_round)
    )


def late_notes(last: Round) -> tuple[int, ...]:
    return tuple(entry.number for entry in last.entries if entry.state == "open" and is_late_note(entry))


def stability(rounds: Sequence[Round], letters: Sequence[str]) -> Stability:
    """Between the last two rounds; what the last one did not ask about is left out."""
    if len(rounds) < 2:
        return Stability(0, 0)
    last = rounds[-1]
    before, now = standing(rounds[:-1], letters), standing(rounds, letters)
    pairs = [
        (before[entry.number][letter].kind, now[entry.number][letter].kind)
        for entry in key_entries(last.entries)
        if entry.number in before
        for letter in letters
        if now[entry.number][letter].round == last.number
    ]
    decisive = [pair for pair in pairs if all(pair)]
    return Stability(len(decisive), sum(then != since for then, since in decisive))


def flips(rounds: Sequence[Round], letters: Sequence[str], held: Sequence[Standing] | None = None) -> tuple[Flip, ...]:
    """Every change of sides in every round, compared with the side the instance last took. A minor amendment agrees,
    a material one takes no side. `held` is where everybody stands after each round, if known."""
    found: list[Flip] = []
    sides: dict[tuple[int, str], Direction] = {}
    held = standings(rounds, letters) if held is None else held
    for at, one in enumerate(rounds):
        for number in _numbers(key_entries(one.entries)):
            for letter, position in sorted(held[at][number].items()):
                to, known = _DIRECTIONS.get(position.kind), sides.get((number, letter))
                if to and known and to != known:
                    majority = _majority(held[at - 1].get(number, {}).values())
                    found.append(Flip(letter, number, one.number, to, to == majority, position.explained))
                if to:
                    sides[number, letter] = to
    return tuple(found)


def of_those(changes: Iterable[Flip], letters: Collection[str]) -> tuple[Flip, ...]:
    """The flips of these instances: those of who left a fork stay in the record and bear on nothing."""
    return tuple(flip for flip in changes if flip.letter in letters)


def conformity(changes: Iterable[Flip]) -> Fraction | None:
    """The share of flips toward the majority that nothing explains; None when nobody flipped toward it."""
    joined = [flip for flip in changes if flip.toward_majority]
    return Fraction(sum(flip.is_unexplained for flip in joined), len(joined)) if joined else None


def velocities(rounds: Sequence[RoundFigures]) -> tuple[Fraction | None, ...]:
    """V from the second round on, as shares: 0.5 is 50 points per round. None where a round has no agreement."""
    return tuple(
        None if now.agreement is None or before.agreement is None else now.agreement - before.agreement
        for before, now in zip(rounds, rounds[1:], strict=False)
    )


def slope(rounds: Sequence[RoundFigures]) -> Fraction | None:
    """The session's velocity: the least-squares slope of agreement over rounds; None with fewer than two."""
    points = [(one.number, one.agreement) for one in rounds if one.agreement is not None]
    if len(points) < 2:
        return None
    middle = Fraction(sum(number for number, _ in points), len(points))
    spread = sum(((number - middle) ** 2 for number, _ in points), Fraction(0))
    return sum(((number - middle) * agreement for number, agreement in points), Fraction(0)) / spread


def forecast(rounds: Sequence[RoundFigures], tau: Fraction) -> int | None:
    """How many more rounds at the pace of the last two, at least one; None when agreement does not rise. Asked only of
    a session that has not converged."""
    pace = [step for step in velocities(rounds) if step is not None][-2:]
    now = rounds[-1].agreement
    if now is None or not pace or sum(pace) <= 0:
        return None
    return max(1, math.ceil((tau - now) / (sum(pace) / len(pace))))


def _numbers(entries: Iterable[LedgerEntry]) -> list[int]:
    return sorted(entry.number for entry in entries)


def _majority(positions: Iterable[Position]) -> Direction | None:
    support = tally_of(positions).support
    if support is None or 2 * support == 1:
        return None
    return "agree" if 2 * support > 1 else "disagree"
