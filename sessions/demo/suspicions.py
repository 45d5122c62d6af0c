"""What a simulated reviewer suspects in a text in which nothing was planted: rules that quote real lines of it.

Nobody read the text, and the platform says so on every page. The rules (`suspicions.toml`) only make the demo
behave on a person's own file as it does on the demo artifacts.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice
from typing import Any

from sessions.demo.draws import draw
from sessions.demo.material import Line, Material
from sessions.demo.plants import HERE, Plant, Wording, read_wordings
from sessions.engine.anchors import anchor_at, anchors
from sessions.engine.roster import ArtifactKind
from sessions.engine.text import clip

MAX_SUSPICIONS = 12
MAX_PER_RULE = 4
MAX_DISTANCE = 11  # lines
MAX_QUOTE = 300
_SHORTEST_QUOTE = 8
_SEARCHED = 1_000  # characters of a line: a pattern never sees a whole minified file
_WORD = 40
_DEFINITION = re.compile(r"\s{0,40}(?:\w+\s){0,4}(?:def|class|function|fn|func|interface|struct)\s(\w+)")
_KEY = re.compile(r"""["']?(\w[^,;\t"':]{1,80})["']?\s?[,;\t]""")


@dataclass(frozen=True, slots=True)
class Rule:
    """A `pattern` of None is a rule that compares lines; see `_hits`."""

    id: str
    kinds: tuple[str, ...]
    category: str
    family: str
    severity: str
    difficulty: float
    impact: str
    wordings: tuple[Wording, ...]
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """`word` is what the rule saw in the line; `turn` counts the hits of the rule."""

    rule: Rule
    line: Line
    word: str
    turn: int = 0


@cache
def rules() -> tuple[Rule, ...]:
    rows: list[dict[str, Any]] = tomllib.loads((HERE / "suspicions.toml").read_text("utf-8"))["suspicion"]
    return tuple(_rule(row) for row in rows)


def suspicions(material: Material, seed: str) -> list[Plant]:
    """At most MAX_SUSPICIONS places of a text: the first of every rule, then the second of every rule, and so on, apart
    from each other so that they are not taken for one defect. Empty only for a text without a visible character. The
    same for every persona of a session."""
    distance = min(MAX_DISTANCE, 1 + len(material.lines) // (3 * MAX_SUSPICIONS))
    chosen: list[Hit] = []
    for hit in sorted(_hits(material, seed), key=lambda hit: (hit.turn, hit.rule.difficulty)):
        if all(_distance(hit.line, other.line) >= distance for other in chosen):
            chosen.append(hit)
    return [_plant(material, hit) for hit in chosen[:MAX_SUSPICIONS]]


def _distance(a: Line, b: Line) -> float:
    return abs(a.number - b.number) if a.path == b.path else math.inf


def _hits(material: Material, seed: str) -> list[Hit]:
    by_id = {rule.id: rule for rule in rules()}
    found: list[Hit] = []
    for rule in rules():
        if rule.pattern and material.kind in rule.kinds:
            found += islice(_matches(rule, rule.pattern, material.lines, seed), MAX_PER_RULE)
    if material.kind == "data":
        found += islice(_repeated_keys(by_id["duplicate"], material.lines), MAX_PER_RULE)
    visible = [line for line in material.lines if line.text.strip()]
    if not found and visible:
        found.append(Hit(by_id["dense"], max(visible, key=lambda line: (len(line.text), -line.number)), ""))
    return found


def _matches(rule: Rule, pattern: re.Pattern[str], lines: Sequence[Line], seed: str) -> Iterator[Hit]:
    """Begins anywhere in the text and goes round, so that a long text is not only suspected at its top."""
    begin = int(draw(seed, rule.id) * len(lines))
    turns = count()
    for line in (*lines[begin:], *lines[:begin]):
        if len(line.text.strip()) >= _SHORTEST_QUOTE and (match := pattern.search(line.text, 0, _SEARCHED)):
            yield Hit(rule, line, match[0].strip(), next(turns))


def _repeated_keys(rule: Rule, lines: Sequence[Line]) -> Iterator[Hit]:
    seen: set[str] = set()
    turns = count()
    for line in lines:
        if key := _KEY.match(line.text, 0, _SEARCHED):
            if key[1] in seen:
                yield Hit(rule, line, key[1], next(turns))
            seen.add(key[1])


def _plant(material: Material, hit: Hit) -> Plant:
    rule, line = hit.rule, hit.line
    word = clip(hit.word, _WORD)
    return Plant(
        id=f"{rule.id}-{line.path}-{line.number}",
        artifact=line.path,
        start_line=line.number,
        end_line=line.number,
        anchor=_anchor(material, line),
        category=rule.category,
        family=rule.family,
        severity=rule.severity,
        difficulty=rule.difficulty,
        quote=line.text.strip()[:MAX_QUOTE].strip(),
        impact=rule.impact,
        wordings=tuple(
            replace(one, title=one.title.replace("{word}", word), claim=one.claim.replace("{word}", word))
            for one in rule.wordings
        ),
    )


def _anchor(material: Material, line: Line) -> str:
    if material.kind == "code":
        above = [one for one in material.lines if one.path == line.path and one.number <= line.number]
        definitions = (_DEFINITION.match(one.text, 0, _SEARCHED) for one in reversed(above))
        return next((match[1] for match in definitions if match), "")
    kind: ArtifactKind = "document" if material.kind == "document" else "data"
    return anchor_at(anchors(material.text, kind), line.number)


def _rule(row: dict[str, Any]) -> Rule:
    pattern = re.compile(row["pattern"]) if "pattern" in row else None
    fields = {**row, "kinds": tuple(row["kinds"]), "wordings": read_wordings(row["wordings"]), "pattern": pattern}
    return Rule(**fields)
