"""The event log in words: one sentence per kind of event, and which of them are worth saying aloud."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.pricing import dollars
from sessions.engine.agreement import agreement_words
from sessions.engine.errors import ERRORS, explain
from sessions.glossary import label
from sessions.people import User, called
from sessions.queries import LoggedEvent
from sessions.queries.seats import did

Words = Callable[[dict[str, Any]], str]

# Edges only: what a person who does not look at the page wants to hear.
ANNOUNCED = frozenset(
    "reports.submitted instance.missing findings.ranked attestation.submitted verdict.reached "
    "positions.submitted positions.missing round.voided round.published decision.written "
    "session.started session.parked session.completed certificate.superseded instance.replaced "
    "session.failed session.cancelled session.gave_up session.retried session.fell_back cap.reached".split()
)

# People changed what a finding is made of, or how much it weighs.
REMADE = ("finding.joined", "finding.split", "finding.regraded")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline. `by` is the person who did it, if a person did."""

    seq: int
    at: datetime
    kind: str
    words: str
    by: str


def entries(events: Iterable[LoggedEvent], policies: Callable[[], Mapping[str, str]]) -> list[Entry]:
    """The events as lines, in their order; one query for the names of people. `policies` looks up what the project
    calls its gate policies, by key: asked only where a gate was asked for."""
    events = list(events)
    if any(event["kind"] == "gate.asked" for event in events):
        known = policies()
        events = [_naming(event, known) for event in events]
    people = User.objects.in_bulk({event["data"]["by"] for event in events if "by" in event["data"]})
    names = {pk: called(person.name, person.email) for pk, person in people.items()}
    return [
        Entry(event["seq"], event["at"], event["kind"], sentence(event), names.get(event["data"].get("by"), ""))
        for event in events
    ]


def _naming(event: LoggedEvent, policies: Mapping[str, str]) -> LoggedEvent:
    """The event with what the project calls the policy in it: the log has its key alone."""
    if event["kind"] != "gate.asked":
        return event
    data = event["data"]
    named = data | {"policy_name": policies.get(data["policy"]["key"], "")}
    return LoggedEvent(seq=event["seq"], kind=event["kind"], at=event["at"], data=named)


def remakes(event: LoggedEvent, number: int) -> bool:
    """Whether the event is one of REMADE and about that finding."""
    data = event["data"]
    about = {data.get("number"), *(data[name]["number"] for name in ("into", "rest", "new") if name in data)}
    return event["kind"] in REMADE and number in about


def sentence(event: LoggedEvent) -> str:
    words = SENTENCES.get(event["kind"])
    return words(event["data"]) if words else event["kind"].replace(".", " ").replace("_", " ")


def announcement(events: Iterable[LoggedEvent]) -> str:
    return " ".join(f"{sentence(event)}." for event in events if event["kind"] in ANNOUNCED)


_TASKS = {"brief": "to write the brief", "review": "to review", "opinion": "for an opinion", "summary": "to sum up",
          "certify": "to judge every criterion", "assess": "for its positions",
          "synthesis": "to write up the round", "decision": "to write up the rounds"}  # fmt: skip


def _doing(path: str) -> str:
    stage, _, rest = path.partition("/")
    task = _TASKS.get(stage, "a question")
    return f"{task} (asked again: its answer could not be read)" if "reask" in rest else task


def _asked(data: dict[str, Any]) -> str:
    again = f", try {data['attempt']}" if data["attempt"] > 1 else ""
    return f"{data['letter']} was asked {_doing(data['path'])}{again}"


def _retrying(data: dict[str, Any]) -> str:
    failure = ERRORS.get(data["code"], ERRORS["internal"])
    return f"{data['letter']}: {failure.sentence} Next try in {data['wait_ms'] / 1000:.1f} s"


def _erased_with(why: str) -> str:
    return "by the project's retention" if why == "retention" else f"with the {why}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _finished(data: dict[str, Any]) -> str:
    cost = "price unknown" if data["cost_microcredits"] is None else dollars(data["cost_microcredits"])
    cut = "; the provider read only part of it" if data["read_in_part"] else ""
    tokens = f"{data['prompt_tokens']:,} tokens in, {data['output_tokens']:,} out"
    return f"{data['letter']} answered in {data['milliseconds'] / 1000:.1f} s: {tokens}, {cost}{cut}"


