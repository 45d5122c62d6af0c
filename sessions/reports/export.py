"""A session as a document: JSON for programs, Markdown for people. `run_session` prints the same ones."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sessions.engine.errors import explain
from sessions.glossary import label
from sessions.kinds import KINDS
from sessions.models import Session, SessionSource
from sessions.queries import (
    SIMULATED,
    Coverage,
    FoundFinding,
    SeatView,
    WhoAnswered,
    charge_notice,
    coverage_of,
    seats_of,
    simulated_notice,
    starter_of,
    text_of,
    who_answered,
)
from sessions.queries.deliberation import deliberation_of
from sessions.queries.gates import gate_of
from sessions.queries.reworded import findings_now
from sessions.reports import markdown as md
from sessions.reports.certification import certification_data, certification_markdown
from sessions.reports.costs import spent_words, unpriced_of
from sessions.reports.deliberation import deliberation_data, deliberation_markdown
from sessions.reports.gates import decision_sentence, gate_data, sentence
from sessions.reports.verdict_words import who_sentence

ERASED = "(erased)"


def document(session: Session) -> dict[str, Any]:
    """The export document, of plain JSON values. Money is micro-credits; `who_answered` is a sentence and
    `answers` its data; `simulated_notice` and `charge_notice` are empty unless demo models took part."""
    seats, who, covered = seats_of(session), who_answered(session), coverage_of(session)
    notice = simulated_notice(seats)
    return {
        "code": str(session.code),
        "kind": session.kind,
        "title": session.title,
        "project": session.project.slug,
        "status": session.status,
        "outcome": session.outcome,
        "reason": session.reason,
        "findings": [finding_data(finding) for finding in findings_now(session)],
        "started_by": starter_of(session),
        "forked_from": forked_from(session),
        "fork_round": session.fork_round,
        "who_answered": who_words(session),
        "answers": answers_data(who),
        "summary": text_of(session.summary),
        "cost_microcredits": session.cost_microcredits,
        "charge_notice": charge_notice(seats),
        "price_unknown_for": unpriced(session),
        "simulated": bool(notice),
        "simulated_notice": notice,
        "instances": [_instance(seat, covered.get(seat.letter, Coverage())) for seat in seats],
        "artifacts": sources_data(session),
        "certification": certification_data(session),
        "gate": gate_data(gate_of(session)),
        **deliberation_data(session),
        "finished_at": session.finished_at.isoformat() if session.finished_at else None,
    }


def finding_data(finding: FoundFinding) -> dict[str, Any]:
    """A finding in API and export."""
    return {
        "id": finding.label,
        "severity": finding.severity,
        "severity_disputed": finding.disputed,
        "title": finding.title,
        "claim": finding.claim,
        "evidence": finding.evidence,
        "evidence_verified": finding.verified,
        "suggestion": finding.suggestion,
        "rewordings": [asdict(one) for one in finding.rewordings],
        "category": finding.category,
        "family": finding.family,
        "location": asdict(finding.place),
        "raised_by": list(finding.raised_by),
        "status": finding.disposition,
        "models_severity": finding.models_severity,
        "dismissed_because": finding.dismissed_because,
        "decided_by": finding.decided_by,
        "decided_at": finding.decided_at.isoformat() if finding.decided_at else None,
        "carried": finding.carried,
        "earlier": f"F-{finding.earlier_number:03d}" if finding.earlier_number else None,
        "revision": finding.revision,
        "fingerprint": finding.fingerprint,
        "second_opinions": finding.opinion_badge,
        "opinions": [asdict(opinion) for opinion in finding.opinions],
        "comments": [
            {"by": said.by, "at": said.at.isoformat(), "text": said.text, "erased": said.erased}
            for said in finding.comments
        ],
        "flags": list(finding.flags),
        "erased": finding.erased,
        "reports": [
            {
                "id": wording.label,
                "severity": wording.severity,
                "title": wording.title,
                "claim": wording.claim,
                "evidence": wording.evidence,
                "evidence_verified": wording.verified,
                "confidence_percent": wording.confidence,
            }
            for wording in finding.wordings
        ],
    }


def answers_data(who: WhoAnswered) -> dict[str, Any]:
    return {name: value for name, value in asdict(who).items() if name != "sentence"}


def sources_data(session: Session) -> list[dict[str, Any]]:
    """What the session reads, by version; `context` ones are not judged."""
    rows = SessionSource.objects.filter(session=session).select_related("version__artifact").order_by("position")
    return [
        {
            "code": str(row.version.artifact.code),
            "name": row.version.artifact.name,
            "kind": row.version.artifact.kind,
            "version": row.version.number,
            "digest": row.version.digest,
            "context": row.context,
        }
        for row in rows
    ]


def unpriced(session: Session) -> list[str]:
    """The models whose answers have no known price: the cost is at least what is said."""
    return list(unpriced_of(session).models)


def forked_from(session: Session) -> str | None:
    """The code of the session that this one is a fork of."""
    return str(session.reuses.code) if session.reuses and session.fork_round is not None else None


def who_words(session: Session) -> str:
    """Whose answers the result rests on, for people."""
    return who_sentence(who_answered(session), deliberation_of(session))


def cost_words(session: Session, seats: list[SeatView]) -> str:
    """`$0.05`, or `at least $0.05, price unknown for lab/large`, and what of it nobody is charged."""
    unknown = unpriced_of(session)
    cost = spent_words(session, unknown, ", ".join(unknown.models))
    return ", ".join(part for part in (cost, charge_notice(seats)) if part)


def markdown(session: Session) -> str:
    """The document for people. Words of models and people are inert in it (`sessions.reports.markdown`)."""
    seats, findings = seats_of(session), findings_now(session)
    parts = [f"# {md.line(session.title) or 'Session'}"]
    if notice := simulated_notice(seats):
        parts.append(f"> **{notice}**")
    parts.append("\n".join(_facts(session, seats)))
    parts += deliberation_markdown(session)
    parts += certification_markdown(session) or _findings(session, findings)
    parts += ["## Instances", "\n".join(_roster(seats))]
    covered = [part for letter, coverage in coverage_of(session).items() for part in _coverage(letter, coverage)]
    parts += [f"## {label('field', 'coverage')}", *covered] if covered else []
    return "\n\n".join(parts) + "\n"


def _findings(session: Session, findings: list[FoundFinding]) -> list[str]:
    parts = ["## Summary", _summary(session), f"## Findings ({len(findings)})"]
    parts.append("\n".join(_table(findings)) if findings else "None.")
    return parts + [part for finding in findings for part in _details(finding)]


def _facts(session: Session, seats: list[SeatView]) -> Iterator[str]:
    kind = KINDS[session.kind].label if session.kind in KINDS else session.kind
    why = f" ({explain(session.reason)})" if session.status == "failed" else ""
    states = [label("status", session.status), label("outcome", session.outcome)]
    yield f"- {', '.join([kind, *(word for word in states if word)])}{why}"
    yield f"- {label('field', 'who_answered')}: {who_words(session)}"
    yield f"- Cost: {cost_words(session, seats)}"
    for source in sources_data(session):
        use = ", read but not judged" if source["context"] else ""
        yield f"- {md.code(source['name'])}, version {source['version']}, SHA-256 `{source['digest']}`{use}"
    if session.fork_round is not None:
        yield f"- {_forked(session)}"
    if starter := starter_of(session):
        yield f"- Started by {md.line(starter)}"
    gate = gate_of(session)
    if gate.asked:
        yield f"- Gate, by the policy {gate.policy.key}: {sentence(gate)}"
        yield from (f"- {decision_sentence(decision)}" for decision in gate.decisions)
    yield f"- Session `{session.code}`"


def _forked(session: Session) -> str:
    """`Forked after round 2 of Plan, session 6f0c`, as a sentence in Markdown."""
    origin = session.reuses
    known = origin is not None and origin.deleted_at is None
    title = f"{md.line(origin.title)}, session `{origin.code}`" if origin and known else "a session that was deleted"
    return f"Forked {f'after round {session.fork_round} of' if session.fork_round else 'from'} {title}"


def _summary(session: Session) -> str:
    if session.summary and session.summary.erased_at:
        return ERASED
    return md.paragraphs(text_of(session.summary)) or "None was written."


def _table(findings: list[FoundFinding]) -> Iterator[str]:
    yield "| ID | Severity | Title | Place | Raised by | Quote |"
    yield "|---|---|---|---|---|---|"
    for finding in findings:
        title = ERASED if finding.erased else md.line(finding.title)
        quote = "verified" if finding.verified else "not found"
        raised = ", ".join(finding.raised_by)
        yield f"| {finding.label} | {_severity(finding)} | {title} | {_place(finding)} | {raised} | {quote} |"


def _details(finding: FoundFinding) -> Iterator[str]:
    title = ERASED if finding.erased else md.line(finding.title)
    yield f"### {finding.label} {title}"
    yield f"{_severity(finding)}, raised by {', '.join(finding.raised_by)}, at {_place(finding)}{_decision(finding)}"
    if finding.erased:
        return
    if "simulated" in finding.flags:
        yield f"*{SIMULATED}*"
    if "injection" in finding.flags:
        yield "**A wording of this finding speaks to a language model instead of to people. Read it with care.**"
    yield md.paragraphs(finding.claim)
    yield "Quote, found in the artifact:" if finding.verified else "Quote, **not found in the artifact**:"
    yield md.block(finding.evidence)
    if finding.suggestion:
        yield "Suggestion:"
        yield md.paragraphs(finding.suggestion)
    if finding.rewordings:
        yield f"Reworded in round {finding.rewordings[-1].round}. As it was raised:"
        yield md.paragraphs(finding.wordings[0].claim)
    others = [
        f"- {other.label} ({label('severity', other.severity)}): {md.line(other.claim, 700)}"
        for other in finding.wordings[1:]
    ]
    if others:
        yield "In other words:"
        yield "\n".join(others)


def _severity(finding: FoundFinding) -> str:
    word = label("severity", finding.severity)
    return f"{word} ({label('flag', 'severity_disputed').lower()})" if finding.disputed else word


def _decision(finding: FoundFinding) -> str:
    """What people decided, as the end of a sentence; empty while it is open."""
    if finding.disposition == "open":
        return ""
    because = label("dismissal", finding.dismissed_because)
    return f". {label('disposition', finding.disposition)}" + (f": {because.lower()}" if because else "")


def _place(finding: FoundFinding) -> str:
    place = str(finding.place)
    return md.code(place) if place else "no place given"


def _roster(seats: list[SeatView]) -> Iterator[str]:
    yield "| | Name | Role | Model | State |"
    yield "|---|---|---|---|---|"
    for seat in seats:
        word = label("seat", seat.state)
        state = f"{word}: {seat.problem}" if seat.problem else word
        model = f"{md.line(seat.model_id)} (simulated)" if seat.simulated else md.line(seat.model_id)
        model += f", replaced by {md.line(seat.replaced_by)}" if seat.replaced else ""
        yield f"| {seat.letter} | {md.line(seat.name)} | {label('role', seat.role)} | {model} | {state} |"


def _coverage(letter: str, coverage: Coverage) -> Iterator[str]:
    if coverage.cut_to:
        yield f"{letter} read {', '.join(md.line(part) for part in coverage.cut_to)}."
    if coverage.examined:
        yield f"What {letter} says it examined:"
        yield md.paragraphs(coverage.examined)


def _instance(seat: SeatView, coverage: Coverage) -> dict[str, Any]:
    """`cut_to` and `examined`: see `Coverage`."""
    fields = ("letter", "name", "role", "model_id", "simulated", "state", "error_code", "read_in_part", "partial")
    replaced = {"fallback": seat.fallback, "replaced": [asdict(one) for one in seat.replaced]}
    return {name: getattr(seat, name) for name in fields} | replaced | asdict(coverage)
