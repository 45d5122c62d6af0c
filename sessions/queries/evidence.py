"""The evidence that gates are judged on, read from what a session that has ended left behind."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sessions.engine.certificate import digest
from sessions.engine.findings import SEVERITIES
from sessions.engine.policy import Evidence, FindingEvidence
from sessions.models import Finding, Opinion, Report, Session, SessionSource
from sessions.queries.certification import verdict_of
from sessions.queries.deliberation import DeliberationView, deliberation_of
from sessions.queries.findings import MERGED
from sessions.queries.seats import who_answered
from sessions.states import ENDED

# Ends of a deliberation that leave it diverged and say more than that.
TELLING = frozenset({"budget", "quorum_lost", "single_assessor"})


def evidence_of(session: Session, view: DeliberationView | None = None) -> Evidence | None:
    """None while the session has not come to its end; a bounded number of queries. `view` is that of a deliberation,
    when the caller has it."""
    if session.status not in ENDED:
        return None
    found = _whatever_kind(session)
    if session.status == "completed" and session.kind == "deliberation":
        return _deliberation(found, view or deliberation_of(session))
    return _certification(found, verdict_of(session)) if session.kind == "certification" else found


def _whatever_kind(session: Session) -> Evidence:
    who = who_answered(session)
    sources = list(SessionSource.objects.filter(session=session).select_related("version__content"))
    return Evidence(
        kind=session.kind,
        outcome=session.outcome if session.status == "completed" else session.reason or session.status,
        seats=session.participants.count(),
        answered=tuple(who.answered),
        missing=who.missing,
        read_in_part=tuple(who.read_in_part),
        cut_off=tuple(letter for letter in who.partial if letter not in who.read_in_part),
        findings=tuple(_findings(session)),
        result=session.summary.digest if session.summary else "",
        sources=tuple(row.version.digest for row in sources),
        erased=any(row.version.content.erased_at for row in sources),
    )


def _findings(session: Session) -> Iterator[FindingEvidence]:
    ratings: dict[Any, list[str]] = defaultdict(list)
    for finding, severity in Report.objects.filter(session=session).values_list("finding", "severity"):
        ratings[finding].append(severity)
    said: dict[int, list[str]] = defaultdict(list)
    for number, verdict in Opinion.objects.filter(session=session).values_list("number", "verdict"):
        said[number].append(verdict)
    for row in Finding.objects.filter(session=session).order_by("number"):
        if row.status == MERGED and row.merged_into_id is None:
            continue  # the platform's own grouping: what it held is in another one
        rated = sorted({row.severity, *ratings[row.pk]}, key=SEVERITIES.__getitem__)
        yield FindingEvidence(
            number=row.number,
            severity=row.weight,
            rated=row.severity,
            lowest=rated[0],
            highest=rated[-1],
            verified=row.evidence_verified,
            raised_by=tuple(row.raised_by),
            disposition=MERGED if row.status == MERGED else row.disposition,
            confirmed=said[row.number].count("confirmed"),
            refuted=said[row.number].count("refuted"),
        )


def _deliberation(found: Evidence, view: DeliberationView | None) -> Evidence:
    """What the instances hold of each finding after the last round, and how sure that is. A finding that nobody could
    take a side on is unassessed."""
    if view is None or view.decided is None or view.figures is None:
        return found
    data, figures = view.decided.data, {one.number: one for one in view.figures.findings}
    held = []
    for finding in found.findings:
        if told := figures.get(finding.number):
            rated = told.severities or (told.severity,)
            status = "unassessed" if finding.number in data["unassessed"] else told.status
            finding = replace(finding, status=status, lowest=rated[0], highest=rated[-1])
        held.append(finding)
    return replace(
        found,
        outcome=data["reason"] if data["reason"] in TELLING else data["outcome"],
        findings=tuple(held),
        confidence=data["confidence"],
        result=data["decision"]["digest"],
        erased=found.erased or view.decided.version.content.erased_at is not None,
    )


def _certification(found: Evidence, said: dict[str, Any]) -> Evidence:
    """What the instances came to; without a verdict of theirs whatever ended the session."""
    if not said or found.outcome != said["outcome"]:
        return found
    return replace(
        found,
        answered=tuple(sorted((*said["certify"], *said["refuse"], *said["abstain"]))),
        confidence=said["confidence"],
        result=digest(said),
        vetoes=tuple(sorted({veto["criterion"] for veto in said["vetoes"]})),
    )
