"""The event log: what may be said, and how it is chained.

Kinds are dotted past tense, each with a declared schema that refuses extra fields. Data holds ids, digests, codes and
whole numbers; a text is named as `{"id": ..., "digest": ...}`. Only actions, the runner and the journal append.
"""

import hashlib
import uuid
from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Code = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_.:/+-]*$")]
Letter = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}$")]


class Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class TextRef(Data):
    id: uuid.UUID
    digest: Code


class SeatData(Data):
    id: uuid.UUID
    letter: Letter
    role: Code
    model_id: Annotated[str, StringConstraints(max_length=100)]
    simulated: bool


class SessionCreated(Data):
    kind: Code
    by: int
    seats: list[SeatData]
    sources: list[uuid.UUID]


class SessionStarted(Data):
    by: int
    engine: Code
    spec: TextRef
    generation: int


class SessionFellBack(Data):
    """The engine asked for could not be reached; `engine` carries the session instead."""

    engine: Code
    why: Code


class SessionClaimed(Data):
    fence: int


class SessionRecovered(Data):
    """A worker died; another took over. `lost` counts attempts nobody will ever hear of."""

    fence: int
    recoveries: int
    lost: int


class SessionRetried(Data):
    """`missing` seats get another chance."""

    by: int
    generation: int
    missing: list[Letter] = []


class SessionParked(Data):
    waiting_for: Code


class SessionAnswered(Data):
    by: int
    waiting_for: Code


class SessionCompleted(Data):
    outcome: Code
    reason: Code
    cost_microcredits: int


class SessionFailed(Data):
    code: Code
    cost_microcredits: int


class SessionCancelled(Data):
    by: int
    in_flight: int


class SessionGaveUp(Data):
    recoveries: int


class SessionErased(Data):
    """The words are gone; ids, digests and numbers stay. `why` is session, artifact or project."""

    by: int
    why: Code
    contents: int


class CallStarted(Data):
    letter: Letter
    path: Code
    attempt: int


class CallRetrying(Data):
    letter: Letter
    path: Code
    attempt: int
    code: Code
    wait_ms: int


class CallFinished(Data):
    letter: Letter
    path: Code
    attempt: int
    prompt_tokens: int
    output_tokens: int
    cost_microcredits: int | None
    milliseconds: int
    output: TextRef
    read_in_part: bool = False


class CallLost(Data):
    letter: Letter
    path: Code
    code: Code


class BriefWritten(Data):
    letter: Letter
    brief: TextRef


class BriefMissing(Data):
    letter: Letter
    code: Code


class ReportData(Data):
    ordinal: int
    severity: Code
    family: Code
    confidence: Annotated[int, Field(ge=0, le=100)]
    verified: bool
    flags: list[Code] = []
    source: uuid.UUID | None
    start_line: int | None
    end_line: int | None


class ReportsSubmitted(Data):
    letter: Letter
    reports: list[ReportData]
    partial: bool
    read_in_part: bool
    rejected: int = 0
    words: TextRef


class InstanceMissing(Data):
    letter: Letter
    code: Code


class FindingData(Data):
    number: int
    severity: Code
    disputed: bool
    verified: bool
    canonical: Code
    reports: list[Code]
    raised_by: list[Letter]


class FindingsRanked(Data):
    findings: list[FindingData]
    merged: list[int] = []


class SummaryWritten(Data):
    letter: Letter
    summary: TextRef
    unknown: list[Code] = []


class SummaryMissing(Data):
    code: Code


class CapReached(Data):
    cap: Code
    microcredits: int


class ReplayDrifted(Data):
    """A recorded answer met a prompt that a newer version builds differently. The answer was used all the same."""

    path: Code
    recorded_by: Code


KINDS: dict[str, type[Data]] = {
    "session.created": SessionCreated,
    "session.started": SessionStarted,
    "session.fell_back": SessionFellBack,
    "session.claimed": SessionClaimed,
    "session.recovered": SessionRecovered,
    "session.retried": SessionRetried,
    "session.parked": SessionParked,
    "session.answered": SessionAnswered,
    "session.completed": SessionCompleted,
    "session.failed": SessionFailed,
    "session.cancelled": SessionCancelled,
    "session.gave_up": SessionGaveUp,
    "session.erased": SessionErased,
    "call.started": CallStarted,
    "call.retrying": CallRetrying,
    "call.finished": CallFinished,
    "call.lost": CallLost,
    "brief.written": BriefWritten,
    "brief.missing": BriefMissing,
    "reports.submitted": ReportsSubmitted,
    "instance.missing": InstanceMissing,
    "findings.ranked": FindingsRanked,
    "summary.written": SummaryWritten,
    "summary.missing": SummaryMissing,
    "cap.reached": CapReached,
    "replay.drifted": ReplayDrifted,
}


def checked(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """`data` as it will be stored. Raises KeyError for an unknown kind, pydantic.ValidationError for bad data."""
    return KINDS[kind].model_validate(data).model_dump(mode="json")


def canonical(seq: int, kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    """The text the chain is computed over: sorted keys, whole numbers, UTC to the microsecond."""
    return orjson.dumps([seq, kind, at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), data], option=orjson.OPT_SORT_KEYS)


def link(previous: str, seq: int, kind: str, at: datetime, data: dict[str, Any]) -> str:
    """SHA-256 over the previous digest and this event."""
    return hashlib.sha256(previous.encode() + b"\n" + canonical(seq, kind, at, data)).hexdigest()


def text_ref(content_id: uuid.UUID, digest: str) -> dict[str, str]:
    return {"id": str(content_id), "digest": digest}


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
