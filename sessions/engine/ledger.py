"""The findings ledger of a deliberation: what is on the table, under which number, in which words.

Numbers are issued once. What a round changes (new findings, merges, splits, amendments that most asked for) is applied
here, by counting what the instances proposed; no model's word decides.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from sessions.engine.agreement import RoundFigures, quorum
from sessions.engine.dedupe import Clusters, group
from sessions.engine.findings import SEVERITIES, Finding, Report, median_severity, number_findings
from sessions.engine.positions import AmendedField, Amendment, LedgerEntry, Position, Standing

STATUS_ORDER = ("accepted", "contested", "undecided", "rejected")
# The part of a report that an amendment of that field replaces. Severities are medians and places are found by quotes:
# neither is taken from an amendment.
REWORDS: dict[AmendedField, str] = {"scope": "claim", "wording": "claim", "suggestion": "suggestion"}


@dataclass(frozen=True, slots=True)
class Held:
    """A finding: what is counted (`entry`), the words that stand for it now, and every report behind it."""

    entry: LedgerEntry
    words: Report
    reports: tuple[Report, ...]

    @property
    def number(self) -> int:
        return self.entry.number

    @property
    def is_open(self) -> bool:
        return self.entry.state == "open"

    @property
    def is_withdrawn(self) -> bool:
        """Found by the review that is settled, and not put to the rounds."""
        return self.entry.state == "withdrawn"


Ledger = tuple[Held, ...]
"""By number, closed ones too."""


@dataclass(frozen=True, slots=True)
class Rewording:
    """New words of a finding, adopted in a round: `part` is its claim or its suggestion."""

    round: int
    part: str
    words: str


@dataclass(frozen=True, slots=True)
class Proposals:
    """What one instance would change besides taking positions: defects nobody listed, pairs of findings that are one
    (lower number first), and parts that a listed finding should be split into, by its number."""

    letter: str
    reports: tuple[Report, ...] = ()
    same: frozenset[tuple[int, int]] = frozenset()
    parts: tuple[tuple[int, Report], ...] = ()


def open_ledger(findings: Iterable[Finding], number: int = 1) -> Ledger:
    """The ledger as the first round leaves it."""
    return tuple(sorted((_registered(finding, number) for finding in findings), key=lambda held: held.number))


def put_only(ledger: Ledger, numbers: Collection[int]) -> Ledger:
    """The ledger with every other finding taken from the table."""
    return tuple(
        held if held.number in numbers else replace(held, entry=replace(held.entry, state="withdrawn"))
        for held in ledger
    )


def withdrawn(ledger: Ledger) -> list[Finding]:
    """What is not put to the rounds, as the review left it."""
    return [
        Finding(held.number, held.reports, held.words, *median_severity(one.severity for one in held.reports))
        for held in ledger
        if held.is_withdrawn
    ]


def entries_of(ledger: Ledger) -> tuple[LedgerEntry, ...]:
    return tuple(held.entry for held in ledger)


def next_ledger(
    ledger: Ledger, proposals: Sequence[Proposals], number: int, members: int
) -> tuple[Ledger, list[Report]]:
    """The ledger with what round `number` added, split and merged, and the new reports by which instances raised
    something in it. A merge or a split takes a quorum of the `members`."""
    enough = quorum(members)
    split = {parent for parent, votes in _parents(proposals).items() if votes >= enough}
    parts = [(parent, part) for one in proposals for parent, part in one.parts if parent in split]
    loose = [part for one in proposals for parent, part in one.parts if parent not in split]
    raised = [report for one in proposals for report in one.reports] + loose
    ledger = _take_in(ledger, raised, number)
    for parent in sorted(split):
        ledger = _split(ledger, parent, [part for of, part in parts if of == parent], number)
    pairs = Counter(pair for one in proposals for pair in one.same)
    for kept, gone in sorted(pair for pair, votes in pairs.items() if votes >= enough):
        ledger = _merge(ledger, kept, gone, number)
    return ledger, raised + [part for _, part in parts]


def amended(ledger: Ledger, held_by: Standing, figures: RoundFigures, number: int) -> Ledger:
    """The ledger with each finding's median severity, and with the amendments that more than half of its decisive
    positions ask for. One that changes what is said makes a new version, which has to be assessed again."""
    severities = {one.number: one.severity for one in figures.findings}
    changed = []
    for held in ledger:
        if not held.is_open:
            changed.append(held)
            continue
        words, versioned = _adopt(held.words, _said(held_by, held.number, number))
        entry = replace(held.entry, severity=severities[held.number])
        changed.append(replace(held, words=words, entry=replace(entry, versioned_round=number) if versioned else entry))
    return tuple(changed)


def rewordings(number: int, held: Sequence[Standing], figures: Sequence[RoundFigures]) -> list[Rewording]:
    """What became of one finding's words, round by round. `held` is where everybody stood after each round."""
    return [
        Rewording(counted.number, REWORDS[one.field], one.value)
        for held_by, counted in zip(held, figures, strict=True)
        if not counted.is_void
        for one in _adopted(_said(held_by, number, counted.number))
        if one.field in REWORDS
    ]


