"""What becomes of a session and of its instances."""

import uuid

from sessions.models import Participant, Session
from sessions.projections.changes import Change, Occurred, Patch, seat

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
    return [seat(event, STAGES.get(event.data["path"].partition("/")[0], "thinking"))]


def call_retrying(event: Occurred) -> list[Change]:
    return [seat(event, "retrying", error_code=event.data["code"])]


def call_finished(event: Occurred) -> list[Change]:
    return [seat(event, "answered", error_code="")]


def call_lost(event: Occurred) -> list[Change]:
    """Only a review that is lost leaves a seat without an answer, and `instance.missing` says so."""
    stage = event.data["path"].partition("/")[0]
    states = {"brief": "waiting", "summary": "done", "synthesis": "done", "decision": "done", "opinion": "done"}
    return [seat(event, states[stage])] if stage in states else []


def instance_missing(event: Occurred) -> list[Change]:
    return [seat(event, "missing", error_code=event.data["code"])]


def summary_written(event: Occurred) -> list[Change]:
    ref = uuid.UUID(event.data["summary"]["id"])
    return [Patch(Session, {"id": event.session_id}, {"summary_id": ref}), seat(event, "done", error_code="")]
