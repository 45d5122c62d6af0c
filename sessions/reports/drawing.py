"""A drawing with what stands around it: the same numbers as a table, and what is told apart in it."""

from dataclasses import dataclass

from sessions.reports.charts import Chart
from sessions.reports.tables import Table


@dataclass(frozen=True, slots=True)
class Drawing:
    """`legend` is (style, words)."""

    chart: Chart
    table: Table
    legend: list[tuple[str, str]]
