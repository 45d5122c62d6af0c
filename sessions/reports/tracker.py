"""The convergence tracker as numbers: agreement over rounds, its threshold, and what came in. Rendered by
`sessions/_tracker_svg.html`; like every drawing, percent across and pixels down."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sessions.engine.agreement import FIRST_JUDGED, NOBODY_JUDGED, percent
from sessions.reports.charts import AXIS_HEIGHT, COLOURS, LABEL_HEIGHT, Chart, Mark, Text
from sessions.reports.tables import Column, Table

PLOT_TOP, PLOT_HEIGHT, PLOT_FOOT, COLUMN_HEIGHT = 24, 130, 20, 28
FLOOR = PLOT_TOP + PLOT_HEIGHT
PLOT_WIDTH = 74.0  # percent; the names of the lines stand to the right
NAME_GAP = 15  # pixels between names that would lie on each other
NOTE_WIDTH = 11  # letters in a line of a note: as wide as a round on a phone
ABOVE, BELOW, TEXT_HEIGHT = 9, 19, 12  # pixels from a point to the baseline of its words, and how high these are
LEGEND = (("review", "New findings"), ("opinion", "Merged"), ("queue", "Changed sides"))
COLUMNS = (
    Column("Round"),
    Column("Agreement", "text"),
    Column("Same findings only", "text"),
    *(Column(words) for _, words in LEGEND),
)


@dataclass(frozen=True, slots=True)
class TrackedRound:
    """One published round, shares in basis points. `note` says in a word or two why it has no agreement."""

    number: int
    agreement: int | None
    same_set: int | None = None
    new: int = 0
    merged: int = 0
    flipped: int = 0
    note: str = ""

    @property
    def same_findings(self) -> int | None:
        """Agreement without what is new; in the first round nothing is."""
        return self.agreement if self.same_set is None else self.same_set

    @property
    def counts(self) -> tuple[int, int, int]:
        """In the order of LEGEND."""
        return self.new, self.merged, self.flipped


@dataclass(frozen=True, slots=True)
class Line:
    """`style` is agreement, same, threshold or base."""

    style: str
    x1: str
    y1: int
    x2: str
    y2: int


@dataclass(frozen=True, slots=True)
class Dot:
    style: str
    x: str
    y: int
    words: str


@dataclass(frozen=True, slots=True)
class Tracker:
    """Over a drawing of columns: lines, dots on them, and words over all."""

    chart: Chart
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    texts: tuple[Text, ...]


def tracker(key: str, rounds: Sequence[TrackedRound], threshold: int, most: int) -> Tracker:
    """`threshold` in basis points; `most` is how many rounds there may be, so that what is left to come shows."""
    scale = _Scale(max(most, *(one.number for one in rounds), 1) if rounds else max(most, 1))
    differs = any(one.same_findings != one.agreement for one in rounds)
    points = [(one.number, one.agreement) for one in rounds]
    same = [(one.number, one.same_findings) for one in rounds] if differs else []
    level = scale.down(threshold)
    lines = (
        Line("base", "0%", FLOOR, f"{PLOT_WIDTH}%", FLOOR),
        Line("threshold", "0%", level, f"{PLOT_WIDTH}%", level),
        *_joined("same", same, scale),
        *_joined("agreement", points, scale),
    )
    columns, counts = _columns(rounds, scale)
    texts = [*_point_words(rounds, level, scale, differs=differs), *_names(points, same, threshold, scale), *counts]
    height = FLOOR + PLOT_FOOT + (LABEL_HEIGHT + COLUMN_HEIGHT if columns else 0) + AXIS_HEIGHT
    axis = [
        Text(scale.across(at), height - 8, "middle", f"Round {at}" if at == 1 else str(at))
        for at in range(1, scale.slots + 1)
    ]
    chart = Chart(key, takeaway(rounds), _DESCRIPTION, height, tuple(columns), (), tuple(axis))
    dots = (*_dots("same", same, scale), *_dots("agreement", points, scale))
    return Tracker(chart, lines, dots, tuple(texts))


_DESCRIPTION = (
    "Agreement on the key findings after each round, with the share that is needed as a line; below, how many findings "
    "were new or merged and how many instances changed sides. The same numbers are in the table."
)


def takeaway(rounds: Iterable[TrackedRound]) -> str:
    """What the drawing shows, as a sentence."""
    rounds = list(rounds)
    shares = [(one.number, one.agreement) for one in rounds if one.agreement is not None]
    if not shares:
        judged = any(one.number >= FIRST_JUDGED for one in rounds)
        return "No round has an agreement yet" if judged else NOBODY_JUDGED
    (first, start), (last, end) = shares[0], shares[-1]
    if first == last:
        return f"Agreement is {percent(end)} % after round {last}"
    if start == end:
        return f"Agreement is {percent(end)} % after round {last}, as after round {first}"
    went = "rose" if end > start else "fell"
    return f"Agreement {went} from {percent(start)} % after round {first} to {percent(end)} % after round {last}"


def tracker_table(rounds: Iterable[TrackedRound]) -> Table:
    """What the drawing shows, round by round."""
    return Table(
        COLUMNS,
        tuple((one.number, _share(one.agreement) or one.note, _share(one.same_set), *one.counts) for one in rounds),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From rounds to percent of the width, each round in the middle of its slot, and from shares to pixels."""

    slots: int

    @property
    def slot(self) -> float:
        return PLOT_WIDTH / self.slots

    def across(self, number: int, aside: float = 0.0) -> str:
        return f"{self.slot * (number - 0.5) + aside:.2f}%"

    def down(self, share: int) -> int:
        return PLOT_TOP + round(PLOT_HEIGHT * (10_000 - share) / 10_000)


