"""The artifact pane of a review: a window of an artifact's rows, painted, or a Markdown document as it is meant to be
read; with marks where findings are.

Rows are built here and not in a template: a window has up to 3,000 of them, and a whole page has 50 ms.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from sessions.engine.findings import SEVERITIES
from sessions.glossary import label
from sessions.templatetags.crucible import monogram
from sessions.views.document import is_rendered, places_of
from sessions.views.lines import WIDEST, Row, rows_of
from sessions.views.paint import painted

WINDOW = 3_000
GROUP = 100  # rows the browser lays out together
_HEADING = re.compile(r"#{1,6} ")
_SIGNS = {"+": "added", "-": "removed", "@": "hunk"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A finding, or a report that arrives, at the lines `start` to `end` of `path` (which counts in diffs). What
    arrives has no `label` and leads nowhere yet: it says who raised it."""

    label: str
    letters: tuple[str, ...]
    severity: str
    title: str
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ArtifactPane:
    """Rows `first` to `last` of `total`, from 1, in groups that are laid out when they come into sight. `earlier` and
    `later` begin the windows beside this one. A document that is rendered is whole and has no groups. `key` names what
    is shown apart from marks."""

    version: UUID
    kind: str
    groups: tuple[SafeString, ...]
    first: int
    last: int
    total: int
    earlier: int | None
    later: int | None
    document: SafeString = SafeString("")

    @property
    def key(self) -> str:
        return f"{self.version}:{self.first}"


def artifact_pane(
    version: UUID, name: str, kind: str, text: str, marks: Sequence[Mark], at: Mark | None, start: str, base: str
) -> ArtifactPane:
    """The window that begins at row `start`, or in which the mark `at` begins. `base` is the address of a finding up
    to its label."""
    rows = rows_of(kind, text)
    places = _Places(rows, kind)
    shown = places.rows_of(at) if at else range(0)
    if is_rendered(name, kind, text):
        document = _document(text, _marked(marks, places), shown, base)
        return ArtifactPane(version, kind, (), 1, len(rows), len(rows), None, None, document)
    first = shown[0] - shown[0] % WINDOW if shown else _asked(start, len(rows))
    window = rows[first : first + WINDOW]
    painted_lines = _paint(name, kind, window)
    marked = _marked(marks, places)
    lines = [
        _row(index, row, html, marked.get(index, ()), index in shown, base, kind)
        for index, (row, html) in enumerate(zip(window, painted_lines, strict=True), first)
    ]
    last = first + len(window)
    return ArtifactPane(
        version,
        kind,
        tuple(SafeString("".join(lines[i : i + GROUP])) for i in range(0, len(lines), GROUP)),
        first + 1,
        last,
        len(rows),
        max(first - WINDOW, 0) + 1 if first else None,
        last + 1 if last < len(rows) else None,
    )


def _document(text: str, marked: dict[int, list[tuple[Mark, bool]]], shown: Sequence[int], base: str) -> SafeString:
    """Every place of the document with the marks of its rows."""

    def opening(rows: range) -> str:
        found: dict[Mark, bool] = {}
        for mark, begins in (one for row in rows for one in marked.get(row, ())):
            found[mark] = found.get(mark, False) or begins
        marks = sorted(found.items(), key=lambda one: -SEVERITIES.get(one[0].severity, 0))
        at = any(row in shown for row in rows)
        shape = _attributes([], marks, at)
        return f'<span id="R{rows.start + 1}"{shape}>{_gutter(marks, base)}{_landed(marks, "span")}'

    return SafeString(places_of(text).html(opening))


class _Places:
    """Which row a line of a file is."""

    def __init__(self, rows: list[Row], kind: str) -> None:
        self._total = len(rows)
        self._rows: dict[tuple[str, int], int] | None = None
        if kind == "diff":
            self._rows = {
                (path, number): index for index, (path, number, _, _) in enumerate(rows) if number is not None
            }

    def rows_of(self, mark: Mark) -> Sequence[int]:
        if self._rows is None:
            return range(max(mark.start - 1, 0), min(mark.end, self._total))
        lines = range(mark.start, min(mark.end, mark.start + WINDOW) + 1)
        return [row for line in lines if (row := self._rows.get((mark.path, line))) is not None]


def _marked(marks: Iterable[Mark], places: _Places) -> dict[int, list[tuple[Mark, bool]]]:
    """By row: the findings that cover it, and whether they begin there; the gravest first."""
    found: dict[int, list[tuple[Mark, bool]]] = defaultdict(list)
    for mark in sorted(marks, key=lambda one: -SEVERITIES.get(one.severity, 0)):
        for place, row in enumerate(places.rows_of(mark)):
            found[row].append((mark, place == 0))
    return found


def _asked(start: str, total: int) -> int:
    row = int(start) - 1 if start.isascii() and start.isdigit() and len(start) < 9 else 0
    return max(min(row, total - 1), 0)


def _paint(name: str, kind: str, window: Sequence[Row]) -> Sequence[str]:
    lines = [line if len(line) <= WIDEST else f"{line[:WIDEST]} …" for *_, line in window]
    if kind == "code":
        return painted(name, "\n".join(lines))
    return [escape(line) for line in lines]


def _row(index: int, row: Row, html: str, marks: Sequence[tuple[Mark, bool]], at: bool, base: str, kind: str) -> str:
    _, number, sign, line = row
    classes = [_SIGNS[sign]] if sign in _SIGNS else []
    if kind == "document" and _HEADING.match(line):
        classes.append("heading")
    direction = ' dir="auto"' if kind == "document" else ""
    return (
        f'<tr id="R{index + 1}"{_attributes(classes, marks, at)}><td class="gutter">{_gutter(marks, base)}</td>'
        f'<td class="line-number" data-n="{"" if number is None else number}"></td>'
        f'<td class="line"{direction}>{html}</td>{_landed(marks, "td")}</tr>'
    )


def _attributes(classes: list[str], marks: Sequence[tuple[Mark, bool]], at: bool) -> str:
    classes = [*classes, *(["at"] if at else []), *(["marked"] if marks else [])]
    shape = f' class="{" ".join(classes)}"' if classes else ""
    covered = f' data-in="{" ".join(mark.label for mark, _ in marks if mark.label)}"' if marks else ""
    return shape + covered


def _landed(marks: Sequence[tuple[Mark, bool]], tag: str) -> str:
    """What has arrived at this line, beside it."""
    begun = [mark for mark, begins in marks if begins and not mark.label]
    if not begun:
        return ""
    who = SafeString("".join(monogram(letter) for letter in dict.fromkeys(one.letters[0] for one in begun)))
    return format_html('<{0} class="landed" dir="auto">{1}<span>{2}</span></{0}>', tag, who, begun[0].title)


def _gutter(marks: Sequence[tuple[Mark, bool]], base: str) -> str:
    """One mark for all findings that begin here, as grave as the gravest."""
    begun = [mark for mark, begins in marks if begins]
    if not begun:
        return ""
    mark = begun[0]
    count = str(len(begun)) if len(begun) > 1 else ""
    says = "; ".join(f"{one.label or 'arriving'}, {label('severity', one.severity)}: {one.title}" for one in begun[:5])
    if not mark.label:
        return format_html('<span class="mark arriving sev-{}" title="{}">{}</span>', mark.severity, says, count)
    aloud = f"{count} findings: {says}" if count else says
    words = (mark.severity, f"{base}{mark.label}", mark.label, says, aloud, count)
    return format_html('<a class="mark sev-{}" href="{}" data-f="{}" title="{}" aria-label="{}">{}</a>', *words)
