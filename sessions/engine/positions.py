"""Where each instance stands on each finding, round by round.

A `Round` is what one round saw and heard, built once and never edited: what people or later rounds change stands in the
entries of the next one. So whatever is computed from the first r rounds stays what it was.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from sessions.engine.findings import SEVERITIES

Stance = Literal["agree", "amend", "disagree", "abstain"]
SystemState = Literal["missing", "omitted", "not_shown"]
AmendedField = Literal["severity", "wording", "scope", "suggestion", "location"]
Kind = Literal["agree", "minor", "material", "disagree", ""]
EntryState = Literal["open", "merged", "split", "withdrawn"]
AMENDED_FIELDS: tuple[AmendedField, ...] = get_args(AmendedField)
STANCES: tuple[Stance, ...] = get_args(Stance)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What an instance would change about a finding it holds to be true; `material` when it changes what is said."""

    field: AmendedField
    value: str
    material: bool


@dataclass(frozen=True, slots=True)
class Position:
    """What one instance holds of one version of one finding in one round, or the platform's word for why there is
    nothing: `missing` (no usable answer), `omitted` (answered, skipped this one), `not_shown`.

    `severity` is the one this instance gives ("" when it gives none), `confidence` percent. `explained`: what it names
    as the reason of a change resolves. `conflicting`: it contradicted itself on two findings that are one.
    """

    letter: str
    number: int
    round: int
    stance: Stance | SystemState
    version: int = 1
    amendment: Amendment | None = None
    severity: str = ""
    confidence: int = 50
    rationale: str = ""
    evidence: str = ""
    evidence_verified: bool = False
    explained: bool = False
    conflicting: bool = False
    kind: Kind = field(init=False, repr=False, compare=False)
    """How it is counted; "" when it decides nothing. Asked for a hundred times for each position."""

    def __post_init__(self) -> None:
        if (self.stance == "amend") != (self.amendment is not None):
            raise ValueError("a position has an amendment exactly when its stance is amend")
        object.__setattr__(self, "kind", _kind(self.stance, self.amendment))

    @property
    def is_decisive(self) -> bool:
        return self.kind != ""

    @property
    def given_severity(self) -> str:
        """The severity this instance holds to be right, "" when it said none."""
        if self.amendment is not None and self.amendment.field == "severity":
            return self.amendment.value
        return self.severity


