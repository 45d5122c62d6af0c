"""What the mock models of `provider_server` say: a pure function of the model's name and manner, the prompt and the
schema.

Structured answers are valid for the schema that the request demands. A list called `findings` is filled from the
numbered lines of the prompt: every file has its own fixed "defects" (lines chosen by checksum), and every model name
sees about two thirds of them, so that several models overlap in part and their quotes are verbatim. What they hold of
findings and criteria that are laid before them is in `provider_judging`.
"""

import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

from tests.provider_judging import PLAIN, Manner, attestation, positions, settling

MAX_DEFECTS = 12
QUOTE = (8, 300)  # characters of a quote

_BLOCK = re.compile(r"^BEGIN UNTRUSTED (\S+) \((.*?)\)\n(.*?)\nEND UNTRUSTED \1$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^ *(\d+)\| (.*)$", re.MULTILINE)
_FILE = re.compile(r"^file: (.*)$", re.MULTILINE)
_LABEL = re.compile(r"\bF-\d{3,}\b")
_WORD = re.compile(r"[^\W\d_]\w{2,}")
_SCHEMA_TEXT = re.compile(r'\{\s*"(?:type|title|properties|additionalProperties|\$schema|\$defs)"\s*:')

# family, severity, category, title, and two ways to say the same claim
_DEFECTS = (
    ("correctness", "major", "wrong condition", "Condition around `{word}` is wrong at the boundary",
     "The condition on `{word}` is off by one: it is wrong for the first and last value.",
     "At the boundary the check of `{word}` decides wrongly, it is off by one."),
    ("security", "critical", "missing validation", "`{word}` is used without validation",
     "The value of `{word}` reaches this line unvalidated, so a caller can inject what it likes.",
     "Nothing validates `{word}` before it is used here; an attacker controls it."),
    ("reliability", "major", "unhandled error", "Failure of `{word}` is not handled",
     "When `{word}` fails, the error is neither handled nor reported and work is lost.",
     "An error in `{word}` is not handled here: the failure passes silently."),
    ("performance", "minor", "repeated work", "`{word}` is computed again and again",
     "The work for `{word}` is repeated on every pass and could be done once.",
     "`{word}` is computed in every iteration although its result does not change."),
    ("clarity", "minor", "unclear wording", "`{word}` is ambiguous",
     "A reader cannot tell what `{word}` refers to here; two readings are possible.",
     "The meaning of `{word}` is ambiguous at this place and allows two readings."),
    ("consistency", "major", "contradiction", "`{word}` contradicts an earlier statement",
     "What is said about `{word}` here does not agree with what stands earlier.",
     "This contradicts the earlier statement about `{word}`."),
)  # fmt: skip
_SEVERITIES = ("info", "minor", "major", "critical", "blocker")


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


# What our prompts ask for in words when no schema is sent.
_TEXT = {"type": "string"}
_PLACE = _object(path=_TEXT, start_line={"type": "integer"}, end_line={"type": "integer"})
_FINDING = _object(
    title=_TEXT, claim=_TEXT, evidence=_TEXT, location=_PLACE, suggestion=_TEXT, category=_TEXT,
    confidence={"type": "number"}, family=_TEXT, severity=_TEXT,
)  # fmt: skip
_LIST = {"type": "array", "items": _TEXT}
_CONTRACTS = {
    "- positions: a list": _object(analysis=_TEXT, positions=_LIST, findings=_LIST),
    "- answers: a list": _object(analysis=_TEXT, answers=_LIST, verdict=_TEXT),
    "- settle: a list": _object(summary=_TEXT, settle=_LIST, open_questions=_LIST),
    "- findings: a list": _object(analysis=_TEXT, findings={"type": "array", "items": _FINDING}, coverage=_TEXT),
    "- scope: what": _object(scope=_TEXT, checks=_LIST),
}


@dataclass(frozen=True)
class Line:
    path: str
    number: int
    text: str


@lru_cache(maxsize=1_024)
def answer(model: str, prompt: str, schema_text: str, manner: Manner = PLAIN) -> str:
    """The text a model answers. `schema_text` is the JSON Schema of the request, or empty; then the prompt decides
    between JSON and prose."""
    schema = json.loads(schema_text) if schema_text else _schema_in(prompt)
    if schema is None:
        return _prose(model, prompt)
    document = _instance(schema, schema, "answer", model, prompt)
    if isinstance(document, dict):
        document |= _judged(model, manner, prompt, document)
    return json.dumps(document, ensure_ascii=False)


@lru_cache(maxsize=256)
def defects_in(prompt: str) -> tuple[Line, ...]:
    """The lines that hold this prompt's defects, in reading order: those with the lowest checksums."""
    lines = [line for line in _lines(prompt) if len(line.text) >= QUOTE[0] and _WORD.search(line.text)]
    chosen = sorted(lines, key=lambda line: crc32(line.text.encode()))[:MAX_DEFECTS]
    return tuple(sorted(chosen, key=lambda line: (line.path, line.number)))


