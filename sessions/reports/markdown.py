"""Other people's words inside our Markdown: they stay words. Nothing they hold becomes a heading, a table cell, HTML,
an image, a link, a mention of somebody or a reference to something."""

import re

from sessions.engine.text import clean, single_line

_STRUCTURE = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_AT_LINE_START = re.compile(r"^(\d{1,9})([.)])|^([-+=:])")
# What renderers turn into links by themselves: addresses and mentions. As code they stay as they are.
_LINKS_ITSELF = re.compile(
    r"(?:https?|ftp|mailto|xmpp|javascript|data):[^\s`|]+|www\.[^\s`|]+|[\w.+-]{1,64}@[\w.-]{1,255}|@[\w/-]+",
    re.IGNORECASE,
)
_BACKTICKS = re.compile(r"`+")
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def line(text: str, limit: int = 300) -> str:
    """One line of inert text, for headings and table cells."""
    return _inert(single_line(text, limit))


def paragraphs(text: str) -> str:
    """Inert text that keeps its lines; a blank line stays a paragraph break."""
    rows = _visible(text).splitlines()
    return "\n".join(_inert(row.strip()) for row in rows).strip()


def code(text: str) -> str:
    """A one-line code span that nothing inside can close."""
    inside = single_line(text, 300).replace("|", "\u2223") or " "
    ticks = "`" * (_longest(inside) + 1)
    room = " " if "`" in inside else ""
    return f"{ticks}{room}{inside}{room}{ticks}"


def block(text: str) -> str:
    """A code block that nothing inside can close."""
    rows = "\n".join(_visible(text).splitlines())
    fence = "`" * max(_longest(rows) + 1, 3)
    return f"{fence}text\n{rows}\n{fence}"


def _inert(row: str) -> str:
    parts, end = [], 0
    for match in _LINKS_ITSELF.finditer(row):
        parts += [_STRUCTURE.sub(r"\\\1", row[end : match.start()]), f"`{match.group()}`"]
        end = match.end()
    parts.append(_STRUCTURE.sub(r"\\\1", row[end:]))
    return _AT_LINE_START.sub(_escape_marker, "".join(parts))


def _escape_marker(match: re.Match[str]) -> str:
    number, after, sign = match.groups()
    return f"\\{sign}" if sign else f"{number}\\{after}"


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", clean(text))


def _longest(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