def _kind(stance: Stance | SystemState, amendment: Amendment | None) -> Kind:
    if amendment is not None:
        return "material" if amendment.material else "minor"
    return stance if stance in ("agree", "disagree") else ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A finding as one round saw it. `version` is the one that was assessed; the `*_round`s name the round in which it
    was registered, got a new version, took in another (`merged_round`, of the survivor) or was closed for its parts."""

    number: int
    severity: str
    raised_by: tuple[str, ...]
    registered_round: int
    version: int = 1
    state: EntryState = "open"
    evidence_verified: bool = True
    marked_key: bool = False
    merged_into: int | None = None
    split_from: int | None = None
    versioned_round: int | None = None
    merged_round: int | None = None
    split_round: int | None = None

    def __post_init__(self) -> None:
        if (self.state == "merged") != (self.merged_into is not None):
            raise ValueError(f"{self.label} is merged exactly when it names its survivor")
        if self.merged_into is not None and self.merged_into >= self.number:
            raise ValueError(f"{self.label} cannot merge into a later finding: the lower number survives")

    @property
    def label(self) -> str:
        return f"F-{self.number:03d}"


@dataclass(frozen=True, slots=True)
class Round:
    """`answered` are the instances with usable output, `entries` every finding, closed ones too, `positions` in the
    order they were accepted. `empty_lists`: who listed explicitly that it found nothing. `asked` None: every open
    finding was asked about; in a confirmation round only some. `attempt` 2: void at first. `cost`: micro-credits.
    `letters`: the deciding instances, when they are not those of the rules, as before the round that a session was
    forked from.
    """

    number: int
    answered: frozenset[str]
    entries: tuple[LedgerEntry, ...]
    positions: tuple[Position, ...]
    empty_lists: frozenset[str] = frozenset()
    asked: frozenset[int] | None = None
    attempt: int = 1
    cost: int = 0
    letters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(position.round != self.number for position in self.positions):
            raise ValueError(f"round {self.number} holds a position of another round")
        if unknown := unknown_numbers((position.number for position in self.positions), self.entries):
            raise ValueError(f"round {self.number} holds positions on unknown findings: {sorted(unknown)}")


Standing = Mapping[int, Mapping[str, Position]]
"""By number of an open finding and by letter: one position each."""


def amendment_of(field: str, value: str, severity: str) -> Amendment:
    """An amendment of a finding of that severity. Another scope, or a severity two levels or more away, is material.
    ValueError for a field or a severity that does not exist."""
    if field not in AMENDED_FIELDS:
        raise ValueError(f"cannot amend {field!r}, only {', '.join(AMENDED_FIELDS)}")
    if field == "severity" and value not in SEVERITIES:
        raise ValueError(f"{value!r} is no severity, only {', '.join(SEVERITIES)}")
    far = field == "severity" and abs(SEVERITIES[value] - SEVERITIES[severity]) >= 2
    return Amendment(field, value, material=far or field == "scope")


def explains(changed_because: str, arguments: Collection[str], evidence_verified: bool) -> bool:
    """Whether the reason given for a change resolves: new evidence that stands in the artifact, or the id of an
    argument that this instance was shown."""
    return evidence_verified if changed_because == "evidence" else changed_because in arguments


def unknown_numbers(numbers: Iterable[int], entries: Iterable[LedgerEntry]) -> set[int]:
    """Those of no finding."""
    return set(numbers) - {entry.number for entry in entries}


def survivors(entries: Iterable[LedgerEntry]) -> dict[int, int]:
    """By number, the finding it is part of now: itself unless it was merged."""
    found: dict[int, int] = {}
    for entry in sorted(entries, key=lambda entry: entry.number):  # survivors come before what merged into them
        found[entry.number] = entry.number if entry.merged_into is None else found[entry.merged_into]
    return found


def standing(rounds: Sequence[Round], letters: Sequence[str]) -> Standing:
    """Where everybody stands after the last round, on every open finding. The last accepted position wins, one on
    another version does not count, and what a round did not ask about stands as the round before left it."""
    last = rounds[-1]
    kept = standing(rounds[:-1], letters) if last.asked is not None and len(rounds) > 1 else {}
    said = _said(last)
    found: dict[int, Mapping[str, Position]] = {}
    for entry in last.entries:
        if entry.state != "open":
            continue
        if last.asked is not None and entry.number not in last.asked and entry.number in kept:
            found[entry.number] = kept[entry.number]
        else:
            found[entry.number] = {
                letter: _one_of(said.get((entry.number, letter), {}), entry, letter, last) for letter in letters
            }
    return found


def standings(rounds: Sequence[Round], letters: Sequence[str]) -> list[Standing]:
    """`standing` after each round, of those who were deciding then."""
    return [standing(rounds[: end + 1], one.letters or letters) for end, one in enumerate(rounds)]


def _said(last: Round) -> dict[tuple[int, str], dict[int, Position]]:
    """By surviving finding and letter: the last accepted position on it and on each of its aliases, by number."""
    versions = {entry.number: entry.version for entry in last.entries}
    heirs = survivors(last.entries)
    found: dict[tuple[int, str], dict[int, Position]] = {}
    for position in last.positions:
        if position.version == versions[position.number]:
            found.setdefault((heirs[position.number], position.letter), {})[position.number] = position
    return found


def _one_of(said: Mapping[int, Position], entry: LedgerEntry, letter: str, last: Round) -> Position:
    """Own position on the survivor first, else the alias's; who says both yes and no in one round abstains."""
    if letter not in last.answered:
        return Position(letter, entry.number, last.number, "missing", entry.version)
    given = [said[number] for number in sorted(said) if said[number].stance in STANCES]
    if not given:
        if entry.number in said:  # the platform's own word
            return said[entry.number]
        unseen = entry.registered_round >= last.number
        return Position(letter, entry.number, last.number, "not_shown" if unseen else "omitted", entry.version)
    if len({one.kind == "disagree" for one in given if one.is_decisive}) > 1:
        return replace(given[0], number=entry.number, stance="abstain", amendment=None, conflicting=True)
    return given[0] if given[0].number == entry.number else replace(given[0], number=entry.number)
