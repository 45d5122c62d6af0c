"""What became of an earlier review's findings in a new version: still there, fixed, not raised again, or new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from sessions.engine.dedupe import MERGE_AT, Filed
from sessions.engine.diffs import split_lines
from sessions.engine.evidence import Evidence
from sessions.engine.findings import Finding, Report
from sessions.engine.fingerprint import fingerprint
from sessions.engine.roster import Source

# More changed lines than this are not mapped one by one: their findings are found by their quotes alone.
MOST_CHANGED_LINES = 5_000


@dataclass(frozen=True, slots=True)
class Earlier:
    """A finding of the earlier review: its canonical words, and why a person dismissed it ("" when nobody did)."""

    number: int
    words: Report
    dismissed_because: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`pairs` holds (number now, number then), `dismissed` (number now, why it was dismissed then). `fixed`: the quote
    is gone and nobody raised it. `unraised`: the quote stands, and nobody raised it again."""

    pairs: tuple[tuple[int, int], ...]
    dismissed: tuple[tuple[int, str], ...]
    fixed: tuple[int, ...]
    unraised: tuple[int, ...]


def compare(
    earlier: Sequence[Earlier], findings: Sequence[Finding], before: Sequence[Source], judged: Sequence[Evidence]
) -> Comparison:
    """`before` are the texts the earlier findings are about, `judged` those of now. Findings are the same when their
    fingerprints are equal, or when the scorer of duplicates says so after the lines were moved along with the text.
    Only an equal fingerprint, which holds the quote, carries a dismissal over."""
    same = _same_prints(earlier, findings)
    known = {one.number for one in same.values()}
    rest = [finding for finding in findings if finding.number not in same]
    gone = [one for one in earlier if one.number not in known]
    pairs = same | _alike(gone, rest, _Moved(before, [evidence.source for evidence in judged]))
    known = {one.number for one in pairs.values()}
    left = [one for one in earlier if one.number not in known]
    standing = {one.number for one in left if any(evidence.holds(one.words.evidence) for evidence in judged)}
    return Comparison(
        pairs=tuple(sorted((number, one.number) for number, one in pairs.items())),
        dismissed=tuple(
            sorted((number, one.dismissed_because) for number, one in same.items() if one.dismissed_because)
        ),
        fixed=tuple(sorted(one.number for one in left if one.number not in standing)),
        unraised=tuple(sorted(standing)),
    )


def _same_prints(earlier: Sequence[Earlier], findings: Sequence[Finding]) -> dict[int, Earlier]:
    """By number now. Where the same words stand twice, the first goes with the first."""
    waiting: dict[str, list[Earlier]] = {}
    for one in earlier:
        waiting.setdefault(fingerprint(one.words), []).append(one)
    found = {}
    for finding in findings:
        for report in (finding.canonical, *finding.reports):
            if known := waiting.get(fingerprint(report)):
                found[finding.number] = known.pop(0)
                break
    return found


def _alike(gone: Sequence[Earlier], rest: Sequence[Finding], moved: "_Moved") -> dict[int, Earlier]:
    """The best pairs first; nobody is in two."""
    filed = Filed()
    for finding in rest:
        filed.add_known(finding.canonical)
    scored = [
        (-value, one.number, rest[index].number, one)
        for one in gone
        for index, value in filed.near(moved.along(one.words))
        if value >= MERGE_AT
    ]
    found: dict[int, Earlier] = {}
    paired: set[int] = set()
    for _, earlier_number, number, one in sorted(scored, key=lambda entry: entry[:3]):
        if number not in found and earlier_number not in paired:
            found[number] = one
            paired.add(earlier_number)
    return found


class _Moved:
    """Where the lines of the earlier texts stand now. A text goes with the one of its name; a single one with a single
    one, whatever its name is now."""

    def __init__(self, before: Sequence[Source], now: Sequence[Source]) -> None:
        named = {source.name: source for source in now}
        if len(before) == len(now) == 1:
            named[before[0].name] = now[0]
        self._now = {source.ref: named[source.name] for source in before if source.name in named}
        self._maps = {
            source.ref: _line_map(source.text, named[source.name].text)
            for source in before
            if source.name in named and source.kind != "diff"
        }

    def along(self, words: Report) -> Report:
        """An earlier report as if it had been raised about the text of now; without lines where they are gone."""
        source = self._now.get(words.artifact)
        if source is None:
            return words
        lines = self._maps.get(words.artifact, {})
        start, end = words.location.start_line or 0, words.location.end_line or 0
        path = words.location.path if source.kind == "diff" else source.name
        location = replace(words.location, path=path, start_line=lines.get(start), end_line=lines.get(end))
        return replace(words, artifact=source.ref, kind=source.kind, location=location)


def _line_map(before: str, now: str) -> Mapping[int, int]:
    """From line numbers before to those now, for lines that did not change and lines replaced one for one."""
    old, new = split_lines(before), split_lines(now)
    head = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - head
    ends = zip(reversed(old), reversed(new), strict=False)
    tail = min(most, next((at for at, (a, b) in enumerate(ends) if a != b), most))
    found = {line: line for line in range(1, head + 1)}
    found |= {len(old) - at: len(new) - at for at in range(tail)}
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(map(len, middle)) > MOST_CHANGED_LINES:
        return found
    for tag, a, a_end, b, b_end in SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and a_end - a == b_end - b):
            found |= {head + a + at + 1: head + b + at + 1 for at in range(a_end - a)}
    return found
