"""Findings and the wordings behind them."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from sessions.models import Content, Finding, Participant, Report, Session

MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an artifact: lines of the (new) file, or `anchor`, a heading, clause or symbol."""

    path: str = ""
    start_line: int | None = None
    end_line: int | None = None
    anchor: str = ""

    def __str__(self) -> str:
        if self.start_line is None:
            return " ".join(part for part in (self.path, self.anchor) if part)
        many = self.end_line is not None and self.end_line != self.start_line
        lines = f"{self.start_line}-{self.end_line}" if many else str(self.start_line)
        return f"{self.path}:{lines}" if self.path else f"line {lines}"


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
    """One finding as people read it: the words of its canonical report, and every wording, the canonical first."""

    label: str
    number: int
    rank: int
    status: str
    severity: str
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


def findings_of(session: Session) -> list[FoundFinding]:
    """The findings in rank order; four queries. Those that were merged into another are left out. What only simulated
    instances raised is flagged so."""
    # Before the reports: of a session that runs, those of a finding that is there are there too.
    rows = list(Finding.objects.filter(session=session).exclude(status=MERGED))
    reports = list(Report.objects.filter(session=session))
    wordings = dict(zip((report.pk for report in reports), _wordings(reports), strict=True))
    grouped: dict[UUID | None, list[UUID]] = defaultdict(list)
    for report in reports:
        grouped[report.finding_id].append(report.pk)
    demo = set(Participant.objects.filter(session=session, simulated=True).values_list("letter", flat=True))
    return [_found(row, wordings, grouped[row.pk], simulated=demo.issuperset(row.raised_by)) for row in rows]


def reports_arriving(session: Session) -> dict[str, list[Wording]]:
    """What instances raised that is not merged into findings yet, by letter; two queries."""
    arriving: dict[str, list[Wording]] = defaultdict(list)
    for wording in _wordings(list(Report.objects.filter(session=session, finding=None))):
        arriving[wording.letter].append(wording)
    return dict(arriving)


def text_of(content: Content | None) -> str:
    """The words, or empty when there are none or they were erased."""
    return content.text if content and not content.erased_at else ""


def _wordings(reports: list[Report]) -> list[Wording]:
    """One wording per report, in the same order; one query for all words."""
    contents = Content.objects.filter(pk__in={report.content_id for report in reports})
    words = {content.pk: _items(content) for content in contents}
    return [_wording(report, words.get(report.content_id, [])) for report in reports]


def _items(content: Content) -> list[dict[str, Any]]:
    words = text_of(content)
    return list(orjson.loads(words)) if words else []


def _wording(report: Report, items: list[dict[str, Any]]) -> Wording:
    erased = report.ordinal > len(items)
    words: dict[str, Any] = {} if erased else items[report.ordinal - 1]
    location = words.get("location", {})
    return Wording(
        label=f"{report.letter}-{report.ordinal}",
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
        erased=erased,
    )


def _found(row: Finding, wordings: dict[UUID, Wording], members: list[UUID], *, simulated: bool) -> FoundFinding:
    words = wordings[row.canonical_id]
    others = [wordings[pk] for pk in members if pk != row.canonical_id]
    flags = {flag for wording in [words, *others] for flag in wording.flags}
    return FoundFinding(
        label=row.label,
        number=row.number,
        rank=row.rank,
        status=row.status,
        severity=row.severity,
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
        wordings=(words, *others),
    )
