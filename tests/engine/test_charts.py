"""Drawings are numbers first: scales, rows and marks."""

import pytest

from sessions.reports.charts import COLOURS, Lane, Part, Span, Stack, gantt, rows_of, share, stacked_bars, ticks


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (10, [0, 5, 10]),
        (40, [0, 10, 20, 30, 40]),
        (7, [0, 2, 4, 6]),
        (0.03, [0, 0.01, 0.02, 0.03]),
        (0, [0]),
        (1, [0, 0.5, 1]),
    ],
)
def test_ticks_are_round_numbers_that_fit(most: float, expected: list[float]) -> None:
    assert ticks(most) == pytest.approx(expected)


@pytest.mark.parametrize("most", [3, 17, 99, 123_456, 0.0007])
def test_there_are_never_more_ticks_than_a_phone_can_show(most: float) -> None:
    found = ticks(most)
    assert 2 <= len(found) <= 5
    assert found[-1] <= most


def test_a_share_of_nothing_is_nothing() -> None:
    assert share(5, 0) == 0


def test_stacks_share_one_scale_and_their_parts_stand_behind_each_other() -> None:
    chart = stacked_bars(
        "k", "t", "d",
        [Stack("A", "4", [Part("brief", "Brief", 1, "1"), Part("review", "Review", 3, "3")]),
         Stack("B", "2", [Part("review", "Review", 2, "2")])],
        str,
    )  # fmt: skip
    assert [(mark.x, mark.width) for mark in chart.marks] == [
        ("0.00%", "25.00%"), ("25.00%", "75.00%"), ("0.00%", "50.00%"),
    ]  # fmt: skip
    assert len({mark.y for mark in chart.marks}) == 2


def test_a_name_stands_only_in_a_part_that_has_room_for_it() -> None:
    parts = [Part("brief", "Brief", 1, "1"), Part("review", "Review", 99, "99")]
    chart = stacked_bars("k", "t", "d", [Stack("A", "100", parts)], str)
    assert [mark.label for mark in chart.marks] == ["", "Review"]


def test_every_part_says_its_number_where_the_pointer_rests() -> None:
    chart = stacked_bars("k", "t", "d", [Stack("A", "$1", [Part("review", "Review", 1, "$1.00")])], str)
    assert chart.marks[0].words == "Review: $1.00"


def test_a_drawing_of_nothing_has_no_marks() -> None:
    assert stacked_bars("k", "t", "d", [Stack("A", "0", [])], str).marks == ()


def test_calls_that_overlap_stand_below_each_other_and_others_do_not() -> None:
    first, during, later = ([Span("wait", start, start + 10, "")] for start in (0, 5, 10))
    assert rows_of([later, first, during]) == [[*first, *later], during]


def test_a_lane_without_calls_keeps_its_row() -> None:
    chart = gantt("k", "t", "d", [Lane("A", "", []), Lane("B", "", [[Span("wait", 0, 1, "")]])], str)
    assert chart.marks[0].y > 40


def test_time_runs_from_the_first_call_to_the_last() -> None:
    spans = [Span("queue", 0, 25, ""), Span("wait", 25, 50, ""), Span("stream", 50, 100, "")]
    chart = gantt("k", "t", "d", [Lane("A", "", [spans])], str)
    assert [mark.x for mark in chart.marks] == ["0.00%", "25.00%", "50.00%"]


@pytest.mark.parametrize("style", COLOURS)
def test_every_mark_has_a_colour_in_the_style_sheet(style: str) -> None:
    from pathlib import Path

    sheet = (Path(__file__).resolve().parents[2] / "static" / "css" / "charts.css").read_text()
    assert f".mark-{style}" in sheet or style == "queue"  # its hatch is coloured instead
