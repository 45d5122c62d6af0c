"""A deliberation in the export document and in the API: rounds, who held what, the decision or where it diverged.
Shares are fractions from 0 to 1, null where there is none."""

from collections.abc import Iterator
from typing import Any

from sessions.engine.agreement import FindingFigures, basis_points, history, percent, share_words
from sessions.engine.convergence import Reason, velocities
from sessions.engine.divergence import Crux, divergence
from sessions.engine.positions import Position
from sessions.glossary import label
from sessions.models import Session
from sessions.queries.deliberation import Decided, DeliberationView, PublishedRound, deliberation_of
from sessions.reports import markdown as md

NO_ROUNDS: dict[str, Any] = {
    "rounds": [],
    "positions": [],
    "standing": [],
    "synthesis": "",
    "decision": None,
    "divergence": None,
}


def deliberation_data(session: Session) -> dict[str, Any]:
    """What the export document of a deliberation has beside the others'. A certification has the same keys, with
    nothing in them: nobody hears anybody. Empty for a review."""
    found = deliberation_of(session)
    if found is None:
        return dict(NO_ROUNDS) if session.kind == "certification" else {}
    return {
        "rounds": rounds_data(found),
        "positions": [_position(position) for one in found.rounds for position in one.told.positions],
        "standing": standing_data(found),
        "synthesis": found.decided.summary if found.decided else "",
        "decision": decision_data(found),
        "divergence": divergence_data(found),
    }


def decision_data(found: DeliberationView) -> dict[str, Any] | None:
    """The decision by rule, and the artifact version that holds it as a document; None while there is none."""
    decided = found.decided
    if decided is None:
        return None
    data, version = decided.data, decided.version
    return {
        "outcome": data["outcome"],
        "reason": data["reason"],
        "confidence": data["confidence"],
        "limited_by": data["caps"],
        "findings": [_labelled(one) for one in data["findings"]],
        "unassessed": [_label(number) for number in data["unassessed"]],
        "late_notes": [_label(number) for number in data["late_notes"]],
        "flips": [_labelled(flip) for flip in data["flips"]],
        "conformity": _share(data["conformity_bp"]),
        "ac1": _share(data["ac1_bp"]),
        "velocity": _share(data["slope_bp"]),
        "independent_votes": data["n_eff_hundredths"] / 100,
        "void_rounds": data["voids"],
        "next_step": data["next_step"],
        "summary": decided.summary,
        "open_questions": list(decided.questions),
        "text": decided.text,
        "artifact": {
            "code": str(version.artifact.code),
            "name": version.artifact.name,
            "version": version.number,
            "digest": version.digest,
        },
    }


def rounds_data(found: DeliberationView) -> list[dict[str, Any]]:
    """Published rounds, oldest first."""
    speeds = [None, *velocities(history(found.told, found.rules))]
    return [_round(one, basis_points(speed)) for one, speed in zip(found.rounds, speeds, strict=False)]


def _round(one: PublishedRound, speed: int | None) -> dict[str, Any]:
    return {
        "round": one.number,
        "agreement": _share(one.agreement_bp),
        "same_set": _share(one.same_set_bp),
        "stability": _share(one.stability_bp),
        "velocity": _share(speed),
        "mode": one.mode,
        "attempt": one.attempt,
        "answered": sorted(one.told.answered),
        "missing": one.missing,
        "synthesis": one.synthesis,
        "cost_microcredits": one.cost_microcredits,
        "definition": one.definition,
        "seal": one.seal,
        "published_at": one.published_at.isoformat(),
    }


def _position(position: Position) -> dict[str, Any]:
    amendment = position.amendment
    return {
        "round": position.round,
        "finding": _label(position.number),
        "version": position.version,
        "instance": position.letter,
        "stance": position.stance,
        "amends": amendment and {"field": amendment.field, "value": amendment.value, "material": amendment.material},
        "confidence_percent": position.confidence,
        "rationale": position.rationale,
        "evidence": position.evidence,
        "evidence_verified": position.evidence_verified,
        "explained": position.explained,
    }


