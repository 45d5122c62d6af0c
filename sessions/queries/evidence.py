"""The evidence that gates are judged on, read from what a session that has ended left behind."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sessions.engine.certificate import digest
from sessions.engine.findings import SEVERITIES
from sessions.engine.policy import Evidence, FindingEvidence
from sessions.models import Event, Session, SessionSource
from sessions.queries.certification import verdict_of
from sessions.queries.deliberation import DeliberationView, deliberation_of
from sessions.queries.findings import MERGED, FindingRows, finding_rows
from sessions.queries.seats import WhoAnswered, who_answered
from sessions.states import ENDED

# Ends of a deliberation that leave it diverged and say more than that.
TELLING = frozenset({"budget", "quorum_lost", "single_assessor"})


@dataclass(frozen=True, slots=True)
class Left:
    """What a session left behind that gates are judged on and people are shown beside them, read once. `seats` of its
    instances decide in the end."""

    seats: int
    who: WhoAnswered
    sources: tuple[SessionSource, ...]
    rows: FindingRows


def left_by(session: Session, who: WhoAnswered | None = None, seats: int | None = None) -> Left:
    """Seven queries, four when it is known `who` answered and how many `seats` decide in the end."""
    read = SessionSource.objects.filter(session=session).select_related("version__artifact", "version__content")
    return Left(
        seats=session.participants.filter(last_round=None).count() if seats is None else seats,
        who=who or who_answered(session),
        sources=tuple(read.defer("version__content__text").order_by("position")),
        rows=finding_rows([session.pk]),
    )


def evidence_of(session: Session, view: DeliberationView | None = None, left: Left | None = None) -> Evidence | None:
    """None while the session has not come to its end; a bounded number of queries. `view` is that of a deliberation and
    `left` what is shown beside it, when the caller has them."""
    if session.status not in ENDED:
        return None
    found = _whatever_kind(session, left or left_by(session))
    if session.status == "completed" and session.kind == "deliberation":
        return _deliberation(found, view or deliberation_of(session), session)
    return _certification(found, verdict_of(session)) if session.kind == "certification" else found


def _whatever_kind(session: Session, left: Left) -> Evidence:
    who = left.who
    return Evidence(
        kind=session.kind,
        outcome=session.outcome if session.status == "completed" else session.reason or session.status,
        seats=left.seats,
        answered=tuple(who.answered),
        missing=who.missing,
        read_in_part=tuple(who.read_in_part),
        cut_off=tuple(letter for letter in who.partial if letter not in who.read_in_part),
        findings=tuple(_findings(left.rows)),
        result=session.summary.digest if session.summary else "",
        sources=tuple(row.version.digest for row in left.sources),
        erased=any(row.version.content.erased_at for row in left.sources),
    )


def _findings(rows: FindingRows) -> Iterator[FindingEvidence]:
    ratings: dict[Any, list[str]] = defaultdict(list)
    for report in rows.reports:
        ratings[report.finding_id].append(report.severity)
    for row in sorted(rows.known, key=lambda row: row.number):
        if row.status == MERGED and row.merged_into_id is None:
            continue  # the platform's own grouping: what it held is in another one
        rated = sorted({row.severity, *ratings[row.pk]}, key=SEVERITIES.__getitem__)
        said = [opinion.verdict for opinion in rows.opinions.get((row.session_id, row.number), ())]
        yield FindingEvidence(
            number=row.number,
            severity=row.weight,
            rated=row.severity,
            lowest=rated[0],
            highest=rated[-1],
            verified=row.evidence_verified,
            raised_by=tuple(row.raised_by),
            disposition=MERGED if row.status == MERGED else row.disposition,
            confirmed=said.count("confirmed"),
            refuted=said.count("refuted"),
        )


def _deliberation(found: Evidence, view: DeliberationView | None, session: Session) -> Evidence:
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
    if any(one.told.letters for one in view.rounds):
        found = _of_fork(found, view, session)
    return replace(
        found,
        outcome=data["reason"] if data["reason"] in TELLING else data["outcome"],
        findings=tuple(held),
        confidence=data["confidence"],
        result=data["decision"]["digest"],
        erased=found.erased or view.decided.version.content.erased_at is not None,
    )


def _of_fork(found: Evidence, view: DeliberationView, session: Session) -> Evidence:
    """Of a fork those count who decide in the end, by the last round: who joined later handed in no review."""
    last, here = view.rounds[-1], frozenset(view.rules.letters)
    cut = Event.objects.filter(session=session, kind="positions.submitted", data__read_in_part=True)
    in_part = {*found.read_in_part, *(data["letter"] for data in cut.values_list("data", flat=True))}
    return replace(
        found,
        answered=tuple(sorted(last.told.answered & here)),
        missing=last.missing,
        read_in_part=tuple(sorted(in_part & here)),
        cut_off=tuple(letter for letter in found.cut_off if letter in here),
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
