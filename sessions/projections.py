"""Rows that follow from events, one function per kind.

`project(event)` names the changes; whoever appends the event writes them in the same transaction (`sessions.writer`,
`sessions.actions.log`). Functions are pure: the same log always gives the same rows, which `verify_timeline` checks
by folding the whole log again.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from sessions.models import Finding, Participant, Report, Session


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


def finding_pk(session_code: uuid.UUID, number: int) -> uuid.UUID:
    return uuid.uuid5(session_code, f"finding-{number}")


def _seat(event: Occurred, state: str, **fields: Any) -> Patch:
    by = {"session_id": event.session_id, "letter": event.data["letter"]}
    return Patch(Participant, by, {"state": state, "state_at": event.at, **fields})


def session_retried(event: Occurred) -> list[Change]:
    fields = {"state": "waiting", "state_at": event.at, "error_code": ""}
    return [
        Patch(Participant, {"session_id": event.session_id, "letter": letter}, fields)
        for letter in event.data["missing"]
    ]


def call_started(event: Occurred) -> list[Change]:
    return [_seat(event, "summing_up" if event.data["path"].startswith("summary") else "thinking")]


def call_retrying(event: Occurred) -> list[Change]:
    return [_seat(event, "retrying", error_code=event.data["code"])]


def call_finished(event: Occurred) -> list[Change]:
    return [_seat(event, "answered", error_code="")]


def call_lost(event: Occurred) -> list[Change]:
    """Only a review that is lost leaves a seat without an answer, and `instance.missing` says so."""
    stage = event.data["path"].partition("/")[0]
    states = {"brief": "waiting", "summary": "done"}
    return [_seat(event, states[stage])] if stage in states else []


def reports_submitted(event: Occurred) -> list[Change]:
    data, letter = event.data, event.data["letter"]
    rows: list[Change] = [
        Put(
            Report,
            report_pk(event.session_code, letter, item["ordinal"]),
            {
                "session_id": event.session_id,
                "letter": letter,
                "ordinal": item["ordinal"],
                "content_id": uuid.UUID(data["words"]["id"]),
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
        for item in data["reports"]
    ]
    done = _seat(event, "done", partial=data["partial"], read_in_part=data["read_in_part"], error_code="")
    return [*rows, done]


def instance_missing(event: Occurred) -> list[Change]:
    return [_seat(event, "missing", error_code=event.data["code"])]


def findings_ranked(event: Occurred) -> list[Change]:
    changes: list[Change] = []
    for rank, item in enumerate(event.data["findings"], start=1):
        pk = finding_pk(event.session_code, item["number"])
        changes.append(
            Put(
                Finding,
                pk,
                {
                    "session_id": event.session_id,
                    "number": item["number"],
                    "rank": rank,
                    "canonical_id": report_pk(event.session_code, *item["canonical"].split("-")),
                    "severity": item["severity"],
                    "severity_disputed": item["disputed"],
                    "evidence_verified": item["verified"],
                    "raised_by": item["raised_by"],
                    "status": "open",
                },
            )
        )
        for name in item["reports"]:
            changes.append(Patch(Report, {"id": report_pk(event.session_code, *name.split("-"))}, {"finding_id": pk}))
    for number in event.data["merged"]:
        changes.append(Patch(Finding, {"id": finding_pk(event.session_code, number)}, {"status": "merged"}))
    return changes


def summary_written(event: Occurred) -> list[Change]:
    ref = uuid.UUID(event.data["summary"]["id"])
    return [Patch(Session, {"id": event.session_id}, {"summary_id": ref}), _seat(event, "done", error_code="")]


PROJECTIONS: dict[str, Callable[[Occurred], list[Change]]] = {
    "session.retried": session_retried,
    "call.started": call_started,
    "call.retrying": call_retrying,
    "call.finished": call_finished,
    "call.lost": call_lost,
    "reports.submitted": reports_submitted,
    "instance.missing": instance_missing,
    "findings.ranked": findings_ranked,
    "summary.written": summary_written,
}


def project(event: Occurred) -> list[Change]:
    """What `event` changes. Kinds without a projection change nothing."""
    projection = PROJECTIONS.get(event.kind)
    return projection(event) if projection else []
