"""Drawings as data: pure functions from numbers to marks on a plane, rendered by `sessions/_chart_svg.html`.

Across, everything is a share of the width, so that one drawing fits a phone and a screen with letters of the same size;
down, it is pixels. Every mark has a class, which the style sheet colours for light and dark, and the light colour as an
attribute, which a downloaded file is left with.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LABEL_HEIGHT, BAR_HEIGHT, ROW_GAP, AXIS_HEIGHT = 18, 16, 12, 22
WRITTEN_FROM = 18.0  # percent of the width a part needs before its name fits into it on a phone

# class -> (fill, colour of words on it): those of the style sheet in its light theme
COLOURS = {
    "brief": ("#c9dde0", "#14191b"),
    "review": ("#0a6470", "#ffffff"),
    "opinion": ("#91b9bf", "#14191b"),
    "summary": ("#54939b", "#14191b"),
    "assess": ("#91b9bf", "#14191b"),
    "synthesis": ("#54939b", "#14191b"),
    "decision": ("#0e464e", "#ffffff"),
    "certify": ("#0a6470", "#ffffff"),
    "queue": ("hatch", ""),
    "wait": ("#c9dde0", ""),
    "stream": ("#0a6470", ""),
    "lost": ("#ffffff", ""),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a stack: `style` is a class of COLOURS, `words` what its number says."""

    style: str
    label: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Stack:
    label: str
    words: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time of one call."""

    style: str
    start: float
    end: float
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The calls of one instance, each a run of spans; calls that overlap stand below each other."""

    label: str
    words: str
    calls: Sequence[Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle; `x` and `width` are percent, `y` and `height` pixels. `words` are its tooltip, `label` stands in it
    when there is room."""

    style: str
    fill: str
    x: str
    y: int
    width: str
    height: int
    words: str
    label: str = ""
    label_fill: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    x: str
    y: int
    anchor: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`title` is what the drawing shows, as a sentence; `description` says how to read it."""

    key: str
    title: str
    description: str
    height: int
    marks: tuple[Mark, ...]
    texts: tuple[Text, ...]
    ticks: tuple[Text, ...]

    @property
    def plot_height(self) -> int:
        """Without the axis below."""
        return self.height - AXIS_HEIGHT


def ticks(most: float, about: int = 4) -> list[float]:
    """Round numbers from 0 to `most`, 1, 2 or 5 times a power of ten apart, at most one more than `about`."""
    if most <= 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(most / about))
    step = next(power * factor for factor in (1, 2, 5, 10) if most / (power * factor) <= about)
    return [step * number for number in range(math.floor(most / step + 1e-9) + 1)]


def share(value: float, most: float) -> float:
    """Percent of the width."""
    return 100 * value / most if most > 0 else 0.0


def stacked_bars(
    key: str, title: str, description: str, stacks: Sequence[Stack], axis: Callable[[float], str]
) -> Chart:
    """One bar per stack from the same zero. `axis` words a value of the scale."""
    most = max((sum(part.value for part in stack.parts) for stack in stacks), default=0.0)
    marks: list[Mark] = []
    texts: list[Text] = []
    y = 0
    for stack in stacks:
        texts += _row_head(stack.label, stack.words, y)
        marks += _stacked(stack, most, y + LABEL_HEIGHT)
        y += LABEL_HEIGHT + BAR_HEIGHT + ROW_GAP
    return _chart(key, title, description, y, marks, texts, most, axis)


def gantt(key: str, title: str, description: str, lanes: Sequence[Lane], axis: Callable[[float], str]) -> Chart:
    """One lane per instance on one scale of time."""
    most = max((span.end for lane in lanes for call in lane.calls for span in call), default=0.0)
    marks: list[Mark] = []
    texts: list[Text] = []
    y = 0
    for lane in lanes:
        texts += _row_head(lane.label, lane.words, y)
        y += LABEL_HEIGHT
        for row in rows_of(lane.calls):
            marks += [_mark(span.style, span.start, span.end - span.start, most, y, span.words) for span in row]
            y += BAR_HEIGHT + 2
        y += ROW_GAP
    return _chart(key, title, description, y, marks, texts, most, axis)


def rows_of(calls: Iterable[Sequence[Span]]) -> list[list[Span]]:
    """Calls in as few rows as keep them apart: each goes to the first row that is free when it begins."""
    rows: list[list[Span]] = []
    for call in sorted((call for call in calls if call), key=lambda call: call[0].start):
        row = next((row for row in rows if row[-1].end <= call[0].start), None)
        if row is None:
            rows.append(list(call))
        else:
            row.extend(call)
    return rows or [[]]


def _stacked(stack: Stack, most: float, y: int) -> list[Mark]:
    marks, start = [], 0.0
    for part in stack.parts:
        fits = share(part.value, most) >= WRITTEN_FROM and part.label != stack.label
        label = part.label if fits else ""
        marks.append(_mark(part.style, start, part.value, most, y, f"{part.label}: {part.words}", label))
        start += part.value
    return marks


def _mark(style: str, start: float, length: float, most: float, y: int, words: str, label: str = "") -> Mark:
    fill, label_fill = COLOURS[style]
    x, width = f"{share(start, most):.2f}%", f"{share(length, most):.2f}%"
    return Mark(style, fill, x, y, width, BAR_HEIGHT, words, label, label_fill)


def _row_head(label: str, words: str, y: int) -> list[Text]:
    return [Text("0%", y + 13, "start", label), Text("100%", y + 13, "end", words)]


def _chart(
    key: str, title: str, description: str, y: int, marks: list[Mark], texts: list[Text], most: float,
    axis: Callable[[float], str],
) -> Chart:  # fmt: skip
    places = [(share(value, most), axis(value)) for value in ticks(most)]
    marked = [Text(f"{x:.2f}%", y + 14, _anchor(x), words) for x, words in places]
    return Chart(key, title, description, y + AXIS_HEIGHT, tuple(marks), tuple(texts), tuple(marked))


def _anchor(x: float) -> str:
    return "start" if x < 5 else "end" if x > 95 else "middle"


def legend(entries: Iterable[tuple[str, str]]) -> list[Mark]:
    """(style, words) beside each other under a drawing that stands alone, a quarter of its width each."""
    return [
        Mark(style, COLOURS[style][0], f"{25 * place}%", 0, "25%", BAR_HEIGHT, words, words)
        for place, (style, words) in enumerate(entries)
    ]
