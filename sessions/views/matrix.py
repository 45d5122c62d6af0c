"""Alone and together as a table: a row for each instance, a column for each finding that counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sessions.queries import FoundFinding, SeatView, Together

COLUMNS_SHOWN = 16  # the list has them all


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One instance and one finding: whether it `raised` it, it `alone`, or what it said when asked (`verdict`)."""

    label: str
    raised: bool
    alone: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """`raised` and `alone` are None until reports are merged, and for an instance that did not answer, which has no
    cells either. `next_try` is when an instance whose last try failed is asked again."""

    seat: SeatView
    cells: tuple[MatrixCell, ...]
    raised: int | None
    alone: int | None
    next_try: datetime | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """`left` counts the findings that have no column."""

    columns: tuple[FoundFinding, ...]
    rows: tuple[MatrixRow, ...]
    left: int


def matrix(
    seats: Sequence[SeatView],
    findings: Sequence[FoundFinding],
    counted: Together,
    next_tries: Mapping[str, datetime],
    *,
    merged: bool,
) -> Matrix:
    numbers = {row.number for row in counted.rows}
    columns = tuple(finding for finding in findings if finding.number in numbers)[:COLUMNS_SHOWN]
    answered = {column.letter: column for column in counted.columns} if merged else {}
    rows = tuple(
        MatrixRow(
            seat,
            tuple(_cell(seat.letter, finding) for finding in columns) if seat.letter in answered else (),
            answered[seat.letter].raised if seat.letter in answered else None,
            answered[seat.letter].alone if seat.letter in answered else None,
            next_tries.get(seat.letter) if seat.state == "retrying" else None,
        )
        for seat in seats
    )
    return Matrix(columns, rows, len(numbers) - len(columns))


def _cell(letter: str, finding: FoundFinding) -> MatrixCell:
    said = next((opinion.verdict for opinion in finding.opinions if opinion.letter == letter), "")
    return MatrixCell(finding.label, letter in finding.raised_by, finding.raised_by == (letter,), said)
