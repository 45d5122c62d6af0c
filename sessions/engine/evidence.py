"""Does the quote stand in the artifact, and where?

Numbers decide, not words: a finding is verified only when its quote is found, and its lines are those of the quote.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sessions.engine.anchors import anchor_at, anchors
from sessions.engine.diffs import diff_rows, split_lines
from sessions.engine.findings import Location
from sessions.engine.names import clean_name
from sessions.engine.roster import Source

MIN_QUOTE = 8
MIN_RATIO = 0.90
MAX_PLACES = 500  # occurrences of one piece of a quote that are followed up
MAX_WINDOWS = 20  # places that are compared letter by letter

_RETYPED = str.maketrans("‘’‚‛“”„‟«»–—−‐‑", '\'\'\'\'""""""-----', "\u200b\u200c\u200d\ufeff")
_LINE_NUMBER = re.compile(r"^ *(?:[0-9]{1,8}|-)?\| ?", re.MULTILINE)
_DIFF_SIGN = re.compile(r"^[+-] ?", re.MULTILINE)


def normalise(text: str) -> str:
    """Straight quotes and dashes, single spaces: what stays equal when a quote is copied by hand."""
    return " ".join(text.translate(_RETYPED).split())


class Evidence:
    """One source, indexed once for any number of quotes. Memory and building time are linear in the text."""

    def __init__(self, source: Source) -> None:
        self.source = source
        name = clean_name(source.name)
        if source.kind == "diff":
            rows = [(row.path, row.line, row.text) for row in diff_rows(source.text)]
        else:
            rows = [(name, number, line) for number, line in enumerate(split_lines(source.text), 1)]
        self._files = sorted({path for path, _, _ in rows if path} or {name})
        self._anchors = anchors(source.text, source.kind)
        self._index([(path, line, normalise(text)) for path, line, text in rows])

    def _index(self, rows: list[tuple[str, int, str]]) -> None:
        self._rows = [(path, line) for path, line, text in rows if text]
        words = [text for _, _, text in rows if text]
        self._text = " ".join(words)
        self._starts, offset = [], 0
        for text in words:
            self._starts.append(offset)
            offset += len(text) + 1

    def is_named(self, path: str) -> bool:
        """Whether `path`, as an instance wrote it, means this source or a file in it."""
        names = [clean_name(self.source.name), *self._files]
        return bool(path) and any(_same_file(clean_name(path), known) for known in names)

    def holds(self, quote: str) -> bool:
        """Whether the very words of `quote` stand in the source; no letter may differ."""
        words = bare_quote(quote, self.source.kind == "diff")
        return bool(words) and words in self._text

    def verify(self, quote: str, location: Location) -> tuple[bool, Location]:
        """Whether `quote` stands in the source, and the location put right: lines are kept when the quote stands on
        one of them, else they are those of the nearest place where it stands."""
        location = replace(location, path=self._known_path(location.path))
        stated = self._stated_offset(location)
        variants = [words for words in _variants(quote, self.source.kind == "diff") if len(words) >= MIN_QUOTE]
        spans = (self._exact(words, stated) for words in variants)
        span = next(filter(None, spans), None) or (self._nearly(variants[-1], stated) if variants else None)
        if span is None:
            return False, self._anchored(self._plausible(location))
        return True, self._anchored(self._corrected(location, *span))

    def _known_path(self, stated: str) -> str:
        """The source's own name for the file that is meant; empty when a diff has none such."""
        if self.source.kind != "diff":
            return clean_name(self.source.name)
        return next((path for path in self._files if stated and _same_file(clean_name(stated), path)), "")

    def _exact(self, words: str, stated: int) -> tuple[int, int] | None:
        after = self._text.find(words, stated)
        before = self._text.rfind(words, 0, stated + len(words))
        starts = [start for start in (before, after) if start >= 0]
        if not starts:
            return None
        start = min(starts, key=lambda start: abs(self._row(start) - self._row(stated)))
        return start, start + len(words)

    def _nearly(self, words: str, stated: int) -> tuple[int, int] | None:
        """The place where `words` stands with at most a tenth of its letters changed, nearest to `stated` when there
        are several as good."""
        budget = int(len(words) * (1 - MIN_RATIO) + 1e-9)
        found = []
        for start in self._candidates(words, budget, stated):
            begin = max(start - budget, 0)
            distance, length = edit_distance_within(words, self._text[begin : start + len(words) + 2 * budget])
            if distance <= budget:
                found.append((distance, abs(start - stated), begin, begin + length))
        if not found:
            return None
        _, _, begin, end = min(found)
        return end - edit_distance_within(words[::-1], self._text[begin:end][::-1])[1], end

    def _candidates(self, words: str, budget: int, stated: int) -> list[int]:
        """Offsets where `words` may begin. Of budget + 1 pieces at least one survives `budget` changed letters."""
        size = len(words) // (budget + 1)
        votes: dict[int, int] = {}
        for offset in range(0, size * (budget + 1), size):
            for place in _places(self._text, words[offset : offset + size]):
                start = max(place - offset, 0)
                votes[start] = votes.get(start, 0) + 1
        best = sorted(votes, key=lambda start: (-votes[start], abs(start - stated), start))
        return _apart(best, budget + 1)[:MAX_WINDOWS]

    def _stated_offset(self, location: Location) -> int:
        if location.start_line is None:
            return 0
        rows = [index for index, (path, _) in enumerate(self._rows) if location.path in ("", path)]
        index = bisect_right([self._rows[index][1] for index in rows], location.start_line) - 1
        return self._starts[rows[max(index, 0)]] if rows else 0

    def _row(self, offset: int) -> int:
        return max(bisect_right(self._starts, offset) - 1, 0)

    def _corrected(self, location: Location, start: int, end: int) -> Location:
        (path, first), (_, last) = self._rows[self._row(start)], self._rows[self._row(max(end - 1, start))]
        low, high = location.start_line, location.end_line or location.start_line
        if low and high and location.path in ("", path) and low <= last and high >= first:
            return replace(location, path=path, end_line=high)
        return replace(location, path=path, start_line=first, end_line=max(first, last))

    def _plausible(self, location: Location) -> Location:
        """The stated location without lines that the source does not have."""
        last = max((line for path, line in self._rows if path == location.path), default=0)
        start, end = location.start_line, location.end_line or location.start_line
        if start is None or end is None or not 1 <= start <= last:
            return replace(location, start_line=None, end_line=None)
        return replace(location, end_line=min(max(start, end), last))

    def _anchored(self, location: Location) -> Location:
        if location.anchor or location.start_line is None:
            return location
        return replace(location, anchor=anchor_at(self._anchors, location.start_line))


