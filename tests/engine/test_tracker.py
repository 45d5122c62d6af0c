"""The tracker's drawing is numbers first: points, lines, names and columns."""

from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string

from sessions.reports.tracker import (
    COLUMNS,
    NAME_GAP,
    PLOT_HEIGHT,
    PLOT_TOP,
    PLOT_WIDTH,
    TrackedRound,
    takeaway,
    tracker,
    tracker_table,
)

EXAMPLE = [
    TrackedRound(1, 3333, new=3),
    TrackedRound(2, 8333, 8333),
    TrackedRound(3, 10_000, 10_000, flipped=1),
]


def test_the_whole_is_on_top_and_nothing_at_the_bottom() -> None:
    drawn = tracker("k", [TrackedRound(1, 0), TrackedRound(2, 10_000)], 10_000, 2)
    assert [(dot.x, dot.y) for dot in drawn.dots] == [("18.50%", PLOT_TOP + PLOT_HEIGHT), ("55.50%", PLOT_TOP)]
    assert [(line.y1, line.y2) for line in drawn.lines if line.style == "agreement"] == [
        (PLOT_TOP + PLOT_HEIGHT, PLOT_TOP)
    ]


def test_rounds_that_may_come_have_a_place() -> None:
    drawn = tracker("k", EXAMPLE[:1], 10_000, 4)
    assert [tick.words for tick in drawn.chart.ticks] == ["Round 1", "2", "3", "4"]
    assert len(drawn.dots) == 1


def test_an_extra_round_has_a_place_too() -> None:
    assert len(tracker("k", EXAMPLE, 10_000, 2).chart.ticks) == 3


def test_every_point_says_its_share() -> None:
    words = [text.words for text in tracker("k", EXAMPLE, 10_000, 3).texts]
    assert words[:3] == ["33.3 %", "83.3 %", "100.0 %"]


@pytest.mark.parametrize(("share", "below"), [(10_000, False), (8_667, True), (8_000, False)])
def test_words_stand_clear_of_the_threshold_line(share: int, below: bool) -> None:
    drawn = tracker("k", [TrackedRound(1, share)], 10_000, 2)
    assert (drawn.texts[0].y > drawn.dots[0].y) is below


@pytest.mark.parametrize(
    ("threshold", "words"), [(10_000, "needed: 100 %"), (7_500, "needed: 75 %"), (5_001, "needed: > 50 %")]
)
def test_the_threshold_is_named_at_its_line(threshold: int, words: str) -> None:
    drawn = tracker("k", EXAMPLE[:2], threshold, 3)
    line = next(line for line in drawn.lines if line.style == "threshold")
    name = next(text for text in drawn.texts if text.words == words)
    assert abs(name.y - line.y1) <= NAME_GAP
    assert line.x2 == f"{PLOT_WIDTH}%"


@pytest.mark.parametrize("last", [10_000, 9_900, 7_600, 7_500, 7_400, 0])
@pytest.mark.parametrize("same", [10_000, 7_500, 7_300])
def test_names_never_lie_on_each_other(last: int, same: int) -> None:
    drawn = tracker("k", [TrackedRound(1, 5000), TrackedRound(2, last, same)], 7_500, 3)
    names = [text.y for text in drawn.texts if text.anchor == "start"]
    assert all(lower - upper >= NAME_GAP for upper, lower in zip(names, names[1:], strict=False))
    assert max(names) < drawn.chart.plot_height


def test_a_second_line_shows_only_where_new_findings_make_a_difference() -> None:
    assert {line.style for line in tracker("k", EXAMPLE, 10_000, 3).lines} == {"base", "threshold", "agreement"}
    parted = tracker("k", [TrackedRound(1, 9000), TrackedRound(2, 6000, 10_000)], 10_000, 3)
    assert {line.style for line in parted.lines} == {"base", "threshold", "agreement", "same"}
    assert [text.words for text in parted.texts[:3]] == ["90.0 %", "100.0 %", "60.0 %"]
    upper, lower = parted.texts[1:3]
    assert upper.y < PLOT_TOP < lower.y


