"""Reports and findings: what one instance raised, and what the platform makes of all of them.

A `Report` is one defect as one instance wrote it. A `Finding` is a cluster of reports about the same defect at the
same place; it has the stable number people quote (`F-001`).
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sessions.engine.text import addresses_a_model

SEVERITIES = {"info": 1, "minor": 2, "major": 3, "critical": 4, "blocker": 5}
FAMILIES = ("security", "correctness", "performance", "reliability", "consistency", "completeness",
            "clarity", "legal", "data", "style", "other")  # fmt: skip

_STRAIGHT_QUOTES = str.maketrans("\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f", "''''" + '""""')


@dataclass(frozen=True, slots=True)
class Location:
    """Where in an artifact: line numbers of the (new) file, or `anchor`, a heading, clause or paragraph number or,
    in code, a symbol. All optional."""

    path: str = ""
    start_line: int | None = None
    end_line: int | None = None
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One defect raised by one instance. `artifact` is the Source's ref, `kind` its kind, `raised_by` the
    member's letter, `confidence` in 0..1, `evidence` a verbatim quote."""

    id: str
    artifact: str
    kind: str
    raised_by: str
    severity: str
    category: str
    family: str
    title: str
    claim: str
    evidence: str
    suggestion: str
    confidence: float
    location: Location
    evidence_verified: bool = False

    @property
    def is_injected(self) -> bool:
        """Whether its words speak to a language model: whoever wrote the artifact may have put them there."""
        return addresses_a_model("\n".join((self.title, self.claim, self.suggestion)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A numbered cluster. `canonical` is the report whose words stand for all."""

    number: int
    reports: tuple[Report, ...]
    canonical: Report
    severity: str
    severity_disputed: bool

    @property
    def label(self) -> str:
        return f"F-{self.number:03d}"

    @property
    def raised_by(self) -> tuple[str, ...]:
        return tuple(sorted({report.raised_by for report in self.reports}))

    @property
    def evidence_verified(self) -> bool:
        return any(report.evidence_verified for report in self.reports)


def normalise_text(text: str) -> str:
    """Lower case, straight quotes, single spaces: what stays equal when a quote is retyped."""
    return " ".join(text.translate(_STRAIGHT_QUOTES).lower().split())


def ledger_order(report: Report) -> tuple[int, str, int, str, str, str]:
    """Sort key of reports: severity (highest first), path, start line, anchor, digest of the claim, id."""
    location = report.location
    claim = _sha256(normalise_text(report.claim))
    return (-SEVERITIES[report.severity], location.path, location.start_line or 0, location.anchor, claim, report.id)


def median_severity(severities: Iterable[str]) -> tuple[str, bool]:
    """The median of one severity per rater, the upper middle of an even count, and whether it is disputed: highest
    and lowest are two levels or more apart. ValueError without raters."""
    ordered = sorted(severities, key=SEVERITIES.__getitem__)
    if not ordered:
        raise ValueError("a finding needs at least one severity")
    return ordered[len(ordered) // 2], SEVERITIES[ordered[-1]] - SEVERITIES[ordered[0]] >= 2


def canonical(reports: Iterable[Report]) -> Report:
    """The report whose words stand for a cluster: not injected, highest severity, verified evidence, longest claim,
    lowest id."""
    return min(
        reports, key=lambda r: (r.is_injected, -SEVERITIES[r.severity], not r.evidence_verified, -len(r.claim), r.id)
    )


def put_together(groups: Iterable[Iterable[Report]], moved: Mapping[str, int]) -> list[list[Report]]:
    """The groups with what people moved where they put it: `moved` holds, by report id, the finding it belongs to."""
    kept: list[list[Report]] = []
    placed: dict[int, list[Report]] = {}
    for reports in groups:
        rest: list[Report] = []
        for report in reports:
            (placed.setdefault(moved[report.id], []) if report.id in moved else rest).append(report)
        kept += [rest] if rest else []
    return kept + list(placed.values())


def number_findings(groups: Iterable[Iterable[Report]], issued: Mapping[str, int] | None = None) -> list[Finding]:
    """Clusters as numbered findings, with the median severity of their raisers. Same groups, same numbers, whatever
    the order of groups and reports.

    `issued` gives numbers by report id that people already know: a cluster keeps the lowest of its reports', and new
    clusters are numbered after the highest, in ledger order.
    """
    issued = issued or {}
    drafts = [group_as_finding(group) for group in groups]
    drafts.sort(key=lambda draft: (-SEVERITIES[draft.severity], ledger_order(draft.canonical)[1:]))
    fresh = itertools.count(max(issued.values(), default=0) + 1)
    taken: set[int] = set()
    numbered = []
    for draft in drafts:
        known = {issued[report.id] for report in draft.reports if report.id in issued} - taken
        number = min(known) if known else next(fresh)
        taken.add(number)
        numbered.append(replace(draft, number=number))
    return numbered


def group_as_finding(group: Iterable[Report]) -> Finding:
    """A cluster without a number: its median severity and the report that stands for it."""
    reports = tuple(sorted(group, key=ledger_order))
    highest: dict[str, str] = {}
    for report in reports:  # in ledger order, so an instance that raised it twice rates it once, at its highest
        highest.setdefault(report.raised_by, report.severity)
    severity, disputed = median_severity(highest.values())
    return Finding(0, reports, canonical(reports), severity, disputed)


def rank(findings: Iterable[Finding]) -> list[Finding]:
    """In the order of reports to people: severity, number of raisers, verified evidence, location, number."""
    return sorted(findings, key=_rank)


def _rank(finding: Finding) -> tuple[int, int, bool, str, int, str, int]:
    location = finding.canonical.location
    return (
        -SEVERITIES[finding.severity],
        -len(finding.raised_by),
        not finding.evidence_verified,
        location.path,
        location.start_line or 0,
        location.anchor,
        finding.number,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
