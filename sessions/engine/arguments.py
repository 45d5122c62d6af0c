"""What the next round is shown of the last one: on each finding the best argument of each side.

Nobody is named, no side is counted, and the order says nothing: arguments are drawn in an order that depends on the
session's seed. Their ids (`F-002.1`) are what an instance cites when it changes its mind.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sessions.engine.findings import SEVERITIES
from sessions.engine.ledger import Held
from sessions.engine.positions import STANCES, Kind, Position, Standing
from sessions.engine.prompts import MAX_LEDGER_LINE, place_words
from sessions.engine.run import CallFailed
from sessions.engine.text import single_line

SIDES: Mapping[Kind, str] = {"agree": "for", "minor": "for", "material": "for a change", "disagree": "against"}


@dataclass(frozen=True, slots=True)
class Argument:
    """`side` is for, for a change, or against; `quote` what it rests on, verified or not."""

    id: str
    side: str
    text: str
    quote: str
    verified: bool


Shown = Mapping[int, tuple[Argument, ...]]


def drawn(seed: str, *parts: object) -> str:
    """A sort key nobody can guess, the same on every replay: HMAC-SHA256 keyed with the session's seed (hex)."""
    said = "/".join(map(str, parts))
    return hmac.new(bytes.fromhex(seed), said.encode(), hashlib.sha256).hexdigest()


def arguments_of(listed: Iterable[Held], held_by: Standing, seed: str, number: int) -> Shown:
    """By finding, what round `number` is shown. A raiser's own claim stands in the finding already."""
    return {
        held.number: _numbered(held, _best(held, held_by.get(held.number, {}).values()), seed, number)
        for held in listed
    }


def ledger_text(listed: Sequence[Held], shown: Shown, seed: str, number: int, letter: str, room: int) -> str:
    """The ledger in an order of this instance's own, within `room` characters: open questions and grave findings in
    full, the others in one line while they do not fit. CallFailed when not even the lines do."""
    entries = {held.number: _entry(held, shown[held.number]) for held in listed}
    left = room - sum(len(lines[0]) for lines in entries.values())
    if left < 0:
        raise CallFailed("context_too_long", letter)
    whole = set()
    for held in sorted(listed, key=lambda held: (not _is_argued(shown[held.number]), -SEVERITIES[held.entry.severity])):
        left -= sum(map(len, entries[held.number][1:]))
        if left >= 0:
            whole.add(held.number)
    order = sorted(entries, key=lambda finding: drawn(seed, number, letter, finding))
    return "\n".join(line for one in order for line in (entries[one] if one in whole else entries[one][:1]))


def own_words(listed: Iterable[Held], held_by: Standing, letter: str) -> str:
    """Where this instance stands so far: `F-001 agree, F-004 disagree`."""
    stands = {held.entry.label: held_by.get(held.number, {}).get(letter) for held in listed}
    return ", ".join(
        f"{label} {position.stance}" for label, position in stands.items() if position and position.stance in STANCES
    )


def _best(held: Held, positions: Iterable[Position]) -> list[Position]:
    """One position for each side: proven before unproven, then the surer, the fuller."""
    best: dict[str, Position] = {}
    for position in sorted(positions, key=_strength, reverse=True):
        side = SIDES.get(position.kind)
        if side and position.rationale and position.rationale != held.words.claim:
            best.setdefault(side, position)
    return list(best.values())


def _strength(position: Position) -> tuple[bool, int, int, str]:
    return position.evidence_verified, position.confidence, len(position.rationale), position.letter


def _numbered(held: Held, best: Sequence[Position], seed: str, number: int) -> tuple[Argument, ...]:
    order = sorted(best, key=lambda position: drawn(seed, number, held.number, SIDES[position.kind]))
    return tuple(
        Argument(
            f"{held.entry.label}.{at}",
            SIDES[position.kind],
            _said(position),
            position.evidence if position.evidence != held.words.evidence else "",
            position.evidence_verified,
        )
        for at, position in enumerate(order, 1)
    )


def _said(position: Position) -> str:
    change = position.amendment
    return f"{position.rationale} ({change.field} should be: {change.value})" if change else position.rationale


def _is_argued(arguments: Sequence[Argument]) -> bool:
    return any(argument.side != "for" for argument in arguments)


def _entry(held: Held, arguments: Sequence[Argument]) -> list[str]:
    words, checked = held.words, "verified" if held.entry.evidence_verified else "not found in the artifact"
    lines = [
        f"{held.entry.label} {held.entry.severity}: {words.title}",
        f"at {place_words(words.location)}; quote {checked}: {words.evidence}",
        f"{words.claim}",
        *([f"suggested: {words.suggestion}"] if words.suggestion else []),
    ]
    for argument in arguments:
        quoted = "quote" if argument.verified else "quote not found in the artifact"
        rest = f" [{quoted}: {argument.quote}]" if argument.quote else ""
        lines.append(f"argument {argument.id} {argument.side}: {argument.text}{rest}")
    head, *body = (single_line(line, MAX_LEDGER_LINE) for line in lines)
    return [head, *(f"  {line}" for line in body)]
