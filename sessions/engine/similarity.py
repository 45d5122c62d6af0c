"""How alike two reports are: the scorer of the design (deliberation 3.4).

Location can veto, evidence and text decide. It is stateless: the score of a pair never depends on what else is in the
session, so there is no inverse document frequency.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from sessions.engine.findings import Location, Report

GAP_LIMIT = 10  # lines: places as far apart as this are disjoint
LINE_KINDS = frozenset({"code", "diff"})

# Grammar, negations too: no and not make any two claims alike, they do not tell them apart.
_STOP_WORDS = frozenset(
    "a about after all also an and any are as at be because been before being but by can cannot could did do does "
    "each for from had has have how if in into is it its may might more must never no nor not of on only or other "
    "over shall should so some such than that the their them then there these they this those through to under use "
    "used using very was were what when where which while who whose why will with without would you your".split()
)
_STRUCTURE_WORDS = frozenset(
    "appendix annex article chapter clause figure heading page para paragraph part row schedule section table".split()
)

_UNITS = "two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBER_WORDS = dict(zip((*_UNITS, *_TEENS, *_TENS), (*range(2, 20), *range(20, 100, 10)), strict=True))
_SCALES = {"": 1, "hundred": 100, "thousand": 1000}
_NUMBER_WORD = re.compile(
    rf"\b({'|'.join(_NUMBER_WORDS)})\b(?:(?<=ty)[ -]({'|'.join(_UNITS)})\b)?(?:[ -](hundred|thousand)\b)?"
)

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DOTTED = re.compile(r"\d+(?:\.\d+)*")
_LISTED = rf"\s*{_DOTTED.pattern}(?:(?:\s*[,&–-]\s*|\s+(?:and|or|to)\s+){_DOTTED.pattern})*"
_SECTIONS = re.compile(rf"(?:\b(?:section|clause|chapter|article|paragraph|para)s?\b|\b(?:sec|art)\.|§+){_LISTED}")
_LINES = re.compile(rf"\blines?\b{_LISTED}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report points. `number` is the anchor's first number; `name` a symbol's words in code, an anchor's
    telling words in text; `sections` the numbers of the anchor and of the sections that the claim names."""

    artifact: str
    path: str
    by_lines: bool
    lines: tuple[int, int] | None
    number: str
    name: tuple[str, ...]
    sections: frozenset[str]


@dataclass(frozen=True, slots=True)
class Features:
    """What scoring needs of one report, computed once. `words` is a vector over trigrams, of length 1."""

    place: Place
    words: dict[str, float]
    quote: frozenset[str]
    numbers: frozenset[str]


def similarity(a: Features, b: Features) -> float:
    """0..1 in steps of 1e-9, so that equal ones are equal; 0 when the places are disjoint."""
    overlap = _place_overlap(a.place, b.place)
    if not overlap:
        return 0.0
    value = (2 * _text_likeness(a.words, b.words) + 0.5 * overlap + _quote_overlap(a.quote, b.quote)) / 3.5
    if a.numbers and b.numbers and a.numbers.isdisjoint(b.numbers):
        value -= 0.15
    return max(0.0, round(value, 9))


def _text_likeness(a: dict[str, float], b: dict[str, float]) -> float:
    # fsum: a set of strings has another order in another process, the sum must not differ
    cosine = math.fsum(a[trigram] * b[trigram] for trigram in a.keys() & b.keys())
    return min(1.0, max(0.0, (cosine - 0.10) / 0.30))


def _quote_overlap(a: frozenset[str], b: frozenset[str]) -> float:
    shorter = min(len(a), len(b))
    return 0.4 if shorter < 6 else len(a & b) / shorter


def _place_overlap(a: Place, b: Place) -> float:
    if a.artifact != b.artifact or (a.path and b.path and a.path != b.path):
        return 0.0
    return _code_overlap(a, b) if a.by_lines else _text_overlap(a, b)


def _code_overlap(a: Place, b: Place) -> float:
    if a.lines and b.lines:
        return _line_overlap(a.lines, b.lines)
    if not a.name or not b.name:
        return 0.6
    shared = min(len(a.name), len(b.name))
    return 0.8 if a.name[-shared:] == b.name[-shared:] else 0.0


