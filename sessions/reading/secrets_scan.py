"""Likely secrets in what is about to be sent to providers. A table of shapes, and one rule for assignments whose value
looks drawn by lot. It errs towards asking: people are shown file, line and kind, and go on when they know better.

The value itself never leaves this module: not in a message, a log, an event or a row.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sessions.engine.diffs import split_lines

MAX_SUSPECTS = 200
_MAX_LINE = 2_000  # characters of a line that are looked at; longer ones are data

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(shape))
    for kind, shape in (
        ("private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        ("AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
        ("GitLab token", r"\bgl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}"),
        ("Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
        ("Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
        ("Stripe key", r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("Google API key", r"\bAIza[A-Za-z0-9_-]{35}"),
        ("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
        ("OpenAI key", r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}"),
        ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
        ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("PyPI token", r"\bpypi-[A-Za-z0-9_-]{50,}"),
        ("SendGrid key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        ("Azure storage key", r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}"),
        ("JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
        (
            "password in an address",
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>{}\[\]$%]{0,80}:(?!(?:pass|password|pwd|secret|user|info)@)"
            r"[^\s/@'\"<>{}\[\]$%*]{3,80}@(?!localhost|127\.|host\b|example)[\w.-]",
        ),
    )
)
_ASSIGNMENT = re.compile(
    r"(?i)(?:^|[^a-z0-9])[a-z0-9_.-]{0,60}(?:passw(?:or)?d|passwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key"
    r"|private[_-]?key|client[_-]?key|credential)[a-z0-9_-]{0,20}[\"']?\]?\s*(?::=|=>|[:=])\s*[\"'`]?"
    r"([^\s\"'`,;)}\]]{8,200})"
)
# References to a value that stands elsewhere, and what examples write.
_NO_VALUE = re.compile(
    r"(?i)^(?:\$|%|<|\{|\*|\.|os\.|process\.|env|getenv|settings|config|self|request|this|null|none|true|false|str|your"
    r"|example|change|replace|dummy|placeholder|redacted|test|xxx|todo)|example|\w\(|\*{3}|\.{3}|^[a-z_]+(?:\.[a-z_]+)+$"
)
_CODE = re.compile(r"[\[({]|://")  # an index, a call, a type, an address
_MIN_BITS = 3.0  # Shannon entropy a character: words of a language have less in this length, random letters more
_DOTENV = re.compile(r"(?:^|/)\.env(?:\.[\w-]+)?$")
_DOTENV_SAMPLE = re.compile(r"\.(?:example|sample|template|dist)$")
_DOTENV_LINE = re.compile(r"^\s*(?:export\s+)?[A-Za-z_]\w*\s*=\s*\S")


class Suspect(NamedTuple):
    """`line` is counted from 1 in the text as it was brought; of a diff, in the diff's own text."""

    path: str
    line: int
    kind: str


def likely_secrets(files: Iterable[tuple[str, str]]) -> list[Suspect]:
    """At most MAX_SUSPECTS places in (path, text) pairs that look like secrets, one for each line, in order."""
    found: list[Suspect] = []
    for path, text in files:
        of_dotenv = is_dotenv(path)
        for number, line in enumerate(split_lines(text), 1):
            if kind := _kind(line[:_MAX_LINE], of_dotenv):
                found.append(Suspect(path, number, kind))
                if len(found) == MAX_SUSPECTS:
                    return found
    return found


def is_dotenv(path: str) -> bool:
    """Whether it is a `.env` file, and not a sample of one."""
    return bool(_DOTENV.search(path)) and not _DOTENV_SAMPLE.search(path)


def _kind(line: str, of_dotenv: bool) -> str:
    """What the line seems to hold; empty for nothing."""
    for kind, shape in _SHAPES:
        if shape.search(line):
            return kind
    if any(_looks_drawn(match[1]) for match in _ASSIGNMENT.finditer(line)):
        return "password or key"
    return "value of a .env file" if of_dotenv and _DOTENV_LINE.match(line) else ""


def _looks_drawn(value: str) -> bool:
    """Whether a value looks like a drawn or chosen secret and not like a word, a name or a reference."""
    if _NO_VALUE.search(value):
        return False
    mixed = any(char.isdigit() or char in "!#$%&*+/?@^~" for char in value)
    return mixed and not _CODE.search(value) and _bits(value) >= _MIN_BITS


def _bits(value: str) -> float:
    """Shannon entropy per character, in bits."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values())
