"""Findings and the wordings behind them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db.models import BigAutoField, Exists, OuterRef, QuerySet, UUIDField

from sessions.compiled import CompiledRows, GivenMany
from sessions.engine.findings import SEVERITIES
from sessions.engine.ledger import Rewording
from sessions.models import Content, Finding, Participant, Report, Session
from sessions.people import called
from sessions.queries.people import CommentView, OpinionView, comments_of, opinion_badge, opinions_of

MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an artifact: lines of the (new) file, or `anchor`, a heading, clause or symbol."""

    path: str = ""
    start_line: int | None = None
    end_line: int | None = None
    anchor: str = ""

    @property
    def lines(self) -> str:
        """`12` or `12-15`; empty without lines."""
        if self.start_line is None:
            return ""
        many = self.end_line is not None and self.end_line != self.start_line
        return f"{self.start_line}-{self.end_line}" if many else str(self.start_line)

    @property
    def spot(self) -> str:
        """Where in the one text there is: `line 12`, or `Page 4` where people never see our lines."""
        return self.anchor if self._is_paged else f"line {self.lines}"

    def __str__(self) -> str:
        if not self.lines:
            return " ".join(part for part in (self.path, self.anchor) if part)
        if self._is_paged:
            return f"{self.path}, {self.anchor}"
        return f"{self.path}:{self.lines}" if self.path else f"line {self.lines}"

    @property
    def _is_paged(self) -> bool:
        return bool(self.anchor) and self.path.lower().endswith((".pdf", ".docx"))


@dataclass(frozen=True, slots=True)
class Wording:
    """One defect as one instance wrote it. `label` is `A-1`, `confidence` is percent, `source` is the artifact
    version the place is in."""

    label: str
    letter: str
    severity: str
    family: str
    category: str
    confidence: int
    title: str
    claim: str
    evidence: str
    verified: bool
    suggestion: str
    place: Place
    source: UUID | None
    flags: tuple[str, ...]
    erased: bool


@dataclass(frozen=True, slots=True)
class FoundFinding:
    """One finding as people read it: the words of its canonical report, and every wording, the canonical first.

    `severity` is the one that counts, `models_severity` the instances' median. `disposition` is what people decided,
    `carried` when it comes from the earlier session, whose finding is `earlier_number`. Whoever decides names the
    `revision` they look at. `absorbed` names findings that people merged into it. `rewordings` are what the
    rounds of a deliberation made of its claim and suggestion, the last of which stand there (`queries.reworded`)."""

    label: str
    number: int
    rank: int
    status: str
    severity: str
    models_severity: str
    disputed: bool
    verified: bool
    raised_by: tuple[str, ...]
    title: str
    claim: str
    evidence: str
    suggestion: str
    family: str
    category: str
    place: Place
    flags: tuple[str, ...]
    erased: bool
    wordings: tuple[Wording, ...]
    fingerprint: str
    disposition: str
    dismissed_because: str
    decided_by: str
    decided_at: datetime | None
    carried: bool
    earlier_number: int | None
    revision: int
    opinions: tuple[OpinionView, ...]
    comments: tuple[CommentView, ...]
    absorbed: tuple[str, ...]
    rewordings: tuple[Rewording, ...] = ()

    @property
    def opinion_badge(self) -> str:
        return opinion_badge(self.opinions)

    @property
    def last_reworded(self) -> int:
        """The round that found the words it has now."""
        return self.rewordings[-1].round

    @property
    def former_words(self) -> list[Rewording]:
        """What stood in the parts that were reworded before, the oldest first; round 0 is as it was raised."""
        raised = self.wordings[0]
        first = [Rewording(0, part, getattr(raised, part)) for part in sorted({one.part for one in self.rewordings})]
        last = {one.part: one for one in self.rewordings}
        return [one for one in (*first, *self.rewordings) if one.words and one is not last[one.part]]