def for_next_round(ledger: Ledger, number: int) -> Ledger:
    """What the round after round `number` is asked about: findings that got new words have a new version."""
    return tuple(
        replace(held, entry=replace(held.entry, version=held.entry.version + 1))
        if held.entry.versioned_round == number
        else held
        for held in ledger
    )


def ranked(ledger: Ledger, figures: RoundFigures) -> list[Finding]:
    """The open findings in the order of reports to people: status, severity, raisers, verified evidence, place."""
    status = {one.number: (STATUS_ORDER.index(one.status), one.severity_disputed) for one in figures.findings}
    found = [
        Finding(held.number, held.reports, held.words, held.entry.severity, status[held.number][1])
        for held in ledger
        if held.is_open
    ]
    return sorted(
        found,
        key=lambda one: (
            status[one.number][0],
            -SEVERITIES[one.severity],
            -len(one.raised_by),
            not one.evidence_verified,
            one.canonical.location.path,
            one.canonical.location.start_line or 0,
            one.number,
        ),
    )


def _registered(finding: Finding, number: int, split_from: int | None = None) -> Held:
    entry = LedgerEntry(
        finding.number,
        finding.severity,
        finding.raised_by,
        number,
        evidence_verified=finding.evidence_verified,
        split_from=split_from,
    )
    return Held(entry, finding.canonical, finding.reports)


def _take_in(ledger: Ledger, reports: Sequence[Report], number: int) -> Ledger:
    """Reports about a known defect join it, be it withdrawn; the others become new findings."""
    if not reports:
        return ledger
    open_ones = [held for held in ledger if held.is_open or held.is_withdrawn]
    clusters = Clusters(held.reports for held in open_ones)
    joined: dict[int, list[Report]] = defaultdict(list)
    for report in (one for cluster in group(reports) for one in cluster):
        joined[clusters.join(report)].append(report)
    known = {open_ones[at].number: found for at, found in joined.items() if at < len(open_ones)}
    fresh = [found for at, found in joined.items() if at >= len(open_ones)]
    kept = tuple(_joined(held, known[held.number]) if held.number in known else held for held in ledger)
    return kept + tuple(_registered(finding, number) for finding in _numbered(ledger, fresh))


def _split(ledger: Ledger, parent: int, parts: Sequence[Report], number: int) -> Ledger:
    """The parent is closed; its parts are findings of their own."""
    closed = tuple(
        replace(held, entry=replace(held.entry, state="split", split_round=number)) if held.number == parent else held
        for held in ledger
    )
    return closed + tuple(_registered(one, number, parent) for one in _numbered(ledger, group(parts)))


def _merge(ledger: Ledger, kept: int, gone: int, number: int) -> Ledger:
    """The lower number survives; nothing happens when one of them is closed already."""
    by_number = {held.number: held for held in ledger}
    survivor, alias = by_number[kept], by_number[gone]
    if not (survivor.is_open and alias.is_open):
        return ledger
    joined = _joined(survivor, alias.reports)
    by_number[kept] = replace(joined, entry=replace(joined.entry, merged_round=number))
    by_number[gone] = replace(alias, entry=replace(alias.entry, state="merged", merged_into=kept))
    return tuple(by_number.values())


def _joined(held: Held, reports: Sequence[Report]) -> Held:
    """Its words stay: what people and instances have read is not exchanged under them."""
    behind = (*held.reports, *reports)
    entry = replace(
        held.entry,
        raised_by=tuple(sorted({report.raised_by for report in behind})),
        evidence_verified=any(report.evidence_verified for report in behind),
    )
    return replace(held, entry=entry, reports=behind)


def _numbered(ledger: Ledger, groups: Sequence[Sequence[Report]]) -> list[Finding]:
    last = max((held.number for held in ledger), default=0)
    return [replace(finding, number=last + finding.number) for finding in number_findings(groups)]


def _parents(proposals: Iterable[Proposals]) -> Counter[int]:
    return Counter(parent for one in proposals for parent in {parent for parent, _ in one.parts})


def _said(held_by: Standing, number: int, round_number: int) -> list[Position]:
    """On one finding, in that very round."""
    return [position for position in held_by.get(number, {}).values() if position.round == round_number]


def _adopt(words: Report, positions: Sequence[Position]) -> tuple[Report, bool]:
    """The words with what most would change, and whether that changes what is said."""
    changes = _adopted(positions)
    last = {REWORDS[one.field]: one.value for one in changes if one.field in REWORDS}
    words = replace(words, claim=last.get("claim", words.claim), suggestion=last.get("suggestion", words.suggestion))
    return words, any(one.material for one in changes)


def _adopted(positions: Iterable[Position]) -> list[Amendment]:
    """What more than half of the decisive positions would change, in the words of the surest who asks for it."""
    decisive = [position for position in positions if position.is_decisive]
    wanted: dict[tuple[AmendedField, bool], list[tuple[int, str, Amendment]]] = defaultdict(list)
    for one in decisive:
        if one.amendment is not None:
            asked = (-one.confidence, one.letter, one.amendment)
            wanted[one.amendment.field, one.amendment.material].append(asked)
    return [min(asking)[2] for _, asking in sorted(wanted.items()) if 2 * len(asking) > len(decisive)]
