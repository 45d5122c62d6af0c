"""A session, its calls, its limits."""

import uuid
from typing import Annotated

from pydantic import StringConstraints

from sessions.events.data import Code, Data, Letter, TextRef

ModelId = Annotated[str, StringConstraints(max_length=100)]


class SeatData(Data):
    id: uuid.UUID
    letter: Letter
    role: Code
    model_id: ModelId
    simulated: bool
    fallback: ModelId = ""


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


class SessionReused(Data):
    """The recorded answers of another session with the same input are taken: nothing is asked, nothing paid."""

    session: uuid.UUID


class SessionForked(Data):
    """`rounds` of another session are taken as they were, 0 for a kind without rounds; after them these instances join
    or leave, and the artifact versions `added` are read, too."""

    session: uuid.UUID
    rounds: int
    joining: list[Letter]
    leaving: list[Letter]
    added: list[uuid.UUID]


class CapReached(Data):
    cap: Code
    microcredits: int


class InstanceReplaced(Data):
    """The instance's own model `model_id` failed with `code` at `path`; its `fallback` is asked there."""

    letter: Letter
    path: Code
    model_id: ModelId
    fallback: ModelId
    code: Code


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
    "instance.replaced": InstanceReplaced,
    "session.reused": SessionReused,
    "session.forked": SessionForked,
    "cap.reached": CapReached,
    "replay.drifted": ReplayDrifted,
}