class _FindingRow(NamedTuple):
    """A row of Finding, with what it has beside its columns."""

    pk: UUID
    session_id: int
    number: int
    rank: int
    canonical_id: UUID
    severity: str
    severity_disputed: bool
    person_severity: str
    evidence_verified: bool
    raised_by: list[str]
    fingerprint: str
    status: str
    merged_into_id: UUID | None
    disposition: str
    dismissed_because: str
    decided_by__name: str | None
    decided_by__email: str | None
    decided_at: datetime | None
    carried: bool
    earlier_number: int | None
    revision: int

    @property
    def label(self) -> str:
        return f"F-{self.number:03d}"

    @property
    def weight(self) -> str:
        return self.person_severity or self.severity


class _ReportRow(NamedTuple):
    """A row of Report; `simulated`: a demo model raised it."""

    pk: UUID
    finding_id: UUID | None
    letter: str
    ordinal: int
    content_id: UUID
    severity: str
    family: str
    confidence: int
    evidence_verified: bool
    flags: list[str]
    source_id: UUID | None
    start_line: int | None
    end_line: int | None
    simulated: bool


def _findings() -> QuerySet[Finding, tuple[Any, ...]]:
    return Finding.objects.filter(session__in=GivenMany("sessions", BigAutoField())).values_list(*_FindingRow._fields)


def _reports(**which: Any) -> QuerySet[Report, tuple[Any, ...]]:
    rows = Report.objects.filter(session__in=GivenMany("sessions", BigAutoField()), **which)
    demo = Participant.objects.filter(session=OuterRef("session"), letter=OuterRef("letter"), simulated=True)
    return rows.annotate(by_demo=Exists(demo)).values_list(*_ReportRow._fields[:-1], "by_demo")


_FINDINGS = CompiledRows(_FindingRow, _findings)
_REPORTS = CompiledRows(_ReportRow, _reports)
_UNMERGED = CompiledRows(_ReportRow, lambda: _reports(finding=None))
_WORDS = CompiledRows(
    lambda pk, text: (pk, text),
    lambda: (
        Content.objects.filter(pk__in=GivenMany("contents", UUIDField()), erased_at=None)
        .exclude(text="")
        .values_list("pk", "text")
    ),
)


class FindingRows(NamedTuple):
    """What the database holds of the findings of some sessions, merged ones too; opinions by (session, number)."""

    known: list[_FindingRow]
    reports: list[_ReportRow]
    opinions: dict[tuple[int, int], tuple[OpinionView, ...]]


def finding_rows(sessions: Sequence[int]) -> FindingRows:
    """Three queries."""
    # Before the reports: of a session that runs, those of a finding that is there are there too.
    known = _FINDINGS(sessions=sessions)
    return FindingRows(known, _REPORTS(sessions=sessions), opinions_of(sessions))


def findings_of(session: Session, rows: FindingRows | None = None) -> list[FoundFinding]:
    """The findings in rank order; five queries, two with their `rows`. Those that were merged into another are left
    out. What only simulated instances raised is flagged so."""
    return findings_and_notes([session.pk], (), rows)[0][session.pk]


def findings_and_notes(
    sessions: Sequence[int], notes: Iterable[UUID], rows: FindingRows | None = None
) -> tuple[dict[int, list[FoundFinding]], dict[UUID, str]]:
    """The same of several sessions, by id, in as many queries; and the texts of the contents `notes`, by id: pages show
    both."""
    known, reports, opinions = rows or finding_rows(sessions)
    words = dict(_WORDS(contents={*notes, *(report.content_id for report in reports)}))
    wordings = dict(zip((report.pk for report in reports), _wordings(reports, words), strict=True))
    behind: dict[UUID | None, list[_ReportRow]] = defaultdict(list)
    for report in reports:
        behind[report.finding_id].append(report)
    absorbed: dict[UUID | None, list[str]] = defaultdict(list)
    for row in known:
        if row.status == MERGED:
            absorbed[row.merged_into_id].append(row.label)
    comments = comments_of(sessions)
    found: dict[int, list[FoundFinding]] = {pk: [] for pk in sessions}
    for row in known:
        if row.status != MERGED:
            place, own = (row.session_id, row.number), behind[row.pk]
            said = [wordings[row.canonical_id], *(wordings[one.pk] for one in own if one.pk != row.canonical_id)]
            beside = opinions.get(place, ()), comments.get(place, ()), tuple(absorbed[row.pk])
            found[row.session_id].append(_found(row, said, *beside, simulated=all(one.simulated for one in own)))
    return {pk: _in_order(findings) for pk, findings in found.items()}, words