def standing_data(found: DeliberationView) -> list[dict[str, Any]]:
    """Per open finding: its figures and where everybody stands after the last round, the platform's words included."""
    return [_standing(found, one) for one in (found.figures.findings if found.figures else ())]


def _standing(found: DeliberationView, one: FindingFigures) -> dict[str, Any]:
    tally = one.tally
    return {
        "finding": _label(one.number),
        "status": one.status,
        "key": one.is_key,
        "counts": {
            "agree": tally.agree,
            "minor": tally.minor,
            "material": tally.material,
            "disagree": tally.disagree,
        },
        "support": _share(basis_points(one.support)),
        "agreement": _share(basis_points(one.agreement)),
        "severity": one.severity,
        "severity_disputed": one.severity_disputed,
        "stances": {letter: position.stance for letter, position in sorted(found.held_by[one.number].items())},
    }


def divergence_data(found: DeliberationView) -> dict[str, Any] | None:
    """Where a deliberation that did not converge still disagrees, and what would settle it."""
    decided = found.decided
    reason: Reason | None = decided.data["reason"] if decided else "cancelled" if found.stopped else None
    if reason in (None, "converged") or not found.rounds:
        return None
    report = divergence(found.told, found.rules, found.members, reason)
    settle = decided.settle if decided else {}
    return {
        "reason": report.reason,
        "cruxes": [_crux(crux, settle.get(crux.number, "")) for crux in report.cruxes],
        "accepted": [_label(number) for number in report.accepted],
        "rejected": [_label(number) for number in report.rejected],
        "unassessed": [_label(number) for number in report.unassessed],
        "late_notes": [_label(number) for number in report.late_notes],
        "failures": [{"round": number, "instance": letter} for number, letter in report.failures],
        "families": list(report.families),
        "next_step": report.next_step,
    }


def _crux(crux: Crux, would_settle: str) -> dict[str, Any]:
    return {
        "finding": _label(crux.number),
        "status": crux.status,
        "settled_by": crux.settled_by,
        "would_settle": would_settle,
        "severities": list(crux.severities or ()),
        "sides": [
            {"stance": side.kind, "instances": list(side.letters), "strongest": _position(side.strongest)}
            for side in crux.sides
        ],
        "by_round": [
            {"round": number, "stances": {position.letter: position.stance for position in positions}}
            for number, positions in crux.by_round
        ],
    }


def _labelled(row: dict[str, Any]) -> dict[str, Any]:
    return {"finding": _label(row["number"]), **{name: value for name, value in row.items() if name != "number"}}


def _label(number: int) -> str:
    return f"F-{number:03d}"


def _share(points: int | None) -> float | None:
    return None if points is None else points / 10_000


def deliberation_markdown(session: Session) -> list[str]:
    """Blocks: how it ended, and agreement over the rounds. Empty for another kind."""
    found = deliberation_of(session)
    if found is None or not found.rounds:
        return []
    blocks = ["## Rounds", "\n".join(_table(found))]
    if found.decided:
        blocks += [_verdict(found.decided), "## Decision", md.block(found.decided.text or "(erased)")]
    return blocks


def _verdict(decided: Decided) -> str:
    data = decided.data
    caps = ", ".join(label("confidence_cap", cap).lower() for cap in data["caps"])
    ending = f"{label('outcome', data['outcome'])} ({label('ending', data['reason']).lower()})"
    sure = label("confidence", data["confidence"]).lower() + (f" ({caps})" if caps else "")
    return f"{ending}. Confidence in this report: {sure}."


def _table(found: DeliberationView) -> Iterator[str]:
    yield "| Round | Agreement | Same findings only | Answered |"
    yield "|---|---|---|---|"
    for one in found.rounds:
        same = "" if one.same_set_bp is None else f"{percent(one.same_set_bp)} %"
        share = share_words(one.number, one.agreement_bp)
        yield f"| {one.number} | {share} | {same} | {', '.join(sorted(one.told.answered))} |"
