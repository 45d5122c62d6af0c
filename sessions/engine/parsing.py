"""From what a model sent to what the platform can use: the ladder of deliberation.md 4.2.

Strip thinking; try the last fenced block, then from the first brace; strict JSON, then the lenient reader; find the
findings under whatever wrapper; map synonyms; validate item by item and keep the valid ones. Nothing here raises, and
the time is bounded by MAX_CHARACTERS.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from sessions.engine.answer_fields import fields_of, finding_fields, pick, word_list, words_of
from sessions.engine.lenient_json import read_json
from sessions.engine.schemas import MAX_CHECKS, MAX_NOTE, LeadBriefOutput, OutputFinding
from sessions.engine.text import clean, clip

MAX_CHARACTERS = 200_000
MAX_ITEMS = 200
MAX_BLOCKS = 3
MAX_VALUES = 50
MAX_WRAPPERS = 3

_THINKING = re.compile(r"\s*<(think|thinking|thought|reasoning|reflection)>", re.IGNORECASE)
_THOUGHT = re.compile(r"</(?:think|thinking|thought|reasoning|reflection)>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]{0,8}```\w{0,20}", re.MULTILINE)
_LINE_VALUE = re.compile(r'^[{\["]', re.MULTILINE)
_BRACE = re.compile(r"[{\[]")
_EMPTY_LIST = re.compile(r"\s*(?:```\w{0,20})?\s*\[\s*\]\s*(?:```)?\s*")
Shape = Callable[[Any], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that an answer holds: the names it goes by, ours first, and whether a value is one of its items."""

    names: tuple[str, ...]
    is_item: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class ParsedReview:
    """`problem` is what the model must be told to get the rest or a usable answer; None when there is nothing to ask
    for. `partial` says that findings may be missing at the end. `rejected` holds one line per unusable finding."""

    items: tuple[OutputFinding, ...] = ()
    rejected: tuple[str, ...] = ()
    partial: bool = False
    coverage: str = ""
    not_examined: tuple[str, ...] = ()
    problem: str | None = None

    def then(self, later: "ParsedReview") -> "ParsedReview":
        """This answer completed by the one to a re-ask."""
        known = {(item.title, item.evidence) for item in self.items}
        new = tuple(item for item in later.items if (item.title, item.evidence) not in known)
        return replace(
            later,
            items=self.items + new,
            rejected=self.rejected + later.rejected,
            partial=later.partial or (self.partial and later.problem is not None),
            coverage=later.coverage or self.coverage,
            not_examined=later.not_examined or self.not_examined,
        )


def parse_review(text: str, finish_reason: str = "stop") -> ParsedReview:
    """What a reviewer found. An explicit empty list is a valid answer. `length`, an answer above MAX_CHARACTERS, and
    JSON that stops in the middle, whatever the provider says of it, make it partial."""
    partial = finish_reason == "length" or len(text) > MAX_CHARACTERS
    if _EMPTY_LIST.fullmatch(text[:100]) and len(text) < 100:
        return ParsedReview(partial=partial)
    value, is_whole = find_list(text, FINDINGS)
    if value is None:
        return ParsedReview(partial=partial, problem=problem_of(text, partial, "findings"))
    items, rejected = validate_findings(value["findings"])
    review = ParsedReview(
        items,
        rejected,
        partial or not is_whole,
        words_of(value.get("coverage"), MAX_NOTE),
        word_list(value.get("not_examined")),
    )
    return replace(review, problem=_problem(review, is_whole))


def parse_lead_brief(text: str) -> str | None:
    """The lead's brief as text, a line for each check; None when it is not usable."""
    value = find_mapping(text, "scope") or {}
    try:
        brief = LeadBriefOutput(
            scope=words_of(value.get("scope"), MAX_NOTE),
            checks=tuple(clip(check, 200) for check in word_list(value.get("checks")))[:MAX_CHECKS],
        )
    except ValidationError:
        return None
    return "\n".join([brief.scope, *(f"- {check}" for check in brief.checks)])


def find_list(text: str, listed: Listed) -> tuple[dict[str, Any] | None, bool]:
    """The mapping that holds the list, under our name for it, and whether it is whole; None when there is none."""
    return _find(text, lambda value: _holding(value, listed))


def problem_of(text: str, is_cut: bool, name: str) -> str:
    """What to tell a model whose answer holds no list `name`."""
    if is_cut:
        return f"It was cut off before the first of the {name}; be shorter."
    return f"It holds no JSON object with a list `{name}`." if text.strip() else "It is empty."


