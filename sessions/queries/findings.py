"""Findings and the wordings behind them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from sessions.engine.findings import SEVERITIES
from sessions.models import Content, Finding, Participant, Report, Session
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
    `revision` they look at. `absorbed` names findings that people merged into it."""

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

    @property
    def opinion_badge(self) -> str:
        return opinion_badge(self.opinions)


def findings_of(session: Session, demo: frozenset[str] | None = None) -> list[FoundFinding]:
    """The findings in rank order; six queries, five when the caller knows the letters of the simulated instances
    (`demo`). Those that were merged into another are left out. What only simulated instances raised is flagged so."""
    # Before the reports: of a session that runs, those of a finding that is there are there too.
    known = list(Finding.objects.filter(session=session).select_related("decided_by"))
    rows = [row for row in known if row.status != MERGED]
    absorbed: dict[UUID, list[str]] = defaultdict(list)
    for row in known:
        if row.status == MERGED and row.merged_into_id:
            absorbed[row.merged_into_id].append(row.label)
    reports = list(Report.objects.filter(session=session))
    wordings = dict(zip((report.pk for report in reports), _wordings(reports), strict=True))
    grouped: dict[UUID | None, list[UUID]] = defaultdict(list)
    for report in reports:
        grouped[report.finding_id].append(report.pk)
    if demo is None:
        simulated = Participant.objects.filter(session=session, simulated=True)
        demo = frozenset(simulated.values_list("letter", flat=True))
    opinions, comments = opinions_of(session), comments_of(session)
    found = [
        _found(
            row,
            [wordings[row.canonical_id], *(wordings[pk] for pk in grouped[row.pk] if pk != row.canonical_id)],
            opinions.get(row.number, ()),
            comments.get(row.number, ()),
            tuple(absorbed[row.pk]),
            simulated=demo.issuperset(row.raised_by),
        )
        for row in rows
    ]
    # Stable: the published order, moved only by what people graded otherwise.
    return sorted(found, key=lambda one: -SEVERITIES[one.severity]) if any(r.person_severity for r in rows) else found


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


def _found(
    row: Finding,
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
        decided_by=row.decided_by.email if row.decided_by else "",
        decided_at=row.decided_at,
        carried=row.carried,
        earlier_number=row.earlier_number,
        revision=row.revision,
        opinions=opinions,
        comments=comments,
        absorbed=absorbed,
    )
