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


class SessionReleased(Data):
    """A worker that stops gave the session back. `lost` counts attempts that are given up."""

    fence: int
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
    """`problem` says why a later phase came to nothing; the result of the first stands."""

    outcome: Code
    reason: Code
    cost_microcredits: int
    problem: Code = ""


class SessionFailed(Data):
    code: Code
    cost_microcredits: int


class SessionCancelled(Data):
    by: int
    in_flight: int


class SessionGaveUp(Data):
    recoveries: int


class SessionErased(Data):
    """The words are gone; ids, digests and numbers stay. `why` is session, artifact, project or retention."""

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


class CutSource(Data):
    """An instance read only the first `lines` whole lines of `total`."""

    source: uuid.UUID
    lines: int
    total: int


class ReportsSubmitted(Data):
    """`examined` is what the instance says of its own coverage."""

    letter: Letter
    reports: list[ReportData]
    partial: bool
    read_in_part: bool
    rejected: int = 0
    cut: list[CutSource] = []
    words: TextRef
    examined: TextRef | None = None


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
    fingerprint: Code = ""


class FindingsRanked(Data):
    findings: list[FindingData]
    merged: list[int] = []


class SummaryWritten(Data):
    letter: Letter
    summary: TextRef
    unknown: list[Code] = []


class SummaryMissing(Data):
    code: Code


class SamePair(Data):
    number: int
    earlier: int


class CarriedDismissal(Data):
    number: int
    because: Code


class FindingsCompared(Data):
    """With the session this one continues: `fixed` and `unraised` are its numbers."""

    pairs: list[SamePair]
    dismissed: list[CarriedDismissal]
    fixed: list[int]
    unraised: list[int]


class OpinionsAsked(Data):
    by: int
    numbers: list[int]
    generation: int


class OpinionGiven(Data):
    number: int
    letter: Letter
    verdict: Code
    verified: bool
    words: TextRef


class OpinionMissing(Data):
    number: int
    letter: Letter
    code: Code


class FindingDecided(Data):
    """By a person. `revision` of a finding grows with everything people change."""

    number: int
    disposition: Code
    because: Code = ""
    by: int
    revision: int


class FindingRegraded(Data):
    number: int
    severity: Code
    by: int
    revision: int


class Grouped(Data):
    """A finding as it stands after a person moved reports."""

    number: int
    rank: int
    severity: Code
    disputed: bool
    verified: bool
    canonical: Code
    reports: list[Code]
    raised_by: list[Letter]
    fingerprint: Code
    revision: int


class FindingJoined(Data):
    """`number` is gone: its reports are in `into` now."""

    number: int
    revision: int
    into: Grouped
    by: int


class FindingSplit(Data):
    """Some reports of `rest` are the finding `new` now."""

    rest: Grouped
    new: Grouped
    by: int


class FindingCommented(Data):
    id: uuid.UUID
    number: int
    comment: TextRef
    by: int


class SessionReused(Data):
    """The recorded answers of another session with the same input are taken: nothing is asked, nothing paid."""

    session: uuid.UUID


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
    "session.released": SessionReleased,
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
    "findings.compared": FindingsCompared,
    "opinions.asked": OpinionsAsked,
    "opinion.given": OpinionGiven,
    "opinion.missing": OpinionMissing,
    "finding.decided": FindingDecided,
    "finding.regraded": FindingRegraded,
    "finding.joined": FindingJoined,
    "finding.split": FindingSplit,
    "finding.commented": FindingCommented,
    "session.reused": SessionReused,
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
