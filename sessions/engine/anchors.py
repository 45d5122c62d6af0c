"""Where something stands in an artifact: headings and clauses of documents, keys and rows of data.

Lines are counted from 1 and end at "\\n" only (`str.splitlines` also breaks at form feeds and U+2028, which no
editor and no diff counts). Nothing here raises on odd text, and the time is linear in it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from sessions.engine.diffs import split_lines
from sessions.engine.roster import ArtifactKind

Anchor = tuple[int, str]

MAX_ANCHOR = 60
_LOOK = 400  # a heading, clause or key shows itself in the first characters of its line

_FENCE = re.compile(r" {0,3}(```|~~~)")
_TITLE = re.compile(r" {0,3}(?:#{1,6}|={1,6})[ \t]+(.+)")
_UNDERLINE = re.compile(r"([=~^-])\1{2,}[ \t]*$")
_NOT_A_TITLE = re.compile(r"\s|[-*+>|#]|$")
_PART = r"(?:0|[1-9][0-9]{0,2})"
_NUMBER = re.compile(rf"(?:[A-Z]\.)?{_PART}(?:\.{_PART}){{0,9}}(?=[.):]?(?:\s|$))")
_NAMED = re.compile(
    r"(§{1,2}|(?:article|section|clause|chapter|part|annex|appendix|schedule|artikel|abschnitt|kapitel)(?=\s))\s{0,3}"
    r"([0-9]{1,4}[a-z]?(?:\.[0-9]{1,3}){0,9}|[IVXLC]{1,7}|[A-Z])(?=[.:)\s]|$)",
    re.IGNORECASE,
)
_SEPARATORS = ".:) \t\u2013\u2014-"

_JSON_KEY = re.compile(r'([ \t]+)"([^"\\]{1,100})"[ \t]*:')
_YAML_KEY = re.compile(r"""["']?([A-Za-z_][\w.-]{0,100})["']?[ \t]*:(?:\s|$)""")
_SECTION = re.compile(r"\[{1,2}([^\[\]]{1,100})\]{1,2}\s*$")


def anchors(text: str, kind: ArtifactKind) -> list[Anchor]:
    """(first line, anchor) in line order; an anchor holds until the next one.

    Documents: headings and numbered clauses, by their number when they have one ("2.4", "Article 5"), else by their
    shortened text. Data: top-level keys, else rows as a spreadsheet counts them ("row 1" is the header). Code and
    diffs have line numbers instead.
    """
    if kind == "document":
        return _document_anchors(split_lines(text))
    if kind == "data":
        return _data_anchors(split_lines(text))
    return []


def anchor_at(anchors: Sequence[Anchor], line: int) -> str:
    """The anchor under which `line` stands, or "" above the first one."""
    index = bisect_right(anchors, line, key=lambda anchor: anchor[0])
    return anchors[index - 1][1] if index else ""


def _document_anchors(lines: list[str]) -> list[Anchor]:
    prose = list(_prose(lines))
    titles = dict(_titles(prose))
    # "1. ..." is a list item in a text that headings divide, and a clause in one that has at most a title.
    has_lists = len(titles) > 1
    found = []
    for number, line in prose:
        title = titles.get(number)
        label = _clause(line, has_lists) if title is None else _label(title)[0] or title[:MAX_ANCHOR].rstrip()
        if label:
            found.append((number, label))
    return found


def _prose(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The beginning of each line with its number; front matter and fenced code count as blank."""
    has_front_matter = lines[:1] == ["---"] and "---" in lines[1:100]
    start = lines.index("---", 1) + 1 if has_front_matter else 0
    fence = ""
    for index, line in enumerate(lines):
        mark = _FENCE.match(line)
        is_prose = index >= start and not fence and not mark
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        yield index + 1, line[:_LOOK] if is_prose else ""


def _titles(prose: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines marked as headings (Markdown, AsciiDoc), and single lines that are underlined (also reStructuredText)."""
    before = ""
    for (number, line), (_, after) in zip(prose, [*prose[1:], (0, "")], strict=False):
        if marked := _TITLE.match(line):
            yield number, _plain(marked[1].rstrip("#= \t"))
        elif _UNDERLINE.match(after) and not _NOT_A_TITLE.match(line) and (not before or _UNDERLINE.match(before)):
            yield number, _plain(line)
        before = line.strip()


def _plain(title: str) -> str:
    return title.replace("*", "").replace("`", "").strip("_ \t")


def _label(text: str) -> tuple[str, str]:
    """The number a heading or clause begins with, after its word if it has one ("Section 7"), and the rest."""
    if named := _NAMED.match(text):
        return f"{named[1].capitalize()} {named[2]}", text[named.end() :]
    number = _NUMBER.match(text)
    return (number[0], text[number.end() :]) if number else ("", text)


def _clause(line: str, has_lists: bool) -> str:
    """The label of a line like "3.2.1 The supplier ...", or "". A lower-case word after it means that a sentence
    goes on ("Section 7 applies", "3.5 percent"); a number alone is a figure, not a clause."""
    label, rest = _label(_plain(line))
    words = rest.lstrip(_SEPARATORS)
    if words[:1].islower() or not (words or " " in label):
        return ""
    if label.isdigit() and (has_lists or rest[0] not in ".)"):
        return ""
    return label


def _data_anchors(lines: list[str]) -> list[Anchor]:
    first = next((line for line in lines if line.strip() and not line.startswith(("#", "%", "---"))), "")
    if _top_key(first):
        return [(index + 1, key) for index, line in enumerate(lines) if (key := _top_key(line))]
    return _json_keys(lines) or list(_rows(lines))


def _top_key(line: str) -> str:
    """A key or section of YAML, TOML and INI that stands at the left margin."""
    match = _SECTION.match(line[:_LOOK]) or _YAML_KEY.match(line[:_LOOK])
    return match[1] if match else ""


def _json_keys(lines: list[str]) -> list[Anchor]:
    """Keys of indented JSON at the indentation of the first one."""
    if not "".join(lines[:1]).startswith(("{", "[")):
        return []
    found = [(index + 1, key[1], key[2]) for index, line in enumerate(lines) if (key := _JSON_KEY.match(line))]
    return [(number, key) for number, indent, key in found if indent == found[0][1]]


def _rows(lines: list[str]) -> Iterator[Anchor]:
    """Rows of comma-separated values: an odd number of quotes leaves a row open into the next line."""
    row, is_open = 0, False
    for index, line in enumerate(lines):
        if line and not is_open:
            row += 1
            yield index + 1, f"row {row}"
        is_open ^= line.count('"') % 2 == 1
