"""Tables as data: the same values on the page, where a tag words them, and in a CSV file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from billing.pricing import MICROCREDITS_PER_DOLLAR

Cell = str | int | None
Kind = Literal["text", "instance", "count", "dollars", "time"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """`dollars` hold micro-credits, `time` milliseconds, `instance` a letter and a name, with a space between."""

    label: str
    kind: Kind = "count"

    @property
    def is_number(self) -> bool:
        return self.kind in {"count", "dollars", "time"}


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` hold one cell per column; None is unknown or not there."""

    columns: tuple[Column, ...]
    rows: tuple[Sequence[Cell], ...]

    def as_csv(self) -> str:
        """With money in dollars and time in seconds, as numbers. A text that a spreadsheet would compute is quoted."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(column.label + _UNITS.get(column.kind, "") for column in self.columns)
        for row in self.rows:
            writer.writerow(_plain(column, cell) for column, cell in zip(self.columns, row, strict=True))
        return out.getvalue()


_UNITS = {"dollars": " ($)", "time": " (s)"}


def _plain(column: Column, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    if column.kind == "dollars":
        return f"{cell / MICROCREDITS_PER_DOLLAR:.6f}"
    return f"{cell / 1_000:.3f}" if column.kind == "time" else str(cell)
