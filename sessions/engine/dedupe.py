"""Which reports are about the same defect at the same place.

A batch is grouped by average linkage, because connected components chain (deliberation 3.4); later arrivals join the
groups that are there. Reports are compared only when their places may touch, which keeps the work near linear over
many files.
"""

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

from sessions.engine.findings import Report, ledger_order
from sessions.engine.similarity import GAP_LIMIT, Features, Place, extract_features, similarity

MERGE_AT = 0.30

_BUCKET = 32  # lines
_MAX_BUCKETS = 64

_Key = tuple[str, str | None, str | int]


def score(a: Report, b: Report) -> float:
    """How alike two reports are, 0..1; `MERGE_AT` and more speaks for one defect. 0 when their places are disjoint."""
    return similarity(extract_features(a), extract_features(b))


def group(reports: Iterable[Report]) -> list[list[Report]]:
    """The reports as clusters, each and all in ledger order: one partition whatever the order of the input."""
    ordered = sorted(reports, key=ledger_order)
    filed = Filed()
    edges = [(value, other, index) for index, report in enumerate(ordered) for other, value in filed.add(report)]
    return [[ordered[index] for index in cluster] for cluster in _average_linkage(len(ordered), edges)]


class Clusters:
    """Groups already decided, and the step for a later arrival. What was decided is never regrouped."""

    def __init__(self, groups: Iterable[Iterable[Report]] = ()) -> None:
        self.groups = [list(reports) for reports in groups]
        self._filed = Filed()
        self._group_of: list[int] = []
        for number, reports in enumerate(self.groups):
            for report in reports:
                self._filed.add_known(report)
                self._group_of.append(number)

    def join(self, report: Report) -> int:
        """Put the report into the group of best mean score, from `MERGE_AT` up, else into a new last one; return
        that group's index. Equal means: the smaller index."""
        totals: dict[int, float] = defaultdict(float)
        for other, value in self._filed.add(report):
            totals[self._group_of[other]] += value
        means = ((-_mean(total, len(self.groups[number])), number) for number, total in totals.items())
        distance, chosen = min(means, default=(0.0, 0))
        if -distance < MERGE_AT:
            chosen = len(self.groups)
            self.groups.append([])
        self.groups[chosen].append(report)
        self._group_of.append(chosen)
        return chosen


class Filed:
    """Reports filed by place, numbered as they come, so that a new one meets only those its place may touch."""

    def __init__(self) -> None:
        self._features: list[Features] = []
        self._at: dict[_Key, list[int]] = defaultdict(list)

    def add(self, report: Report) -> list[tuple[int, float]]:
        """File a report; return (index, score) of those filed before it that score above 0, in order of index."""
        new = extract_features(report)
        homes, reach = _keys(new.place)
        scored = self._scored(new, reach)
        self._file(new, homes)
        return scored

    def near(self, report: Report) -> list[tuple[int, float]]:
        """What `add` would return, without filing the report."""
        new = extract_features(report)
        return self._scored(new, _keys(new.place)[1])

    def add_known(self, report: Report) -> None:
        """File a report of which nobody asks whom it resembles."""
        new = extract_features(report)
        self._file(new, _keys(new.place)[0])

    def _scored(self, new: Features, reach: list[_Key]) -> list[tuple[int, float]]:
        near = set(chain.from_iterable(self._at.get(key, ()) for key in reach))
        scored = ((index, similarity(self._features[index], new)) for index in sorted(near))
        return [(index, value) for index, value in scored if value]

    def _file(self, features: Features, homes: list[_Key]) -> None:
        for key in homes:
            self._at[key].append(len(self._features))
        self._features.append(features)


def _keys(place: Place) -> tuple[list[_Key], list[_Key]]:
    """Where a report is filed, and where all those are filed that it may overlap.

    It is filed by what is known of its place and by all that the place touches, under its path and under any path
    (None). It may overlap what touches the same, and what nothing known of both tells apart.
    """
    artifact = place.artifact
    known, touched = _blocking(place)
    unlike = [f"known {other}" for other in range(4) if not other & known]
    paths = (place.path, "") if place.path else (None,)
    homes = [(artifact, path, key) for path in (place.path, None) for key in (f"known {known}", *touched)]
    return homes, [(artifact, path, key) for path in paths for key in (*unlike, *touched)]


def _blocking(place: Place) -> tuple[int, set[str | int]]:
    """What is known of a place (0 nothing, +1 lines, +2 name), and the line buckets, words and numbers it touches.

    Places that overlap by something known of both touch a common one: lines are widened by half the gap that still
    counts, numbers bring their prefixes. A range too long to file counts as unknown.
    """
    touched: set[str | int] = {*(place.name[-1:] if place.by_lines else place.name), *place.sections}
    touched.update(place.number[: dot.start()] for dot in re.finditer(r"\.", place.number))
    known = 2 if place.number or place.name else 0
    if place.lines:
        first, last = (place.lines[0] - GAP_LIMIT // 2) // _BUCKET, (place.lines[1] + GAP_LIMIT // 2) // _BUCKET
        if last - first >= _MAX_BUCKETS:
            return 0, touched
        touched.update(range(first, last + 1))
        known += 1
    return known, touched


def _average_linkage(count: int, edges: Sequence[tuple[float, int, int]]) -> list[list[int]]:
    """Merge the two clusters of highest mean score while it is `MERGE_AT` or more; a pair without edge counts 0.

    `edges` are (score, i, j) with i < j < count. Sums of scores add up when clusters merge (Lance-Williams). A heap
    entry carries both sizes: clusters only grow, so another size shows that the entry is out of date.
    """
    clusters = {index: [index] for index in range(count)}
    sums: list[dict[int, float]] = [{} for _ in range(count)]
    for value, i, j in edges:
        sums[i][j] = sums[j][i] = value
    heap = [(-value, i, j, 1, 1) for value, i, j in edges if value >= MERGE_AT]
    heapq.heapify(heap)
    while heap:
        _, i, j, size_i, size_j = heapq.heappop(heap)
        if len(clusters.get(i, ())) != size_i or len(clusters.get(j, ())) != size_j:
            continue
        clusters[i] += clusters.pop(j)
        _add_sums(sums, i, j)
        for k, total in sums[i].items():
            low, high = min(i, k), max(i, k)
            sizes = len(clusters[low]), len(clusters[high])
            mean = _mean(total, sizes[0] * sizes[1])
            if mean >= MERGE_AT:
                heapq.heappush(heap, (-mean, low, high, *sizes))
    return [sorted(cluster) for cluster in clusters.values()]


def _add_sums(sums: list[dict[int, float]], i: int, j: int) -> None:
    """Make cluster i's sums those of i and j together, and forget j."""
    del sums[i][j]
    for k, value in sums[j].items():
        if k != i:
            del sums[k][j]
            sums[i][k] = sums[k][i] = sums[i].get(k, 0.0) + value


def _mean(total: float, pairs: int) -> float:
    """Rounded, so that equal means are equal whatever the order of the additions."""
    return round(total / pairs, 9)