def _submitted(data: dict[str, Any]) -> str:
    parts = [f"{data['letter']} raised {_count(len(data['reports']), 'problem', 'problems')}"]
    if data["rejected"]:
        parts.append(f"{_count(data['rejected'], 'item', 'items')} could not be read")
    if data["partial"]:
        parts.append("there may be more")
    return ", ".join(parts)


def _ranked(data: dict[str, Any]) -> str:
    raised = sum(len(finding["reports"]) for finding in data["findings"])
    reports, findings = _count(raised, "report", "reports"), _count(len(data["findings"]), "finding", "findings")
    return f"{reports} merged into {findings}"


def _labels(numbers: Iterable[int]) -> str:
    return ", ".join(f"F-{number:03d}" for number in numbers)


def _compared(data: dict[str, Any]) -> str:
    still, fixed, unraised = (len(data[name]) for name in ("pairs", "fixed", "unraised"))
    return f"Against the earlier version: {still} still there, {fixed} fixed since, {unraised} not raised again"


def _opinion(data: dict[str, Any]) -> str:
    return f"{data['letter']} on {_labels([data['number']])}: {label('opinion', data['verdict']).lower()}"


def _decided(data: dict[str, Any]) -> str:
    because = f", {label('dismissal', data['because']).lower()}" if data["because"] else ""
    return f"{_labels([data['number']])}: {label('disposition', data['disposition']).lower()}{because}"


def _positions(data: dict[str, Any]) -> str:
    taken = _count(data["taken"], "position", "positions")
    parts = [f"{data['letter']} took {taken} in round {data['round']}"]
    parts += [f"left out {_labels(data['omitted'])}"] if data["omitted"] else []
    parts += [f"added {_count(len(data['reports']), 'problem', 'problems')}"] if data["reports"] else []
    return ", ".join(parts)


def _published(data: dict[str, Any]) -> str:
    return f"Round {data['round']} is published: {agreement_words(data['round'], data['agreement_bp'])}"


def _forked(data: dict[str, Any]) -> str:
    """`Forked after round 2: D joins; B leaves`."""
    moves = (("joining", "joins"), ("leaving", "leaves"))
    facts = [f"{', '.join(data[who])} {what}" for who, what in moves if data[who]]
    facts += [f"{len(data['added'])} more to read"] if data["added"] else []
    after = f" after round {data['rounds']}" if data["rounds"] else ""
    return f"Forked from another session{after}" + (f": {'; '.join(facts)}" if facts else "")


def _decision(data: dict[str, Any]) -> str:
    return f"{label('outcome', data['outcome'])} ({label('ending', data['reason']).lower()}); the decision is written"


def _gate(data: dict[str, Any]) -> str:
    return f"The gate is {label('gate_state', data['state']).lower()}"


def _proposed(data: dict[str, Any]) -> str:
    outcome, at_once = label("gate_outcome", data["verdict"]["outcome"]).lower(), data["state"] == "effective"
    return f"The policy says {outcome}" + (", which takes effect at once" if at_once else "")


def _gate_decided(data: dict[str, Any]) -> str:
    to, waits = label("gate_outcome", data["to"]).lower(), data["state"] == "second_person"
    said = f"{label('gate_act', data['act'])} the gate: {to}"
    return f"{said}, which takes a second person" if waits else f"{said}, in effect in ten minutes"


