"""The text of an artifact as numbered lines, a page at a time. Of a diff the numbers are the new file's."""

from dataclasses import dataclass

from sessions.engine.diffs import diff_rows, split_lines

LINES_SHOWN = 1_000
WIDEST = 4_000


@dataclass(frozen=True, slots=True)
class ShownLine:
    """`number` is None for a line that is not in the new file. `cut` characters of it are not shown."""

    number: int | None
    sign: str
    text: str
    cut: int
    marked: bool


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
    """The page that begins at row `start`, or that holds the `marked` place: `12`, in a diff `path:12`."""
    rows = _diff(text) if kind == "diff" else [(str(n), n, "", line) for n, line in enumerate(split_lines(text), 1)]
    mark = next((index for index, row in enumerate(rows) if row[0] == marked), None) if marked else None
    first = _first_row(start, mark, len(rows))
    page = rows[first : first + LINES_SHOWN]
    return ShownLines(
        rows=tuple(
            ShownLine(number, sign, line[:WIDEST], max(len(line) - WIDEST, 0), index == mark)
            for index, (_, number, sign, line) in enumerate(page, first)
        ),
        first=first + 1,
        last=first + len(page),
        total=len(rows),
        earlier=max(first - LINES_SHOWN, 0) + 1 if first else None,
        later=first + LINES_SHOWN + 1 if first + LINES_SHOWN < len(rows) else None,
    )


def _first_row(start: str, mark: int | None, total: int) -> int:
    if mark is not None:
        return mark - mark % LINES_SHOWN
    asked = int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 1
    return min(max(asked, 1), max(total, 1)) - 1


def _diff(text: str) -> list[tuple[str, int | None, str, str]]:
    return [(f"{row.path}:{row.new_line}", row.new_line, row.sign.strip(), row.raw) for row in diff_rows(text)]