_Points = Sequence[tuple[int, int | None]]


def _joined(style: str, points: _Points, scale: _Scale) -> Iterator[Line]:
    """Lines between rounds that have a share; where one has none the line is broken."""
    for (number, share), (following, then) in pairwise(points):
        if share is not None and then is not None:
            yield Line(style, scale.across(number), scale.down(share), scale.across(following), scale.down(then))


def _dots(style: str, points: _Points, scale: _Scale) -> Iterator[Dot]:
    for number, share in points:
        if share is not None:
            yield Dot(style, scale.across(number), scale.down(share), f"Round {number}: {_share(share)}")


def _point_words(rounds: Iterable[TrackedRound], level: int, scale: _Scale, *, differs: bool) -> Iterator[Text]:
    """Each point's share above it, or below it where the threshold's line at `level` would cross the words; where there
    are two, one above the upper and one below the lower."""
    for one in rounds:
        x, shares = scale.across(one.number), {one.agreement, one.same_findings if differs else one.agreement} - {None}
        drawn = sorted(share for share in shares if share is not None)
        if not drawn:
            for line, words in enumerate(textwrap.wrap(one.note, NOTE_WIDTH)):
                yield Text(x, PLOT_TOP + PLOT_HEIGHT // 2 + line * NAME_GAP, "middle", words)
            continue
        upper, lower = scale.down(drawn[-1]), scale.down(drawn[0])
        crossed = len(drawn) == 1 and 0 < upper - level <= ABOVE + TEXT_HEIGHT
        yield Text(x, upper + BELOW if crossed else upper - ABOVE, "middle", _share(drawn[-1]))
        if len(drawn) > 1:
            yield Text(x, lower + BELOW, "middle", _share(drawn[0]))


def _names(points: _Points, same: _Points, threshold: int, scale: _Scale) -> list[Text]:
    """The names of the lines, each at the height of its end, moved apart where they would lie on each other."""
    whole, rest = divmod(threshold, 100)  # more than a half is carried as 5001
    ends = [(threshold, f"needed: {'> ' if rest else ''}{whole} %")]
    for line, words in ((points, "agreement"), (same, "same findings")):
        shares = [share for _, share in line if share is not None]
        ends += [(shares[-1], words)] if shares else []
    names, free = [], 0
    for share, words in sorted(ends, key=lambda end: -end[0]):
        y = max(scale.down(share) + 4, free)
        names.append(Text(f"{PLOT_WIDTH + 1.5}%", y, "start", words))
        free = y + NAME_GAP
    return names


def _columns(rounds: Sequence[TrackedRound], scale: _Scale) -> tuple[list[Mark], list[Text]]:
    """Per round one column each for new, merged and changed sides, with its number on top."""
    most = max((count for one in rounds for count in one.counts), default=0)
    floor = FLOOR + PLOT_FOOT + LABEL_HEIGHT + COLUMN_HEIGHT
    width = scale.slot / 5
    marks, texts = [], []
    for one in rounds:
        for place, (count, (style, words)) in enumerate(zip(one.counts, LEGEND, strict=True)):
            if not count:
                continue
            height, aside = max(3, round(COLUMN_HEIGHT * count / most)), (place - 1) * 1.3 * width
            said = f"Round {one.number}, {words.lower()}: {count}"
            x = scale.across(one.number, aside - width / 2)
            marks.append(Mark(style, COLOURS[style][0], x, floor - height, f"{width:.2f}%", height, said))
            texts.append(Text(scale.across(one.number, aside), floor - height - 3, "middle", str(count)))
    return marks, texts


def _share(points: int | None) -> str:
    return "" if points is None else f"{percent(points)} %"