def test_a_round_without_agreement_breaks_the_line_and_says_why() -> None:
    drawn = tracker("k", [TrackedRound(1, 5000), TrackedRound(2, None, note="void"), TrackedRound(3, 6000)], 10_000, 3)
    assert {line.style for line in drawn.lines} == {"base", "threshold"}
    assert len(drawn.dots) == 2
    assert "void" in [text.words for text in drawn.texts]


def test_columns_are_as_high_as_their_counts_and_say_them() -> None:
    drawn = tracker("k", [TrackedRound(1, 5000, new=4), TrackedRound(2, 5000, new=2, merged=1, flipped=4)], 10_000, 2)
    heights = {mark.words: mark.height for mark in drawn.chart.marks}
    assert heights == {
        "Round 1, new findings: 4": 28, "Round 2, new findings: 2": 14, "Round 2, merged: 1": 7,
        "Round 2, changed sides: 4": 28,
    }  # fmt: skip
    assert len({mark.y + mark.height for mark in drawn.chart.marks}) == 1


def test_without_anything_new_there_are_no_columns() -> None:
    plain, busy = tracker("k", [TrackedRound(1, 5000)], 10_000, 2), tracker("k", EXAMPLE, 10_000, 2)
    assert plain.chart.marks == ()
    assert plain.chart.height < busy.chart.height


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([], "Nobody has judged yet"),
        ([None], "Nobody has judged yet"),
        ([None, None], "No round has an agreement yet"),
        ([3333], "Agreement is 33.3 % after round 1"),
        ([3333, 8333, 10_000], "Agreement rose from 33.3 % after round 1 to 100.0 % after round 3"),
        ([8000, 7333], "Agreement fell from 80.0 % after round 1 to 73.3 % after round 2"),
        ([8000, 9000, 8000], "Agreement is 80.0 % after round 3, as after round 1"),
        ([None, 5000, None], "Agreement is 50.0 % after round 2"),
    ],
)
def test_the_title_is_what_the_drawing_shows(shares: list[int | None], expected: str) -> None:
    rounds = [TrackedRound(number, share) for number, share in enumerate(shares, start=1)]
    assert takeaway(rounds) == expected
    assert tracker("k", rounds, 10_000, 3).chart.title == expected


def test_the_table_holds_what_the_drawing_shows() -> None:
    table = tracker_table(EXAMPLE)
    assert [column.label for column in COLUMNS] == [
        "Round", "Agreement", "Same findings only", "New findings", "Merged", "Changed sides",
    ]  # fmt: skip
    assert table.rows == (
        (1, "33.3 %", "", 3, 0, 0),
        (2, "83.3 %", "83.3 %", 0, 0, 0),
        (3, "100.0 %", "100.0 %", 0, 0, 1),
    )


def test_the_drawing_is_one_image_with_a_name_and_a_description() -> None:
    drawn = tracker("k", EXAMPLE, 10_000, 3)
    svg = ElementTree.fromstring(render_to_string("sessions/_tracker_svg.html", {"tracker": drawn}))
    parts = {part.get("id"): part.text for part in svg if part.get("id")}
    assert [parts[name] for name in str(svg.get("aria-labelledby")).split()] == [
        drawn.chart.title, drawn.chart.description,
    ]  # fmt: skip
    assert len(svg.findall("circle")) == 3
    assert len(svg.findall("line")) == len(drawn.lines) + len(drawn.chart.ticks)
    assert [text.text for text in svg.findall("text")][-len(drawn.texts) :] == [text.words for text in drawn.texts]


def test_why_there_is_no_figure_stands_in_the_table_and_fits_a_phone() -> None:
    rounds = [TrackedRound(1, None, note="nobody has judged yet"), TrackedRound(2, 6667, 6667)]
    assert tracker_table(rounds).rows[0][1] == "nobody has judged yet"
    assert [text.words for text in tracker("k", rounds, 10_000, 3).texts][:3] == ["nobody has", "judged yet", "66.7 %"]
