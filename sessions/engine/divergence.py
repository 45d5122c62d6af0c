"""What a deliberation that did not converge leaves for people: where it still disagrees, what each side says, and what
would settle it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sessions.engine.agreement import FindingFigures, RoundFigures, Rules, Status, ac1, history
from sessions.engine.confidence import TOO_MUCH_CONFORMITY, effective_votes
from sessions.engine.convergence import Flip, Reason, conformity, flips, late_notes, of_those, unassessed
from sessions.engine.positions import LedgerEntry, Position, Round, Standing, standings
from sessions.engine.roster import Member

SideKind = Literal["agree", "amend", "disagree"]
Settlement = Literal["more_answers", "a_quote", "a_wording", "a_person"]
NextStep = Literal["different_roster", "extra_evidence", "human_decision"]

_SIDES: Mapping[str, SideKind] = {"agree": "agree", "minor": "agree", "material": "amend", "disagree": "disagree"}
_SIDE_KINDS: tuple[SideKind, ...] = ("agree", "amend", "disagree")
_STEPS: Mapping[Settlement, NextStep] = {"more_answers": "different_roster", "a_quote": "extra_evidence"}
_STEP_ORDER: tuple[NextStep, ...] = ("different_roster", "extra_evidence", "human_decision")


@dataclass(frozen=True, slots=True)
class Side:
    """Who holds it, by the side each took last, and the best that they said for it in any round. Who left before the
    last round holds nothing any more."""

    kind: SideKind
    letters: tuple[str, ...]
    strongest: Position


@dataclass(frozen=True, slots=True)
class Crux:
    """A key finding that was not settled. `by_round` holds each round's positions in the order of letters, from the
    round that registered it on; `severities` the lowest and the highest given."""

    number: int
    status: Status
    by_round: tuple[tuple[int, tuple[Position, ...]], ...]
    sides: tuple[Side, ...]
    settled_by: Settlement
    severities: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class DivergenceReport:
    """`accepted`, `rejected`, `unassessed` and `late_notes` are numbers of findings, `failures` (round, letter) of who
    gave no usable answer, `voids` rounds that too few answered at first, `cost` micro-credits. `flips` are those of
    everybody who ever took part, `counted_flips` those of who decides in the end: `conformity` is about these."""

    reason: Reason
    rounds: tuple[RoundFigures, ...]
    cruxes: tuple[Crux, ...]
    accepted: tuple[int, ...]
    rejected: tuple[int, ...]
    unassessed: tuple[int, ...]
    late_notes: tuple[int, ...]
    flips: tuple[Flip, ...]
    counted_flips: tuple[Flip, ...]
    conformity: Fraction | None
    failures: tuple[tuple[int, str], ...]
    voids: tuple[int, ...]
    families: tuple[str, ...]
    effective_votes: Fraction
    ac1: Fraction | None
    cost: int
    next_step: NextStep


def divergence(
    rounds: Sequence[Round],
    rules: Rules,
    members: Sequence[Member],
    reason: Reason,
    held: Sequence[Standing] | None = None,
) -> DivergenceReport:
    """`members` are the deciding instances; `held` is where everybody stands after each round, if known."""
    held = standings(rounds, rules.letters) if held is None else held
    last, told = rounds[-1], history(rounds, rules, held)
    entries = {entry.number: entry for entry in last.entries}
    cruxes = tuple(
        _crux(one, entries[one.number], rounds, held)
        for one in told[-1].key
        if one.status in ("contested", "undecided")
    )
    changes = flips(rounds, rules.letters, held)
    counted = of_those(changes, last.letters or rules.letters)
    families = tuple(sorted({member.family for member in members}))
    return DivergenceReport(
        reason=reason,
        rounds=told,
        cruxes=cruxes,
        accepted=_with_status(told[-1], "accepted"),
        rejected=_with_status(told[-1], "rejected"),
        unassessed=unassessed(last),
        late_notes=late_notes(last),
        flips=changes,
        counted_flips=counted,
        conformity=conformity(counted),
        failures=tuple(
            (one.number, letter)
            for one in rounds
            for letter in one.letters or rules.letters
            if letter not in one.answered
        ),
        voids=tuple(one.number for one, now in zip(rounds, told, strict=True) if one.attempt > 1 or now.is_void),
        families=families,
        effective_votes=effective_votes(members),
        ac1=ac1(one.tally for one in told[-1].key),
        cost=sum(one.cost for one in rounds),
        next_step=_next_step(reason, cruxes, families, conformity(counted)),
    )


def _with_status(now: RoundFigures, status: Status) -> tuple[int, ...]:
    return tuple(one.number for one in now.findings if one.status == status)


def _crux(one: FindingFigures, entry: LedgerEntry, rounds: Sequence[Round], held: Sequence[Standing]) -> Crux:
    by_round = tuple(
        (at.number, tuple(now[one.number][letter] for letter in sorted(now[one.number])))
        for at, now in zip(rounds, held, strict=True)
        if one.number in now
    )
    here = held[-1][one.number]
    sides = _sides([position for _, positions in by_round for position in positions if position.letter in here])
    spread = (one.severities[0], one.severities[-1]) if one.severities else None
    return Crux(one.number, one.status, by_round, sides, _settled_by(one.status, entry, sides), spread)


def _sides(positions: Sequence[Position]) -> tuple[Side, ...]:
    """`positions` in the order of rounds."""
    takers = {position.letter: _SIDES[position.kind] for position in positions if position.is_decisive}
    best: dict[str, Position] = {}
    for position in sorted(positions, key=_strength, reverse=True):
        best.setdefault(_SIDES.get(position.kind, ""), position)
    return tuple(
        Side(kind, tuple(sorted(letter for letter, taken in takers.items() if taken == kind)), best[kind])
        for kind in _SIDE_KINDS
        if kind in takers.values()
    )


def _strength(position: Position) -> tuple[bool, bool, int, int, int, str]:
    """A proven argument before an unproven one, then the surer, the fuller, the later; letters break ties."""
    return (
        bool(position.rationale),
        position.evidence_verified,
        position.confidence,
        len(position.rationale),
        position.round,
        position.letter,
    )


def _settled_by(status: Status, entry: LedgerEntry, sides: Sequence[Side]) -> Settlement:
    if status == "undecided":
        return "more_answers"
    if not entry.evidence_verified:
        return "a_quote"
    return "a_person" if any(side.kind == "disagree" for side in sides) else "a_wording"


def _next_step(reason: Reason, cruxes: Sequence[Crux], families: Sequence[str], followed: Fraction | None) -> NextStep:
    """What is wrong with who was asked comes first, then what they were shown; a person decides the rest."""
    one_voice = len(families) < 2 or (followed is not None and followed > TOO_MUCH_CONFORMITY)
    if one_voice or reason in ("quorum_lost", "single_assessor"):
        return "different_roster"
    steps = [_STEPS.get(crux.settled_by, "human_decision") for crux in cruxes]
    return min(steps, key=_STEP_ORDER.index, default="human_decision")
