"""The text of an artifact as numbered lines, a page at a time. Of a diff the numbers are the new file's."""

import re
from dataclasses import dataclass

from sessions.engine.diffs import diff_rows, split_lines

LINES_SHOWN = 3_000
WIDEST = 4_000
_PLACE = re.compile(r"(?:(.*):)?([0-9]{1,9})(?:-([0-9]{1,9}))?", re.DOTALL)

Row = tuple[str, int | None, str, str]  # path of a diff's file, line number, sign, text


@dataclass(frozen=True, slots=True)
class ShownLine:
    """`number` is None for a line that is not in the new file. `cut` characters of it are not shown. `first` is set
    for the first marked line of all: there a link arrives."""

    number: int | None
    sign: str
    text: str
    cut: int
    marked: bool
    first: bool


@dataclass(frozen=True, slots=True)
class ShownLines:
    """Rows `first` to `last` of `total`, from 1; `earlier` and `later` begin the pages beside this one."""

    rows: tuple[ShownLine, ...]
    first: int
    last: int
    total: int
    earlier: int | None
    later: int | None


def shown_lines(kind: str, text: str, start: str = "", marked: str = "") -> ShownLines:
    """The page that begins at row `start`, or on which the `marked` place begins: `12` or `12-15`, in a diff
    `path:12-15`."""
    rows = rows_of(kind, text)
    marks = _marks(rows, marked)
    mark = min(marks, default=None)
    first = _first_row(start, mark, len(rows))
    page = rows[first : first + LINES_SHOWN]
    return ShownLines(
        rows=tuple(
            ShownLine(number, sign, line[:WIDEST], max(len(line) - WIDEST, 0), index in marks, index == mark)
            for index, (_, number, sign, line) in enumerate(page, first)
        ),
        first=first + 1,
        last=first + len(page),
        total=len(rows),
        earlier=max(first - LINES_SHOWN, 0) + 1 if first else None,
        later=first + LINES_SHOWN + 1 if first + LINES_SHOWN < len(rows) else None,
    )


def _marks(rows: list[Row], place: str) -> frozenset[int]:
    """The rows of a place, by index; none when it is not there."""
    match = _PLACE.fullmatch(place)
    if match is None:
        return frozenset()
    path, start, end = match.groups(default="")
    first, last = int(start), int(end or start)
    return frozenset(
        index for index, row in enumerate(rows) if row[0] == path and row[1] is not None and first <= row[1] <= last
    )


def _first_row(start: str, mark: int | None, total: int) -> int:
    if mark is not None:
        return mark - mark % LINES_SHOWN
    asked = int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 1
    return min(max(asked, 1), max(total, 1)) - 1


def rows_of(kind: str, text: str) -> list[Row]:
    """All of them."""
    if kind == "diff":
        return [(row.path, row.new_line, row.sign.strip(), row.raw) for row in diff_rows(text)]
    return [("", number, "", line) for number, line in enumerate(split_lines(text), 1)]
