"""What the mock models hold about what is laid before them: findings in a later round, criteria of a standard.

A pure function of the model's name, its manner and the prompt. On every finding there is a shared view, drawn from its
quote: most claims are true. A model keeps to its own until the round it settles in; then it takes the shared view and
names the argument or the quote that moved it. Certifiers find every criterion met, except for those that dissent.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

_ROW = re.compile(r"^ *\d+\| ", re.MULTILINE)
_LAID = re.compile(r"^(F-\d{3,}) (?:blocker|critical|major|minor|info): (.*)$", re.MULTILINE)
_QUOTE = re.compile(r"^  at .*?; quote (?:verified|not found in the artifact): (.*)$", re.MULTILINE)
_ARGUMENT = re.compile(r"^  argument (F-\d{3,}\.\d) (for a change|for|against): ", re.MULTILINE)
_ROUND = re.compile(r"^Round: (\d+)$", re.MULTILINE)
_OWN = re.compile(r"^Your positions so far: (.*)$", re.MULTILINE)
_ARGUED = re.compile(r"^(F-\d{3,}) \w+, (?:contested|undecided) ", re.MULTILINE)
_CRITERION = re.compile(r"^Criterion (\S+) \((mandatory|optional)(, critical)?\): (.*)$", re.MULTILINE)

_FOR = ("The quoted words say so, and nothing around them takes it back.",
        "I followed the place to its end, and the case that the claim names does occur.")  # fmt: skip
_AGAINST = ("What surrounds the quoted words already takes care of it.",
            "The claim needs a case that cannot reach this place.")  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """`settles` is the round from which a model takes the shared view of a finding; a certifier that `dissents` holds
    the first criterion that is mandatory and not critical to be unmet."""

    settles: int = 2
    dissents: bool = False


PLAIN = Manner()


def positions(model: str, manner: Manner, prompt: str) -> list[dict[str, Any]]:
    """One on every finding of the ledger in the prompt."""
    text = _ROW.sub("", prompt)
    found = _ROUND.search(text)
    settled = int(found[1]) >= manner.settles if found else True
    own = _own(text)
    heads = list(_LAID.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        _position(model, settled, own.get(head[1], ""), head[1], head[2], text[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
    ]


def settling(prompt: str) -> list[dict[str, Any]]:
    """What would settle each finding that the prompt of a synthesis calls contested or undecided."""
    question = "Does the case that {label} speaks of occur? A test or a log of it would show."
    labels = _ARGUED.findall(_ROW.sub("", prompt))
    return [{"finding": label, "question": question.format(label=label)} for label in labels]


def attestation(manner: Manner, prompt: str, lines: Sequence[str]) -> list[dict[str, Any]]:
    """An answer to every criterion of the prompt, each with one of the `lines` of the material as its quote."""
    criteria = _CRITERION.findall(prompt)
    unmet = next((one for one, weight, critical, _ in criteria if weight == "mandatory" and not critical), "")
    return [
        _answered(one, words, lines, is_met=not (manner.dissents and one == unmet)) for one, _, _, words in criteria
    ]


def _own(text: str) -> dict[str, str]:
    found = _OWN.search(text)
    return dict(part.split(" ", 1) for part in found[1].split(", ")) if found else {}


def _position(model: str, settled: bool, own: str, label: str, title: str, body: str) -> dict[str, Any]:
    found = _QUOTE.search(body)
    quote = found[1] if found else title
    taste = crc32(f"{model}/{quote}".encode())
    stance = _shared(quote) if settled else own if own in ("agree", "disagree") else "disagree"
    moved = own in ("agree", "disagree") and own != stance
    narrows = not settled and stance == "agree" and not taste % 4
    because = _because(stance, body) if moved else "none"
    return {
        "finding": label,
        "rationale": (_AGAINST if stance == "disagree" else _FOR)[taste % 2],
        "new_evidence": quote if because == "evidence" else "",
        "changed_because": because,
        "same_as": None,
        "amend_field": "scope" if narrows else "none",
        "amend_value": "This holds where the quoted words apply, not everywhere." if narrows else "",
        "confidence": 0.6 + taste % 7 * 0.05,
        "stance": "amend" if narrows else stance,
    }


def _shared(quote: str) -> str:
    return "agree" if crc32(quote.encode()) % 4 else "disagree"


def _because(stance: str, body: str) -> str:
    side = "against" if stance == "disagree" else "for"
    return next((argument for argument, said in _ARGUMENT.findall(body) if said == side), "evidence")


def _answered(criterion: str, words: str, lines: Sequence[str], *, is_met: bool) -> dict[str, Any]:
    said = "The quoted words show it." if is_met else "This is the place where it would have to stand, and it does not."
    quote = lines[crc32(words.encode()) % len(lines)] if lines else ""
    return {"criterion": criterion, "reason": said, "evidence": quote, "answer": "met" if is_met else "not_met"}
