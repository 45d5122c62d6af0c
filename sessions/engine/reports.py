"""From the items of an answer to reports, and from reports to what events may hold of them."""

from collections.abc import Sequence

import orjson

from sessions.engine.evidence import Evidence, locate
from sessions.engine.findings import SEVERITIES, Finding, Location, Report
from sessions.engine.fingerprint import fingerprint
from sessions.engine.schemas import OutputFinding


def build_reports(
    letter: str, items: Sequence[OutputFinding], judged: Sequence[Evidence], *, floor: str, limit: int
) -> tuple[Report, ...]:
    """The `limit` gravest items that are at least as severe as `floor`, each with its place in an artifact. The id is
    the instance's letter and the ordinal from 1."""
    graver = [item for item in items if SEVERITIES[item.severity] >= SEVERITIES[floor]]
    kept = sorted(graver, key=lambda item: -SEVERITIES[item.severity])[:limit]
    return tuple(_report(letter, ordinal, item, judged) for ordinal, item in enumerate(kept, 1))


def _report(letter: str, ordinal: int, item: OutputFinding, judged: Sequence[Evidence]) -> Report:
    source, verified, location = locate(item.evidence, Location(**item.location.model_dump()), judged)
    return Report(
        id=f"{letter}-{ordinal}",
        artifact=source.ref,
        kind=source.kind,
        raised_by=letter,
        severity=item.severity,
        category=item.category or item.family,
        family=item.family,
        title=item.title,
        claim=item.claim,
        evidence=item.evidence,
        suggestion=item.suggestion,
        confidence=item.confidence,
        location=location,
        evidence_verified=verified,
    )


def report_data(ordinal: int, report: Report) -> dict[str, object]:
    """A report without its words, as events hold it: confidence in percent."""
    return {
        "ordinal": ordinal,
        "severity": report.severity,
        "family": report.family,
        "confidence": round(report.confidence * 100),
        "verified": report.evidence_verified,
        "flags": ["injection"] if report.is_injected else [],
        "source": report.artifact,
        "start_line": report.location.start_line,
        "end_line": report.location.end_line,
    }


def finding_data(finding: Finding) -> dict[str, object]:
    return {
        "number": finding.number,
        "severity": finding.severity,
        "disputed": finding.severity_disputed,
        "verified": finding.evidence_verified,
        "canonical": finding.canonical.id,
        "reports": [report.id for report in finding.reports],
        "raised_by": list(finding.raised_by),
        "fingerprint": fingerprint(finding),
    }


def words_text(reports: Sequence[Report]) -> str:
    """The reports with their words: canonical JSON, a list of mappings in the order of their ordinals."""
    return orjson.dumps(list(reports), option=orjson.OPT_SORT_KEYS).decode()
