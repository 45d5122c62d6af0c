"""The gate of a session, and who decided what about it."""

import uuid
from datetime import timedelta
from typing import Any

from sessions.gate_states import UNDO_WINDOW
from sessions.models import Gate, GateDecision
from sessions.projections.changes import Change, Occurred, Patch, Put


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
    hours, begun = event.data["hours"], event.at - timedelta(seconds=event.data.get("late", 0))
    until = None if hours is None else begun + timedelta(hours=hours)
    return _gate(event, because=event.data["because"], override_until=until, expires_at=None, **_UNDECIDED)


def gate_expired(event: Occurred) -> list[Change]:
    because = {"because": "approval_expired"} if event.data["state"] == "expired" else {}
    return _gate(event, expires_at=None, **because, **_UNDECIDED)


def gate_lapsed(event: Occurred) -> list[Change]:
    return _gate(event, because="override_expired", override_until=None)
