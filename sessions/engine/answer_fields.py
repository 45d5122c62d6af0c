"""The fields of one answer under our names, types and limits, whatever the instance called them."""

import re
from collections.abc import Mapping
from typing import Any

from sessions.engine.findings import FAMILIES, SEVERITIES
from sessions.engine.schemas import MAX_CLAIM, MAX_EVIDENCE, MAX_SUGGESTION, MAX_TITLE
from sessions.engine.text import clean, clip

UNKNOWN_CONFIDENCE = 0.5

# "src/a.py:12-15", "a.py#L4", "a.py, lines 12 to 15", "line 7"; anything else is an anchor
_PLACE = re.compile(
    r"([^\s:,#]+\.[A-Za-z]\w{0,7})?[\s:,#(]*(?:lines?\s*)?(?:L?([0-9]{1,9})(?:\s?(?:-|–|to|\.\.)\s?L?([0-9]{1,9}))?)?\)?"
)

_SYNONYMS = {
    "title": ("title", "name", "headline", "issue", "summary"),
    "claim": ("claim", "description", "details", "detail", "explanation", "message", "problem", "text"),
    "evidence": ("evidence", "quote", "snippet", "excerpt", "code"),
    "suggestion": ("suggestion", "recommendation", "fix", "remedy", "proposal"),
    "category": ("category", "type", "kind"),
    "family": ("family", "category", "type"),
    "severity": ("severity", "level", "priority", "impact"),
    "confidence": ("confidence", "certainty", "probability"),
    "path": ("path", "file", "filename", "file_path"),
    "start_line": ("start_line", "line", "lines", "line_number", "start", "line_start"),
    "end_line": ("end_line", "end", "line_end"),
    "anchor": ("anchor", "section", "heading", "clause", "paragraph", "symbol", "function"),
}
_SEVERITY_WORDS = {
    **dict.fromkeys(("blocking", "showstopper", "fatal", "p0", "s0", "sev0", "emergency"), "blocker"),
    **dict.fromkeys(("high", "severe", "serious", "p1", "s1", "sev1"), "critical"),
    **dict.fromkeys(("medium", "moderate", "important", "error", "significant", "p2", "s2", "sev2"), "major"),
    **dict.fromkeys(("low", "warning", "warn", "small", "p3", "s3", "sev3"), "minor"),
    **dict.fromkeys(("informational", "information", "note", "nit", "trivial", "hint", "style", "p4", "s4"), "info"),
    **{str(level): severity for severity, level in SEVERITIES.items()},
}
_CONFIDENCE_WORDS = {"certain": 0.95, "very": 0.9, "high": 0.85, "medium": 0.6, "moderate": 0.6, "low": 0.3}


def finding_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of one finding with our names, types and limits; what cannot be mapped stays for the validator."""
    claim = words_of(pick(fields, "claim"), MAX_CLAIM)
    title = words_of(pick(fields, "title"), MAX_TITLE)
    family = words_of(pick(fields, "family"), 80).lower()
    return {
        "title": " ".join((title or clip(claim.split(". ")[0], MAX_TITLE)).split()),
        "claim": claim or title,
        "evidence": words_of(pick(fields, "evidence"), MAX_EVIDENCE + 1)[:MAX_EVIDENCE],
        "location": _location(fields),
        "suggestion": words_of(pick(fields, "suggestion"), MAX_SUGGESTION),
        "category": words_of(pick(fields, "category"), 80),
        "confidence": confidence_of(pick(fields, "confidence")),
        "family": family if family in FAMILIES else "other",
        "severity": severity_of(pick(fields, "severity")),
    }


def fields_of(raw: Mapping[Any, Any]) -> dict[str, Any]:
    return {re.sub(r"\W+", "_", str(key)[:40].strip(" *_")).lower(): value for key, value in raw.items()}


def pick(fields: Mapping[str, Any], name: str) -> Any:
    return next((fields[key] for key in _SYNONYMS[name] if fields.get(key) not in (None, "", [], {})), None)


def words_of(value: Any, limit: int) -> str:
    """Text of at most `limit` characters out of a string, number or list of them; anything else is empty."""
    if isinstance(value, list):
        value = "\n".join(item for item in value[:50] if isinstance(item, str))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value) if abs(value) < 1e15 else ""
    return clip(clean(value[: 2 * limit + 100]).strip(), limit) if isinstance(value, str) else ""


def word_list(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(words for item in values[:50] if (words := words_of(item, 400)))


def severity_of(value: Any) -> str:
    words = re.findall(r"[a-z]+[0-9]?|[0-9]", words_of(value, 80).lower())
    known = (word if word in SEVERITIES else _SEVERITY_WORDS.get(word) for word in words)
    return next((severity for severity in known if severity), "")


def confidence_of(value: Any) -> float:
    """0 to 1 in steps of 0.05, from fractions, percentages and words."""
    said = re.search(r"-?[0-9]+(?:\.[0-9]+)?|[a-z]+", words_of(value, 20).lower())
    if said is None or said[0].isalpha():
        return _CONFIDENCE_WORDS.get(said[0] if said else "", UNKNOWN_CONFIDENCE)
    number = float(said[0])
    return round(min(max(number / 100 if number > 1 else number, 0), 1) * 20) / 20


def _location(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`{path, start_line, end_line, anchor}` from a mapping, from text, or from fields beside the others."""
    stated = next((fields[key] for key in ("location", "place", "position") if fields.get(key)), None)
    if isinstance(stated, str):
        words = words_of(stated, 400)
        match = _PLACE.fullmatch(words)
        start, end = _line_range(match[2], match[3]) if match else (None, None)
        anchor = "" if match else words[:200]
        return {"path": match[1] or "" if match else "", "start_line": start, "end_line": end, "anchor": anchor}
    place: Mapping[str, Any] = fields_of(stated) if isinstance(stated, dict) else fields
    start, end = _line_range(pick(place, "start_line"), pick(place, "end_line"))
    path, anchor = words_of(pick(place, "path"), 400), words_of(pick(place, "anchor"), 200)
    return {"path": path, "start_line": start, "end_line": end, "anchor": anchor}


def _line_range(start: Any, end: Any) -> tuple[int | None, int | None]:
    """From numbers, `"12-15"`, `"L12"` or `[12, 15]`, the smaller first."""
    parts = [words_of(part, 40) for part in (*(start[:2] if isinstance(start, list) else [start]), end)]
    digits = [found for part in parts if not part.startswith("-") for found in re.findall(r"[0-9]+", part)]
    numbers = [int(found) for found in digits if len(found) < 10 and int(found) > 0][:2]
    return (min(numbers), max(numbers)) if numbers else (None, None)
