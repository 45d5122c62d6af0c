"""Positions, the rounds they are published with, and the decision."""

import uuid

from sessions.models import ArtifactVersion, Position, Round, Session
from sessions.projections.changes import Change, Occurred, Patch, Put, seat
from sessions.projections.findings import reports


def round_pk(session_code: uuid.UUID, generation: int, number: int) -> uuid.UUID:
    return uuid.uuid5(session_code, f"round-{generation}-{number}")


def decision_pk(session_code: uuid.UUID, digest: str) -> uuid.UUID:
    return uuid.uuid5(session_code, f"decision-{digest}")


def positions_submitted(event: Occurred) -> list[Change]:
    """The positions themselves become rows with their round, when it is complete."""
    raised = event.data["raised"]
    return [*(reports(event, raised) if raised else []), seat(event, "done", error_code="")]


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
