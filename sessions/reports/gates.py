"""A gate as data for programs and as a sentence for people."""

from dataclasses import asdict
from typing import Any

from sessions.engine.errors import ERRORS
from sessions.engine.policy import Policy
from sessions.glossary import label
from sessions.queries.gates import DecisionView, GateView
from sessions.reports import markdown as md

TIMES = ("expires_at", "effective_at", "override_until")
LONGEST_REASON = 2_000  # characters; actions take no longer one
# What a program that asked for the gate exits with.
PASSED, FAILED, UNDECIDED = 0, 3, 4
COPIED = (
    "state", "outcome", "effective", "because", "why", "asked", "version", "to", "decided_by", "seconded_by", "shown",
)  # fmt: skip


def gate_data(gate: GateView) -> dict[str, Any]:
    """The gate in API and export: `outcome` belongs to the `state`, `effective` alone counts downstream."""
    verdict = gate.verdict
    return {
        **{name: getattr(gate, name) for name in COPIED},
        "reasons": list(gate.reasons),
        "proposed": verdict.get("outcome", ""),
        "details": [reason_data(reason) for reason in verdict.get("reasons", ())],
        "needs_person": [reason_data(reason) for reason in verdict.get("needs_person", ())],
        "two_people": verdict.get("two_people", False),
        "policy": asdict(gate.policy),
        **{name: moment.isoformat() if (moment := getattr(gate, name)) else None for name in TIMES},
        "decisions": [_decision_data(decision) for decision in gate.decisions],
    }


def reason_data(reason: dict[str, Any]) -> dict[str, Any]:
    findings = [f"F-{number:03d}" for number in reason["findings"]]
    return {"code": reason["code"], "findings": findings, "letters": list(reason["letters"])}


def reason_words(reason: dict[str, Any]) -> str:
    """`Blocking finding: F-001, F-004`; of a session that failed, what failed."""
    data = reason_data(reason)
    named = ", ".join([*data["findings"], *data["letters"]])
    name = label("gate_reason", reason["code"]) or ERRORS.get(reason["code"], ERRORS["internal"]).sentence.rstrip(".")
    return name + (f": {named}" if named else "")


def sentence(gate: GateView) -> str:
    """`Waiting for a decision: fail. Blocking finding: F-001.`"""
    outcome = f": {label('gate_outcome', gate.outcome).lower()}" if gate.outcome else ""
    if gate.state == "decided" and gate.effective_at:
        until = f", until then {label('gate_outcome', gate.effective).lower()}" if gate.effective else ""
        outcome += f", in effect at {gate.effective_at:%H:%M} UTC{until}"
    why = label("gate_reason", gate.because) if gate.because in gate.reasons else ""
    reasons = [why, *(reason_words(reason) for reason in gate.verdict.get("reasons", ()))]
    reasons += [reason_words(reason) for reason in gate.verdict.get("needs_person", ())]
    return ". ".join([f"{label('gate_state', gate.state)}{outcome}", *filter(None, reasons)]) + "."


def decision_sentence(decision: DecisionView) -> str:
    """`Overrode: fail to pass, by Mira, 2026-11-22 17:31 UTC. Fixed on the branch.`, in Markdown."""
    was, to = (label("gate_outcome", code).lower() for code in (decision.was, decision.to))
    who = f"by {md.line(decision.by)}, {decision.at:%Y-%m-%d %H:%M} UTC"
    change = to if was == to else f"{was} to {to}"
    return f"{label('gate_act', decision.act)}: {change}, {who}. {md.line(decision.why, LONGEST_REASON)}".strip()


def gate_exit(gate: GateView) -> int:
    """PASSED or FAILED by what counts downstream; UNDECIDED while nothing does, and while a new outcome is awaited."""
    if gate.state in {"withheld", "pending"}:
        return UNDECIDED
    return {"pass": PASSED, "fail": FAILED}.get(gate.effective, UNDECIDED)


def policy_data(policy: Policy, name: str) -> dict[str, Any]:
    return asdict(policy) | {"label": name}


def _decision_data(decision: DecisionView) -> dict[str, Any]:
    scope = [reason_data(reason) for reason in decision.scope]
    data = asdict(decision) | {"at": decision.at.isoformat(), "scope": scope, "reason": decision.why}
    del data["why"]
    return data