def _text_overlap(a: Place, b: Place) -> float:
    """Reports on a text may carry anchors, lines or both: the best of what is known of both counts, so that a heading
    that one model misread does not veto when the lines agree."""
    anchors = _anchor_overlap(a, b)
    lines = _line_overlap(a.lines, b.lines) if a.lines and b.lines else None
    return max((overlap for overlap in (anchors, lines) if overlap is not None), default=0.5)


def _anchor_overlap(a: Place, b: Place) -> float | None:
    """None when an anchor is missing and the claim does not make up for it."""
    if a.number and b.number:
        if a.number == b.number:
            return 1.0
        if f"{a.number}.".startswith(f"{b.number}.") or f"{b.number}.".startswith(f"{a.number}."):
            return 0.7
    elif not set(a.name).isdisjoint(b.name):
        return 0.8
    if not a.sections.isdisjoint(b.sections):
        return 0.8
    return 0.0 if (a.number or a.name) and (b.number or b.name) else None


def _line_overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    gap = max(a[0], b[0]) - min(a[1], b[1])
    if gap <= 0:
        return 1.0
    return 0.7 - 0.07 * gap if gap < GAP_LIMIT else 0.0


def extract_features(report: Report) -> Features:
    claim = _with_digits(report.claim)
    return Features(
        place=_place_of(report, claim),
        words=_word_vector(f"{claim} {_with_digits(f'{report.evidence} {report.suggestion}')}"),
        quote=frozenset(_trigrams(report.evidence.lower())),
        numbers=_stated_numbers(claim),
    )


def _place_of(report: Report, claim: str) -> Place:
    by_lines = report.kind in LINE_KINDS
    anchor = _with_digits(report.location.anchor)
    numbers = [] if by_lines else _DOTTED.findall(anchor)[:1]
    sections = [] if by_lines else _DOTTED.findall(" ".join(_SECTIONS.findall(claim)))
    return Place(
        artifact=report.artifact,
        path=report.location.path,
        by_lines=by_lines,
        lines=_line_range(report.location),
        number="".join(numbers),
        name=anchor_words(report.location.anchor, by_lines),
        sections=frozenset([*sections, *numbers]),
    )


def _line_range(location: Location) -> tuple[int, int] | None:
    lines = [line for line in (location.start_line, location.end_line) if line is not None]
    return (min(lines), max(lines)) if lines else None


def anchor_words(anchor: str, by_lines: bool) -> tuple[str, ...]:
    """What an anchor names: a symbol's words in code (`by_lines`), the telling words of a heading or key elsewhere."""
    lowered = _with_digits(anchor)
    return _symbol_words(lowered) if by_lines else _heading_words(lowered)


def _symbol_words(anchor: str) -> tuple[str, ...]:
    """`pool.Stop()` gives (pool, stop): the same symbol as `Stop`, whose words it ends in."""
    return tuple(_WORD.findall(anchor.split("(")[0]))


def _heading_words(anchor: str) -> tuple[str, ...]:
    words = set(_WORD.findall(anchor)) - _STOP_WORDS - _STRUCTURE_WORDS
    return tuple(sorted(word for word in words if not word.isdigit()))


def _stated_numbers(claim: str) -> frozenset[str]:
    """The numbers a claim states; 0, 1 and those that only say where are left out."""
    stated = _LINES.sub(" ", _SECTIONS.sub(" ", claim))
    return frozenset(number.replace(",", "") for number in _NUMBER.findall(stated)) - {"0", "1"}


def _with_digits(text: str) -> str:
    """In lower case, number words as digits ("twenty-five" 25, "two hundred" 200)."""
    return _NUMBER_WORD.sub(_digits, text.lower())


def _digits(words: re.Match[str]) -> str:
    main, unit, scale = words.groups(default="")
    return str((_NUMBER_WORDS[main] + _NUMBER_WORDS.get(unit, 0)) * _SCALES[scale])


def _word_vector(text: str) -> dict[str, float]:
    words = [word for word in _WORD.findall(text) if word not in _STOP_WORDS]
    counts = Counter(chain.from_iterable(map(_padded_trigrams, words)))
    weights = {count: 1 + math.log(count) for count in set(counts.values())}
    length = math.sqrt(sum(weights[count] ** 2 for count in counts.values()))
    return {trigram: weights[count] / length for trigram, count in counts.items()}


@lru_cache(maxsize=1 << 16)
def _padded_trigrams(word: str) -> tuple[str, ...]:
    return tuple(_trigrams(f" {word} "))


def _trigrams(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(len(text) - 2)]
