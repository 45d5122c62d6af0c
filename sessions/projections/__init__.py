"""Rows that follow from events, one function per kind: a module of this package by noun.

`project(event)` names the changes; whoever appends the event writes them in the same transaction (`sessions.writer`,
`sessions.actions.log`). Functions are pure: the same log always gives the same rows, which `verify_timeline` checks
by folding the whole log again.
"""

from collections.abc import Callable

from sessions.projections import certificates, findings, gates, rounds, sessions
from sessions.projections.changes import Change, Occurred, Patch, Put
from sessions.projections.rounds import decision_pk

__all__ = ["PROJECTIONS", "Change", "Occurred", "Patch", "Put", "decision_pk", "project"]

PROJECTIONS: dict[str, Callable[[Occurred], list[Change]]] = {
    "session.retried": sessions.session_retried,
    "call.started": sessions.call_started,
    "call.retrying": sessions.call_retrying,
    "call.finished": sessions.call_finished,
    "call.lost": sessions.call_lost,
    "reports.submitted": findings.reports_submitted,
    "instance.missing": sessions.instance_missing,
    "findings.ranked": findings.findings_ranked,
    "findings.compared": findings.findings_compared,
    "opinion.given": findings.opinion_given,
    "opinion.missing": findings.opinion_missing,
    "finding.decided": findings.finding_decided,
    "finding.regraded": findings.finding_regraded,
    "finding.joined": findings.finding_joined,
    "finding.split": findings.finding_split,
    "finding.commented": findings.finding_commented,
    "summary.written": sessions.summary_written,
    "positions.submitted": rounds.positions_submitted,
    "positions.missing": sessions.instance_missing,
    "round.published": rounds.round_published,
    "decision.written": rounds.decision_written,
    "attestation.submitted": certificates.attestation_submitted,
    "certificate.issued": certificates.certificate_issued,
    "gate.asked": gates.gate_asked,
    "gate.withheld": gates.gate_withheld,
    "gate.proposed": gates.gate_proposed,
    "gate.decided": gates.gate_decided,
    "gate.undone": gates.gate_undone,
    "gate.took_effect": gates.gate_took_effect,
    "gate.expired": gates.gate_expired,
    "gate.lapsed": gates.gate_lapsed,
}


def project(event: Occurred) -> list[Change]:
    """What `event` changes. Kinds without a projection change nothing."""
    projection = PROJECTIONS.get(event.kind)
    return projection(event) if projection else []