SENTENCES: dict[str, Words] = {
    "session.created": lambda data: f"Created with {_count(len(data['seats']), 'instance', 'instances')}",
    "session.started": lambda data: "Started",
    "session.fell_back": lambda data: "The task queue could not be reached: this server runs the session itself",
    "session.claimed": lambda data: "A worker took the session",
    "session.recovered": lambda data: (
        f"The worker was lost; another took over, {_count(data['lost'], 'call is', 'calls are')} made again"
    ),
    "session.released": lambda data: (
        f"The worker stopped and gave the session back, {_count(data['lost'], 'call is', 'calls are')} made again"
    ),
    "session.retried": lambda data: "Retried; what was answered is kept",
    "session.parked": lambda data: f"Waits for a person: {data['waiting_for']}",
    "session.answered": lambda data: f"Goes on after {data['waiting_for']}",
    "session.completed": lambda data: f"Completed, {dollars(data['cost_microcredits'])} in all",
    "session.failed": lambda data: f"Failed: {explain(data['code'])}".removesuffix("."),
    "session.cancelled": lambda data: f"Stopped, {_count(data['in_flight'], 'call', 'calls')} given up",
    "session.gave_up": lambda data: f"Its worker was lost {data['recoveries']} times: needs attention",
    "session.erased": lambda data: f"{_count(data['contents'], 'text', 'texts')} erased {_erased_with(data['why'])}",
    "call.started": _asked,
    "call.retrying": _retrying,
    "call.finished": _finished,
    "call.lost": lambda data: f"{data['letter']}: {explain(data['code'])}".removesuffix("."),
    "brief.written": lambda data: f"{data['letter']} wrote the brief",
    "brief.missing": lambda data: f"No brief from {data['letter']}: {explain(data['code'])}".removesuffix("."),
    "reports.submitted": _submitted,
    "instance.replaced": lambda data: (
        f"{data['fallback']} is asked in place of {data['letter']}, whose own model {did(data['code'])}"
    ),
    "instance.missing": lambda data: f"{data['letter']} is missing: {explain(data['code'])}".removesuffix("."),
    "findings.ranked": _ranked,
    "summary.written": lambda data: f"{data['letter']} wrote the summary",
    "summary.missing": lambda data: f"No summary: {explain(data['code'])}".removesuffix("."),
    "replay.drifted": lambda data: "An answer recorded by an earlier version was kept, though its prompt is built anew",
    "findings.compared": _compared,
    "opinions.asked": lambda data: f"A second opinion was asked on {_labels(data['numbers'])}",
    "opinion.given": _opinion,
    "opinion.missing": lambda data: f"{data['letter']} gave no opinion on {_labels([data['number']])}",
    "finding.decided": _decided,
    "finding.regraded": lambda data: (
        f"{_labels([data['number']])} is {label('severity', data['severity']).lower()} now"
    ),
    "finding.joined": lambda data: f"{_labels([data['number']])} was merged into {_labels([data['into']['number']])}",
    "finding.split": lambda data: (
        f"{_labels([data['new']['number']])} was split off {_labels([data['rest']['number']])}"
    ),
    "finding.commented": lambda data: f"A comment on {_labels([data['number']])}",
    "round.opened": lambda data: (
        f"Round {data['round']} asks {_count(len(data['asked']), 'instance', 'instances')}"
        + (f" about {_count(len(data['findings']), 'finding', 'findings')}" if data["findings"] else "")
    ),
    "positions.submitted": _positions,
    "positions.missing": lambda data: (
        f"{data['letter']} is missing in round {data['round']}: {explain(data['code'])}".removesuffix(".")
    ),
    "round.voided": lambda data: f"Too few answered in round {data['round']}; who is missing is asked once more",
    "round.published": _published,
    "decision.written": _decision,
    "gate.asked": lambda data: f"A gate was asked for: {data.get('policy_name') or data['policy']['key']}",
    "gate.withheld": lambda data: f"The gate is withheld: {label('gate_why', data['why']).lower()}",
    "gate.proposed": _proposed,
    "gate.decided": _gate_decided,
    "gate.undone": lambda data: f"A decision was taken back; {_gate(data).lower()}",
    "gate.took_effect": lambda data: f"In effect: {label('gate_outcome', data['outcome']).lower()}",
    "gate.expired": lambda data: "Nobody decided in time",
    "gate.lapsed": lambda data: "The override is over: fail again",
    "attestation.submitted": lambda data: f"{data['letter']}: {label('instance_verdict', data['verdict']).lower()}",
    "verdict.reached": lambda data: f"Verdict: {label('outcome', data['outcome']).lower()}",
    "certificate.issued": lambda data: "The certificate was issued",
    "certificate.superseded": lambda data: "The certificate is superseded: what it is about has a newer version",
    "session.forked": _forked,
    "session.reused": lambda data: "The recorded result of the same session is taken: nothing is asked, nothing paid",
    "cap.reached": lambda data: f"The {data['cap']} cap was reached at {dollars(data['microcredits'])}",
}