def locate(quote: str, location: Location, judged: Sequence[Evidence]) -> tuple[Source, bool, Location]:
    """Which of the judged sources a finding is about: where its quote stands, the one it names first; else the one it
    names; else the first."""
    named_first = sorted(judged, key=lambda evidence: not evidence.is_named(location.path))
    places = ((evidence.source, *evidence.verify(quote, location)) for evidence in named_first)
    tried = []
    for place in places:
        if place[1]:
            return place
        tried.append(place)
    return tried[0]


def edit_distance_within(pattern: str, text: str) -> tuple[int, int]:
    """The fewest edits that turn `pattern` into some part of `text`, and where the first such part ends.

    Myers' bit-parallel algorithm (J. ACM 46, 1999) on whole numbers as wide as the pattern: len(text) steps.
    """
    masks: dict[str, int] = {}
    for index, char in enumerate(pattern):
        masks[char] = masks.get(char, 0) | 1 << index
    ones, last = (1 << len(pattern)) - 1, 1 << (len(pattern) - 1)
    plus, minus, distance = ones, 0, len(pattern)
    best, best_end = distance, 0
    for end, char in enumerate(text, 1):
        match = masks.get(char, 0)
        diagonal = (((match & plus) + plus) ^ plus) | match | minus
        up, down = minus | ~(diagonal | plus) & ones, plus & diagonal
        distance += bool(up & last) - bool(down & last)
        if distance < best:
            best, best_end = distance, end
        up, down = up << 1, down << 1
        plus, minus = (down | ~(diagonal | up)) & ones, up & diagonal & ones
    return best, best_end


def bare_quote(quote: str, is_diff: bool) -> str:
    """The quote, normalised, without what instances copy along: line numbers, a diff's signs, quotation marks."""
    return list(_variants(quote, is_diff))[-1]


def _variants(quote: str, is_diff: bool) -> Iterator[str]:
    """The quote as it is, then with one thing more taken away each time."""
    bare = _LINE_NUMBER.sub("", quote)
    unsigned = _DIFF_SIGN.sub("", bare) if is_diff else bare
    shapes = [quote, bare, unsigned, unsigned.strip(" \n`\"'“”‘’")]
    yield from dict.fromkeys(map(normalise, shapes))


def _places(text: str, piece: str) -> Iterator[int]:
    at = text.find(piece)
    for _ in range(MAX_PLACES):
        if at < 0:
            return
        yield at
        at = text.find(piece, at + 1)


def _apart(starts: Iterable[int], distance: int) -> list[int]:
    """The starts in order, without those that lie within `distance` of an earlier one."""
    taken: set[int] = set()
    kept = []
    for start in starts:
        bucket = start // distance
        if bucket not in taken:
            taken.add(bucket)
            kept.append(start)
    return kept


def _same_file(stated: str, known: str) -> bool:
    """Instances shorten paths or put folders in front."""
    return stated == known or stated.endswith(f"/{known}") or known.endswith(f"/{stated}")