def _in_order(findings: list[FoundFinding]) -> list[FoundFinding]:
    """The published order, moved only by what people graded otherwise."""
    if all(one.severity == one.models_severity for one in findings):
        return findings
    return sorted(findings, key=lambda one: -SEVERITIES[one.severity])


def reports_arriving(session: Session) -> dict[str, list[Wording]]:
    """What instances raised that is not merged into findings yet, by letter; two queries."""
    arriving: dict[str, list[Wording]] = defaultdict(list)
    reports = _UNMERGED(sessions=[session.pk])
    words = dict(_WORDS(contents={report.content_id for report in reports}))
    for wording in _wordings(reports, words):
        arriving[wording.letter].append(wording)
    return dict(arriving)


def text_of(content: Content | None) -> str:
    """The words, or empty when there are none or they were erased."""
    return content.text if content and not content.erased_at else ""


def _wordings(reports: Sequence[_ReportRow], words: Mapping[UUID, str]) -> list[Wording]:
    """One wording per report, in the same order; `words` by the id of their content."""
    items = {pk: list(orjson.loads(words[pk])) for pk in {report.content_id for report in reports} & words.keys()}
    return [_wording(report, items.get(report.content_id, [])) for report in reports]


def _wording(report: _ReportRow, items: list[dict[str, Any]]) -> Wording:
    label = f"{report.letter}-{report.ordinal}"
    words: dict[str, Any] = next((item for item in items if item["id"] == label), {})
    location = words.get("location", {})
    return Wording(
        label=label,
        letter=report.letter,
        severity=report.severity,
        family=report.family,
        category=words.get("category", ""),
        confidence=report.confidence,
        title=words.get("title", ""),
        claim=words.get("claim", ""),
        evidence=words.get("evidence", ""),
        verified=report.evidence_verified,
        suggestion=words.get("suggestion", ""),
        place=Place(location.get("path", ""), report.start_line, report.end_line, location.get("anchor", "")),
        source=report.source_id,
        flags=tuple(report.flags),
        erased=not words,
    )


def _found(
    row: _FindingRow,
    wordings: Sequence[Wording],
    opinions: tuple[OpinionView, ...],
    comments: tuple[CommentView, ...],
    absorbed: tuple[str, ...],
    *,
    simulated: bool,
) -> FoundFinding:
    words = wordings[0]
    flags = {flag for wording in wordings for flag in wording.flags}
    return FoundFinding(
        label=row.label,
        number=row.number,
        rank=row.rank,
        status=row.status,
        severity=row.weight,
        models_severity=row.severity,
        disputed=row.severity_disputed,
        verified=row.evidence_verified,
        raised_by=tuple(row.raised_by),
        title=words.title,
        claim=words.claim,
        evidence=words.evidence,
        suggestion=words.suggestion,
        family=words.family,
        category=words.category,
        place=words.place,
        flags=tuple(sorted(flags | {"simulated"} if simulated else flags)),
        erased=words.erased,
        wordings=tuple(wordings),
        fingerprint=row.fingerprint,
        disposition=row.disposition,
        dismissed_because=row.dismissed_because,
        decided_by=called(row.decided_by__name or "", row.decided_by__email or ""),
        decided_at=row.decided_at,
        carried=row.carried,
        earlier_number=row.earlier_number,
        revision=row.revision,
        opinions=opinions,
        comments=comments,
        absorbed=absorbed,
    )
