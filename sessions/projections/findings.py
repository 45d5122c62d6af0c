"""What instances reported, what it was merged into, and what became of that."""

import uuid
from typing import Any

from sessions.models import Finding, FindingComment, Opinion, Report
from sessions.projections.changes import Change, Occurred, Patch, Put, seat


def report_pk(session_code: uuid.UUID, letter: str, ordinal: int | str) -> uuid.UUID:
    return uuid.uuid5(session_code, f"report-{letter}-{ordinal}")


def finding_pk(session_code: uuid.UUID, number: int) -> uuid.UUID:
    return uuid.uuid5(session_code, f"finding-{number}")


def reports_submitted(event: Occurred) -> list[Change]:
    data = event.data
    done = seat(event, "done", partial=data["partial"], read_in_part=data["read_in_part"], error_code="")
    return [*reports(event, data["words"]), done]


def reports(event: Occurred, words: dict[str, str]) -> list[Change]:
    """One row for each report of the event; `words` refers to the text of them all."""
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
    return [Put(Opinion, pk, {**base, **fields}), seat(event, "done")]


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