def _lines(prompt: str) -> Iterator[Line]:
    blocks = [(title, text) for _, title, text in _BLOCK.findall(prompt) if "to review" in title] or [("", prompt)]
    for title, text in blocks:
        named = _FILE.search(text)
        for number, raw in _ROW.findall(text):
            shown = raw[1:] if ": diff," in title else raw
            yield Line(named[1] if named else "", int(number), shown.strip()[: QUOTE[1]].strip())


def _schema_in(prompt: str) -> dict[str, Any] | None:
    ours = _BLOCK.sub("", prompt)
    for found in _SCHEMA_TEXT.finditer(ours):
        try:
            schema, _ = json.JSONDecoder().raw_decode(ours, found.start())
        except ValueError:
            continue
        if "properties" in schema:
            return dict(schema)
    return next((schema for words, schema in _CONTRACTS.items() if words in ours), None)


def _prose(model: str, prompt: str) -> str:
    labels = list(dict.fromkeys(_LABEL.findall(prompt)))
    first = f"Begin with {labels[0]}. " if labels else ""
    rest = "".join(f"{label} needs a decision by its owner. " for label in labels[1:6])
    return f"{first}{rest}This is what {model} has to say: the material was read and the answer is plain text."


def _judged(model: str, manner: Manner, prompt: str, asked: Container[str]) -> dict[str, Any]:
    """The fields of what the prompt lays before a model, by the one that tells what is asked."""
    if "positions" in asked:
        return {"positions": positions(model, manner, prompt), "findings": []}
    if "answers" in asked:
        answers = attestation(manner, prompt, [line.text for line in defects_in(prompt)])
        unmet = any(one["answer"] == "not_met" for one in answers)
        return {"answers": answers, "verdict": "refuse" if unmet else "certify"}
    if "settle" in asked:
        return {"summary": _prose(model, prompt), "settle": settling(prompt), "open_questions": []}
    return {}


def _instance(schema: dict[str, Any], root: dict[str, Any], name: str, model: str, prompt: str) -> Any:
    """A value that is valid for the schema, told by its property's name where that means something."""
    if "$ref" in schema:
        return _instance(_referenced(schema["$ref"], root), root, name, model, prompt)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _instance(schema[choice][0], root, name, model, prompt)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next(one for one in kind if one != "null") if isinstance(kind, list) else kind
    if kind == "array":
        items = schema.get("items", {"type": "string"})
        if name == "findings":
            item = _referenced(items["$ref"], root) if "$ref" in items else items
            return [_finding(item, root, model, prompt, line) for line in _seen_by(model, prompt)]
        return [_instance(items, root, name, model, prompt) for _ in range(max(1, schema.get("minItems", 1)))]
    if kind == "object":
        return {key: _instance(value, root, key, model, prompt) for key, value in schema.get("properties", {}).items()}
    scalars = {"integer": schema.get("minimum", 1), "number": 0.5, "boolean": True, "null": None}
    return scalars.get(kind, f"{model} on {name.replace('_', ' ')}.")


def _referenced(path: str, root: dict[str, Any]) -> dict[str, Any]:
    for key in path.removeprefix("#/").split("/"):
        root = root[key]
    return root


def _seen_by(model: str, prompt: str) -> list[Line]:
    return [line for line in defects_in(prompt) if crc32(f"{model}:{line.text}".encode()) % 3]


def _finding(schema: dict[str, Any], root: dict[str, Any], model: str, prompt: str, line: Line) -> dict[str, Any]:
    mark = crc32(line.text.encode())
    family, severity, category, title, *claims = _DEFECTS[mark % len(_DEFECTS)]
    word = max(_WORD.findall(line.text), key=len)
    taste = crc32(f"{model}/{line.text}".encode())
    rank = min(max(_SEVERITIES.index(severity) + (-1, 0, 0, 0, 1)[taste % 5], 0), 4)
    known = {
        "title": title.format(word=word), "claim": claims[taste % 2].format(word=word), "evidence": line.text,
        "path": line.path, "file": line.path, "start_line": line.number, "end_line": line.number, "line": line.number,
        "anchor": None, "suggestion": f"Change the use of `{word}` here.", "category": category, "family": family,
        "confidence": 0.6 + taste % 7 * 0.05, "severity": _SEVERITIES[rank],
    }  # fmt: skip
    return _filled(schema, root, known, model, prompt)


def _filled(
    schema: dict[str, Any], root: dict[str, Any], known: dict[str, Any], model: str, prompt: str
) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for key, part in schema.get("properties", {}).items():
        if key in known:
            filled[key] = known[key]
        elif "properties" in part:
            filled[key] = _filled(part, root, known, model, prompt)
        else:
            filled[key] = _instance(part, root, key, model, prompt)
    return filled
