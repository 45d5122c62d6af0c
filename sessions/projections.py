"""Rows that follow from events, one function per kind.

`project(event)` names the changes; whoever appends the event writes them in the same transaction (`sessions.writer`,
`sessions.actions.log`). Functions are pure: the same log always gives the same rows, which `verify_timeline` checks
by folding the whole log again.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from sessions.gate_states import UNDO_WINDOW
from sessions.models import (
    ArtifactVersion,
    Attestation,
    Certificate,
    Finding,
    FindingComment,
    Gate,
    GateDecision,
    Opinion,
    Participant,
    Position,
    Report,
    Round,
    Session,
)


@dataclass(frozen=True, slots=True)
class Put:
    """Insert the row, or overwrite its fields when it is there."""

    model: type[models.Model]
    pk: Any
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """Set fields of one existing row. `by` names the columns that find it."""

    model: type[models.Model]
    by: dict[str, Any]
    fields: dict[str, Any]


Change = Put | Patch


@dataclass(frozen=True, slots=True)
class Occurred:
    """An event as projections see it."""

    session_id: int
    session_code: uuid.UUID
    kind: str
    data: dict[str, Any]
    at: datetime


def report_pk(session_code: uuid.UUID, letter: str, ordinal: int | str) -> uuid.UUID:
    return uuid.uuid5(session_code, f"report-{letter}-{ordinal}")


def round_pk(session_code: uuid.UUID, generation: int, number: int) -> uuid.UUID:
    return uuid.uuid5(session_code, f"round-{generation}-{number}")


def finding_pk(session_code: uuid.UUID, number: int) -> uuid.UUID:
    return uuid.uuid5(session_code, f"finding-{number}")


def _seat(event: Occurred, state: str, **fields: Any) -> Patch:
    by = {"session_id": event.session_id, "letter": event.data["letter"]}
    return Patch(Participant, by, {"state": state, "state_at": event.at, **fields})


# What an instance does while a call of that stage is open.
STAGES = {
    "summary": "summing_up",
    "synthesis": "summing_up",
    "decision": "summing_up",
    "opinion": "judging",
    "assess": "judging",
}


def session_retried(event: Occurred) -> list[Change]:
    fields = {"state": "waiting", "state_at": event.at, "error_code": ""}
    return [
        Patch(Participant, {"session_id": event.session_id, "letter": letter}, fields)
        for letter in event.data["missing"]
    ]


def call_started(event: Occurred) -> list[Change]:
    return [_seat(event, STAGES.get(event.data["path"].partition("/")[0], "thinking"))]


def call_retrying(event: Occurred) -> list[Change]:
    return [_seat(event, "retrying", error_code=event.data["code"])]


def call_finished(event: Occurred) -> list[Change]:
    return [_seat(event, "answered", error_code="")]


def call_lost(event: Occurred) -> list[Change]:
    """Only a review that is lost leaves a seat without an answer, and `instance.missing` says so."""
    stage = event.data["path"].partition("/")[0]
    states = {"brief": "waiting", "summary": "done", "synthesis": "done", "decision": "done", "opinion": "done"}
    return [_seat(event, states[stage])] if stage in states else []


def reports_submitted(event: Occurred) -> list[Change]:
    data = event.data
    done = _seat(event, "done", partial=data["partial"], read_in_part=data["read_in_part"], error_code="")
    return [*_reports(event, data["words"]), done]


def _reports(event: Occurred, words: dict[str, str]) -> list[Change]:
    letter = event.data["letter"]
    return [
        Put(
            Report,
            report_pk(event.session_code, letter, item["ordinal"]),
            {
                "session_id": event.session_id,
                "letter": letter,
                "ordinal": item["ordinal"],
                "content_id": uuid.UUID(words["id"]),
                "severity": item["severity"],
                "family": item["family"],
                "confidence": item["confidence"],
                "evidence_verified": item["verified"],
                "flags": item["flags"],
                "source_id": uuid.UUID(item["source"]) if item["source"] else None,
                "start_line": item["start_line"],
                "end_line": item["end_line"],
            },
        )
        for item in event.data["reports"]
    ]


def instance_missing(event: Occurred) -> list[Change]:
    return [_seat(event, "missing", error_code=event.data["code"])]


def findings_ranked(event: Occurred) -> list[Change]:
    """What people decided about a finding stays."""
    changes: list[Change] = []
    for rank, item in enumerate(event.data["findings"], start=1):
        changes += _grouped(event, {**item, "rank": rank})
    for number in event.data["merged"]:
        changes.append(Patch(Finding, {"id": finding_pk(event.session_code, number)}, {"status": "merged"}))
    return changes


def _grouped(event: Occurred, item: dict[str, Any], **more: Any) -> list[Change]:
    pk = finding_pk(event.session_code, item["number"])
    fields = {
        "session_id": event.session_id,
        "number": item["number"],
        "rank": item["rank"],
        "canonical_id": report_pk(event.session_code, *item["canonical"].split("-")),
        "severity": item["severity"],
        "severity_disputed": item["disputed"],
        "evidence_verified": item["verified"],
        "raised_by": item["raised_by"],
        "fingerprint": item.get("fingerprint", ""),
        "status": "open",
        **more,
    }
    moved = [
        Patch(Report, {"id": report_pk(event.session_code, *name.split("-"))}, {"finding_id": pk})
        for name in item["reports"]
    ]
    return [Put(Finding, pk, fields), *moved]


def _finding(event: Occurred, number: int, **fields: Any) -> Patch:
    return Patch(Finding, {"id": finding_pk(event.session_code, number)}, fields)


def findings_compared(event: Occurred) -> list[Change]:
    pairs = [_finding(event, pair["number"], earlier_number=pair["earlier"]) for pair in event.data["pairs"]]
    carried = {"disposition": "dismissed", "carried": True, "decided_by_id": None, "decided_at": None}
    dismissed = [
        _finding(event, item["number"], dismissed_because=item["because"], **carried)
        for item in event.data["dismissed"]
    ]
    return [*pairs, *dismissed]


def finding_decided(event: Occurred) -> list[Change]:
    data = event.data
    return [
        _finding(
            event,
            data["number"],
            disposition=data["disposition"],
            dismissed_because=data["because"],
            decided_by_id=data["by"],
            decided_at=event.at,
            carried=False,
            revision=data["revision"],
        )
    ]


def finding_regraded(event: Occurred) -> list[Change]:
    data = event.data
    return [_finding(event, data["number"], person_severity=data["severity"], revision=data["revision"])]


def finding_joined(event: Occurred) -> list[Change]:
    into, data = event.data["into"], event.data
    pk = finding_pk(event.session_code, into["number"])
    gone = _finding(event, data["number"], status="merged", merged_into_id=pk, revision=data["revision"])
    return [*_grouped(event, into, revision=into["revision"]), gone]


def finding_split(event: Occurred) -> list[Change]:
    return [
        change
        for item in (event.data["rest"], event.data["new"])
        for change in _grouped(event, item, revision=item["revision"])
    ]


def finding_commented(event: Occurred) -> list[Change]:
    fields = {
        "session_id": event.session_id,
        "number": event.data["number"],
        "by_id": event.data["by"],
        "at": event.at,
        "content_id": uuid.UUID(event.data["comment"]["id"]),
    }
    return [Put(FindingComment, uuid.UUID(event.data["id"]), fields)]


def _opinion(event: Occurred, **fields: Any) -> list[Change]:
    number, letter = event.data["number"], event.data["letter"]
    pk = uuid.uuid5(event.session_code, f"opinion-{number}-{letter}")
    base = {"session_id": event.session_id, "number": number, "letter": letter}
    return [Put(Opinion, pk, {**base, **fields}), _seat(event, "done")]


def opinion_given(event: Occurred) -> list[Change]:
    data = event.data
    return _opinion(
        event,
        verdict=data["verdict"],
        evidence_verified=data["verified"],
        error_code="",
        content_id=uuid.UUID(data["words"]["id"]),
    )


def opinion_missing(event: Occurred) -> list[Change]:
    return _opinion(event, verdict="missing", evidence_verified=False, error_code=event.data["code"], content_id=None)


def summary_written(event: Occurred) -> list[Change]:
    ref = uuid.UUID(event.data["summary"]["id"])
    return [Patch(Session, {"id": event.session_id}, {"summary_id": ref}), _seat(event, "done", error_code="")]


def gate_pk(session_code: uuid.UUID) -> uuid.UUID:
    return uuid.uuid5(session_code, "gate")


_UNJUDGED: dict[str, Any] = {
    "verdict": {}, "evidence_digest": "", "judged_at": None, "expires_at": None, "override_until": None,
}  # fmt: skip
_UNDECIDED: dict[str, Any] = {
    "origin": "", "to": "", "act": "", "hours": None, "decided_by_id": None, "seconded_by_id": None,
    "effective_at": None,
}  # fmt: skip


def _moved(event: Occurred, **fields: Any) -> dict[str, Any]:
    return {name: event.data[name] for name in ("state", "outcome", "revision")} | fields


def _gate(event: Occurred, **fields: Any) -> list[Change]:
    return [Patch(Gate, {"id": gate_pk(event.session_code)}, _moved(event, **fields))]


def gate_asked(event: Occurred) -> list[Change]:
    asked = {"session_id": event.session_id, "policy": event.data["policy"], "why": event.data["why"]}
    fields = _moved(event, **asked, **_UNJUDGED, **_UNDECIDED)
    return [Put(Gate, gate_pk(event.session_code), fields)]


def gate_withheld(event: Occurred) -> list[Change]:
    return _gate(event, why=event.data["why"], expires_at=None, override_until=None, **_UNDECIDED)


def gate_proposed(event: Occurred) -> list[Change]:
    data = event.data
    return _gate(
        event,
        version=data["version"],
        verdict=data["verdict"],
        evidence_digest=data["digest"],
        judged_at=event.at,
        because=data["because"],
        expires_at=None if data["state"] == "effective" else event.at + timedelta(hours=data["hours"]),
    )


def gate_decided(event: Occurred) -> list[Change]:
    data = event.data
    copied = ("version", "revision", "act", "part", "was", "to", "shown", "self_approved", "scope", "hours")
    fields = {name: data[name] for name in copied} | {
        "gate_id": gate_pk(event.session_code),
        "by_id": data["by"],
        "at": event.at,
        "reason_id": uuid.UUID(data["reason"]["id"]) if data["reason"] else None,
    }
    return [Put(GateDecision, uuid.UUID(data["id"]), fields), *_gate(event, **_open_decision(event))]


def _open_decision(event: Occurred) -> dict[str, Any]:
    data = event.data
    if data["part"] == "second" and data["act"] == "approve":
        return {"seconded_by_id": data["by"], "effective_at": event.at + UNDO_WINDOW}
    fields = {name: data[name] for name in ("to", "act", "hours", "origin")} | {"decided_by_id": data["by"]}
    if data["part"] != "first":
        return fields | {"seconded_by_id": None, "effective_at": event.at + UNDO_WINDOW}
    late = {} if data["waits"] is None else {"expires_at": event.at + timedelta(hours=data["waits"])}
    return fields | late


def gate_undone(event: Occurred) -> list[Change]:
    return _gate(event, **_UNDECIDED)


def gate_took_effect(event: Occurred) -> list[Change]:
    hours = event.data["hours"]
    until = None if hours is None else event.at + timedelta(hours=hours)
    return _gate(event, because=event.data["because"], override_until=until, expires_at=None, **_UNDECIDED)


def gate_expired(event: Occurred) -> list[Change]:
    because = {"because": "approval_expired"} if event.data["state"] == "expired" else {}
    return _gate(event, expires_at=None, **because, **_UNDECIDED)


def gate_lapsed(event: Occurred) -> list[Change]:
    return _gate(event, because="override_expired", override_until=None)


def positions_submitted(event: Occurred) -> list[Change]:
    """The positions themselves become rows with their round, when it is complete."""
    raised = event.data["raised"]
    return [*(_reports(event, raised) if raised else []), _seat(event, "done", error_code="")]


def round_published(event: Occurred) -> list[Change]:
    data, pk = event.data, round_pk(event.session_code, event.data["generation"], event.data["round"])
    copied = ("generation", "mode", "attempt", "definition", "answered", "empty_lists", "about", "missing",
              "quorum", "agreement_bp", "same_set_bp", "stability_bp", "findings", "closed", "cost_microcredits",
              "writer", "seal")  # fmt: skip
    fields = {name: data[name] for name in copied} | {
        "session_id": event.session_id,
        "number": data["round"],
        "words_id": uuid.UUID(data["words"]["id"]),
        "synthesis_id": uuid.UUID(data["synthesis"]["id"]) if data["synthesis"] else None,
        "published_at": event.at,
    }
    base = {"session_id": event.session_id, "round_id": pk}
    taken: list[Change] = [
        Put(Position, uuid.uuid5(pk, str(ordinal)), {**base, "ordinal": ordinal, **position})
        for ordinal, position in enumerate(data["positions"])
    ]
    return [Put(Round, pk, fields), *taken]


def decision_written(event: Occurred) -> list[Change]:
    """The decision as a version of its artifact; a retry that comes to the same words makes no other one."""
    data, document = event.data, event.data["decision"]
    changes: list[Change] = []
    if data["artifact"]:
        fields = {
            "artifact_id": data["artifact"],
            "number": data["generation"] + 1,
            "content_id": uuid.UUID(document["id"]),
            "digest": document["digest"],
            "lines": data["lines"],
        }
        changes.append(Put(ArtifactVersion, decision_pk(event.session_code, document["digest"]), fields))
    if data["summary"]:
        summary = uuid.UUID(data["summary"]["id"])
        changes.append(Patch(Session, {"id": event.session_id}, {"summary_id": summary}))
    return changes


def decision_pk(session_code: uuid.UUID, digest: str) -> uuid.UUID:
    return uuid.uuid5(session_code, f"decision-{digest}")


def attestation_submitted(event: Occurred) -> list[Change]:
    data, letter = event.data, event.data["letter"]
    copied = ("own", "derived", "verdict", "mismatch", "answers")
    fields = {"session_id": event.session_id, "letter": letter, "content_id": uuid.UUID(data["words"]["id"])}
    row = Put(
        Attestation,
        uuid.uuid5(event.session_code, f"attestation-{letter}"),
        fields | {name: data[name] for name in copied},
    )
    return [row, _seat(event, "done", partial=data["partial"], read_in_part=data["read_in_part"], error_code="")]


def certificate_issued(event: Occurred) -> list[Change]:
    document = event.data["certificate"]
    fields = {"session_id": event.session_id, "content_id": uuid.UUID(document["id"]), "digest": document["digest"]}
    pk = uuid.uuid5(event.session_code, f"certificate-{document['digest']}")
    return [Put(Certificate, pk, fields | {"issued_at": event.at})]


PROJECTIONS: dict[str, Callable[[Occurred], list[Change]]] = {
    "session.retried": session_retried,
    "call.started": call_started,
    "call.retrying": call_retrying,
    "call.finished": call_finished,
    "call.lost": call_lost,
    "reports.submitted": reports_submitted,
    "instance.missing": instance_missing,
    "findings.ranked": findings_ranked,
    "findings.compared": findings_compared,
    "opinion.given": opinion_given,
    "opinion.missing": opinion_missing,
    "finding.decided": finding_decided,
    "finding.regraded": finding_regraded,
    "finding.joined": finding_joined,
    "finding.split": finding_split,
    "finding.commented": finding_commented,
    "summary.written": summary_written,
    "positions.submitted": positions_submitted,
    "positions.missing": instance_missing,
    "round.published": round_published,
    "decision.written": decision_written,
    "attestation.submitted": attestation_submitted,
    "certificate.issued": certificate_issued,
    "gate.asked": gate_asked,
    "gate.withheld": gate_withheld,
    "gate.proposed": gate_proposed,
    "gate.decided": gate_decided,
    "gate.undone": gate_undone,
    "gate.took_effect": gate_took_effect,
    "gate.expired": gate_expired,
    "gate.lapsed": gate_lapsed,
}


def project(event: Occurred) -> list[Change]:
    """What `event` changes. Kinds without a projection change nothing."""
    projection = PROJECTIONS.get(event.kind)
    return projection(event) if projection else []
