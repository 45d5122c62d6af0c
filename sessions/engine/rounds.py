"""A round as the log keeps it: the definition before anybody is asked, the result when everybody answered, and the seal
that chains one to the next. Whole numbers, codes and digests only; words stand beside them as texts."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sessions.engine.agreement import RoundFigures, basis_points, round_data
from sessions.engine.arguments import Shown
from sessions.engine.ledger import Held, Ledger
from sessions.engine.positions import LedgerEntry, Position, Round, amendment_of


@dataclass(frozen=True, slots=True)
class Opening:
    """What a round asks, of whom: it is said before anybody answers and never changes. `mode` is blind, assessment or
    confirmation; `listed` the findings, as (number, version), `template` names the prompts."""

    generation: int
    number: int
    mode: str
    asked: tuple[str, ...]
    listed: tuple[tuple[int, int], ...]
    template: str
    ledger: str

    def data(self) -> dict[str, Any]:
        """As the log holds it; `ledger` goes beside it as a text."""
        return {
            "generation": self.generation,
            "round": self.number,
            "mode": self.mode,
            "asked": list(self.asked),
            "findings": [{"number": number, "version": version} for number, version in self.listed],
            "template": self.template,
            "definition": self.digest,
        }

    @property
    def digest(self) -> str:
        shape = [self.generation, self.number, self.mode, self.asked, self.listed, self.template, digest(self.ledger)]
        return digest(canonical(shape))


def ledger_record(listed: Sequence[Held], shown: Shown) -> str:
    """What everybody is shown, in the order of numbers, as canonical JSON."""
    return canonical(
        [
            {
                "number": held.number,
                "version": held.entry.version,
                "severity": held.entry.severity,
                "title": held.words.title,
                "claim": held.words.claim,
                "evidence": held.words.evidence,
                "arguments": [
                    {"id": one.id, "side": one.side, "text": one.text, "quote": one.quote}
                    for one in shown.get(held.number, ())
                ],
            }
            for held in listed
        ]
    )


def published(
    opening: Opening, one: Round, figures: RoundFigures, missing: Mapping[str, str], *, stability_bp: int | None
) -> dict[str, Any]:
    """The result of a round, without its seal. Every position that was accepted stands in it, in order."""
    entries = {entry.number: entry for entry in one.entries}
    told = round_data(figures)
    findings = [{**found, **_entry_data(entries.pop(found["number"]))} for found in told["findings"]]
    return {
        "generation": opening.generation,
        "round": one.number,
        "mode": opening.mode,
        "attempt": one.attempt,
        "definition": opening.digest,
        "answered": sorted(one.answered),
        "empty_lists": sorted(one.empty_lists),
        "about": None if one.asked is None else sorted(one.asked),
        "missing": [{"letter": letter, "code": code} for letter, code in sorted(missing.items())],
        "quorum": figures.quorum,
        "agreement_bp": basis_points(figures.agreement),
        "same_set_bp": basis_points(figures.same_set),
        "stability_bp": stability_bp,
        "findings": findings,
        "closed": [_entry_data(entry) for entry in entries.values()],
        "positions": [_position_data(position) for position in one.positions],
        "cost_microcredits": one.cost,
    }


def restored(data: Mapping[str, Any], words: Sequence[Mapping[str, str]]) -> Round:
    """The round that was published as `data`. `words` are those of its positions, none once they were erased."""
    rows = sorted([*data["findings"], *data["closed"]], key=lambda row: int(row["number"]))
    severities = {row["number"]: row["rated"] for row in rows}
    said = [*words, *([{}] * (len(data["positions"]) - len(words)))]
    return Round(
        number=data["round"],
        answered=frozenset(data["answered"]),
        entries=tuple(_entry(row) for row in rows),
        positions=tuple(
            _position(row, data["round"], severities[row["number"]], one)
            for row, one in zip(data["positions"], said, strict=True)
        ),
        empty_lists=frozenset(data["empty_lists"]),
        asked=None if data["about"] is None else frozenset(data["about"]),
        attempt=data["attempt"],
        cost=data["cost_microcredits"],
    )


def words_of(one: Round) -> str:
    """What the instances wrote for their positions, in the order of the positions, as canonical JSON."""
    return canonical(
        [
            {
                "rationale": position.rationale,
                "evidence": position.evidence,
                "value": position.amendment.value if position.amendment else "",
            }
            for position in one.positions
        ]
    )


def seal(previous: str, data: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """SHA-256 over the seal of the round before (empty for the first), this result and the digests of its texts."""
    return digest(canonical([previous, data, {name: digest(text) for name, text in texts.items()}]))


def reseal(previous: str, event: Mapping[str, Any], texts: Sequence[str] = ("words", "synthesis")) -> str:
    """The seal that an event of a published round must bear."""
    data = {name: value for name, value in event.items() if name not in (*texts, "seal", "previous")}
    found = {name: event[name]["digest"] for name in texts if event.get(name)}
    return digest(canonical([previous, data, found]))


def round_of(path: str) -> int | None:
    """The round that a step of a deliberation belongs to; None for what follows the last one."""
    if found := re.search(r"/round-(\d+)", path):
        return int(found[1])
    return None if path.startswith("decision/") else 1


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def listed_in(ledger: Ledger, asked: frozenset[int] | None) -> tuple[Held, ...]:
    """The open findings a round asks about: all, or only the `asked` ones."""
    return tuple(held for held in ledger if held.is_open and (asked is None or held.number in asked))


def _entry_data(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "version": entry.version,
        "state": entry.state,
        "rated": entry.severity,
        "registered": entry.registered_round,
        "versioned": entry.versioned_round,
        "merged": entry.merged_round,
        "split": entry.split_round,
        "merged_into": entry.merged_into,
        "split_from": entry.split_from,
        "raised_by": list(entry.raised_by),
        "verified": entry.evidence_verified,
    }


def _entry(row: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        number=row["number"],
        severity=row["rated"],
        raised_by=tuple(row["raised_by"]),
        registered_round=row["registered"],
        version=row["version"],
        state=row["state"],
        evidence_verified=row["verified"],
        merged_into=row["merged_into"],
        split_from=row["split_from"],
        versioned_round=row["versioned"],
        merged_round=row["merged"],
        split_round=row["split"],
    )


def _position(row: Mapping[str, Any], number: int, severity: str, words: Mapping[str, str]) -> Position:
    amends = row["stance"] == "amend"
    value = row["severity"] if row["field"] == "severity" else words.get("value", "")
    return Position(
        letter=row["letter"],
        number=row["number"],
        round=number,
        stance=row["stance"],
        version=row["version"],
        amendment=amendment_of(row["field"], value, severity) if amends else None,
        severity="" if amends else row["severity"],
        confidence=row["confidence"],
        rationale=words.get("rationale", ""),
        evidence=words.get("evidence", ""),
        evidence_verified=row["verified"],
        explained=row["explained"],
    )


def _position_data(position: Position) -> dict[str, Any]:
    amendment = position.amendment
    return {
        "letter": position.letter,
        "number": position.number,
        "version": position.version,
        "stance": position.stance,
        "field": amendment.field if amendment else "",
        "material": bool(amendment and amendment.material),
        "severity": position.given_severity,
        "confidence": position.confidence,
        "verified": position.evidence_verified,
        "explained": position.explained,
    }