def find_mapping(text: str, name: str) -> dict[str, Any] | None:
    """The first JSON object of an answer that has something under `name`."""
    return _find(text, lambda found: found if isinstance(found, dict) and fields_of(found).get(name) else None)[0]


def visible_text(text: str) -> str:
    """A plain-text answer without thinking and control characters."""
    return clean(_without_thinking(text[:MAX_CHARACTERS])).strip()


def _problem(review: ParsedReview, is_whole: bool) -> str | None:
    if not is_whole:
        received = "; ".join(item.title for item in review.items) or "nothing"
        return f"It was cut off. Received so far: {received}. Send only the findings that are missing."
    if review.rejected and not review.items:
        return "No finding in it was usable:\n" + "\n".join(f"- {line}" for line in review.rejected[:5])
    return None


def _find(text: str, shape: Shape) -> tuple[dict[str, Any] | None, bool]:
    """The first value that has the shape, and whether it is whole."""
    for value, _, is_whole in _values(_without_thinking(text[:MAX_CHARACTERS].lstrip("\ufeff"))):
        if (found := shape(value)) is not None:
            return found, is_whole
    return None, False


def _values(text: str) -> Iterator[tuple[Any, int, bool]]:
    """What may be the answer, as `_read` gives it: fenced blocks, the last one first; what begins with a line; then
    one value after the other. Only fences at the start of a line count, because strings may hold others."""
    fences = list(_FENCE.finditer(text))
    blocks = list(zip(fences[::2], [*fences[1::2], None], strict=False))
    for opening, closing in reversed(blocks[-MAX_BLOCKS:]):
        yield _read(text[opening.end() : closing.start() if closing else len(text)].strip(), 0)
    if line := _LINE_VALUE.search(text):
        yield _read(text, line.start())
    at = 0
    for _ in range(MAX_VALUES):
        if (brace := _BRACE.search(text, at)) is None:
            return
        found = _read(text, brace.start())
        yield found
        at = max(found[1], brace.end())


def _read(text: str, start: int) -> tuple[Any, int, bool]:
    """The value at `start` (NaN and Infinity are read as null), where it ends, and whether it is whole."""
    try:
        value, end = json.JSONDecoder(parse_constant=lambda _: None).raw_decode(text, start)
    except (ValueError, RecursionError):
        return read_json(text, start)
    return value, end, True


def _without_thinking(text: str) -> str:
    opened = _THINKING.match(text)
    begins_with_answer = text.lstrip()[:1] in ("{", "[", "`")
    closed = None if begins_with_answer else _THOUGHT.search(text)
    if closed:
        return text[closed.end() :]
    return text[opened.end() :] if opened else text


def _holding(value: Any, listed: Listed, depth: int = 0) -> dict[str, Any] | None:
    """`value` as a mapping with the list, through wrappers, bare lists, and JSON inside of a string."""
    if depth > MAX_WRAPPERS:
        return None
    if isinstance(value, str):
        return _holding(read_json(value)[0], listed, MAX_WRAPPERS) if value[:1] in ("{", "[") else None
    if isinstance(value, list):
        has_items = any(listed.is_item(item) for item in value)
        return {listed.names[0]: value} if has_items else _first_holding(value, listed, depth)
    if not isinstance(value, dict):
        return None
    fields = fields_of(value)
    for name in listed.names:
        found = fields.get(name)
        found = list(found.values()) if isinstance(found, dict) and found else found
        if isinstance(found, list):
            return {**fields, listed.names[0]: found}
    is_item = listed.is_item(value)
    return {listed.names[0]: [value]} if is_item else _first_holding(list(value.values()), listed, depth)


def _first_holding(values: list[Any], listed: Listed, depth: int) -> dict[str, Any] | None:
    found = (_holding(value, listed, depth + 1) for value in values[:20] if isinstance(value, (dict, list, str)))
    return next((one for one in found if one is not None), None)


def _is_finding(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    fields = fields_of(value)
    return pick(fields, "severity") is not None and bool(pick(fields, "claim") or pick(fields, "title"))


def validate_findings(raw_items: list[Any]) -> tuple[tuple[OutputFinding, ...], tuple[str, ...]]:
    """The usable findings, and a line about each that is not."""
    items, rejected = [], []
    for number, raw in enumerate(raw_items[:MAX_ITEMS], 1):
        try:
            items.append(OutputFinding.model_validate(finding_fields(fields_of(raw)) if isinstance(raw, dict) else raw))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            rejected.append(f"finding {number}: {'.'.join(map(str, first['loc']))} {first['msg']}".replace(":  ", ": "))
    return tuple(items), tuple(rejected)


FINDINGS = Listed(("findings", "issues", "defects", "problems", "comments", "results", "items"), _is_finding)
