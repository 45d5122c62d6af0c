"""Deliberations written as tables: per round one string per finding, one sign per instance."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sessions.engine.agreement import Rules
from sessions.engine.positions import Amendment, LedgerEntry, Position, Round
from sessions.engine.roster import Member

LETTERS = "ABCDEFG"
MINOR, MATERIAL = Amendment("wording", "say it plainly", False), Amendment("scope", "only on retry", True)
SIGNS: Mapping[str, dict[str, Any]] = {
    "a": {"stance": "agree"},
    "m": {"stance": "amend", "amendment": MINOR},
    "M": {"stance": "amend", "amendment": MATERIAL},
    "d": {"stance": "disagree"},
    "-": {"stance": "abstain"},
}
"""Of the others, "." says nothing on this finding, and "x" in every row of a round has no usable answer."""


def play(*rounds: Mapping[int, str], **fields: Any) -> tuple[Round, ...]:
    """Rounds from tables such as `{1: "aa.", 2: "a.."}`. A finding is registered in the first round that names it and
    raised by who agrees there; `fields` go into every entry."""
    entries: dict[int, LedgerEntry] = {}
    played = []
    for number, table in enumerate(rounds, start=1):
        for finding, signs in table.items():
            raisers = tuple(letter for letter, sign in zip(LETTERS, signs, strict=False) if sign == "a")
            fresh = LedgerEntry(finding, "major", raisers, registered_round=number)
            entries.setdefault(finding, replace(fresh, **fields))
        played.append(one_round(number, table, tuple(entries.values())))
    return tuple(played)


def one_round(number: int, table: Mapping[int, str], entries: tuple[LedgerEntry, ...], **fields: Any) -> Round:
    n = max(map(len, table.values()))
    positions = tuple(
        Position(LETTERS[at], finding, number, **SIGNS[sign])
        for finding, signs in table.items()
        for at, sign in enumerate(signs)
        if sign in SIGNS
    )
    answered = frozenset(LETTERS[at] for at in range(n) if any(signs[at] != "x" for signs in table.values()))
    return Round(number, answered, entries, positions, **fields)


def change(rounds: tuple[Round, ...], at: int, finding: int, **fields: Any) -> tuple[Round, ...]:
    """The same rounds, with one finding changed from round `at` on."""
    return tuple(
        one
        if one.number < at
        else replace(
            one,
            entries=tuple(replace(entry, **fields) if entry.number == finding else entry for entry in one.entries),
        )
        for one in rounds
    )


def rules(n: int, **fields: Any) -> Rules:
    return Rules(tuple(LETTERS[:n]), **fields)


def members(*families: str) -> list[Member]:
    """One instance per family; a family that ends in "=" runs one model in all its instances."""
    return [
        Member(letter, letter, "reviewer", family if family.endswith("=") else f"{family}-{letter}", family)
        for letter, family in zip(LETTERS, families, strict=False)
    ]


EXAMPLE = ({1: "aa.", 2: "a..", 3: "..a"}, {1: "aaa", 2: "adM", 3: "aaa"}, {1: "aaa", 2: "aaa", 3: "aaa"})
"""The session worked through in the definitions: 33.3, 83.3 and 100 percent."""
EXAMPLE_DIVERGED = (*EXAMPLE[:2], {1: "aaa", 2: "add", 3: "aaa"})
