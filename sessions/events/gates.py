"""What a gate goes through."""

import uuid

from sessions.events.data import Code, Data, Letter, TextRef


class PolicyData(Data):
    key: Code
    version: int
    block_severity: Code
    min_confidence: Code
    automatic: bool
    two_people: bool
    hours: int


class ReasonData(Data):
    code: Code
    findings: list[int] = []
    letters: list[Letter] = []


class VerdictData(Data):
    outcome: Code
    reasons: list[ReasonData] = []
    needs_person: list[ReasonData] = []
    two_people: bool = False


class GateMoved(Data):
    """What every event of a gate says: the state it is in now, the outcome that counts downstream, empty for none, and
    its `revision`, which grows with each of them."""

    state: Code
    outcome: Code
    revision: int


class GateAsked(GateMoved):
    """Somebody wants a verdict by this policy. `why` it is not there yet."""

    by: int
    policy: PolicyData
    why: Code


class GateWithheld(GateMoved):
    why: Code


class GateProposed(GateMoved):
    """The policy's verdict on the evidence with this digest; `because` when it took effect at once."""

    version: int
    verdict: VerdictData
    digest: Code
    because: Code = ""
    hours: int


class GateDecided(GateMoved):
    """By a person who was shown `shown`. `part`: alone, or the first or second of two. `origin` is the state it began
    in. An override holds for `hours`, null for ever, and names the reasons it overrides. A decision that waits for a
    second person does so for `waits` hours, null as long as the gate did."""

    id: uuid.UUID
    version: int
    act: Code
    part: Code
    was: Code
    to: Code
    by: int
    shown: Code
    self_approved: bool = False
    origin: Code
    scope: list[ReasonData] = []
    hours: int | None = None
    waits: int | None = None
    reason: TextRef | None = None


class GateUndone(GateMoved):
    """Whoever decided took it back; null: may not decide here any more, and it had not taken effect."""

    by: int | None


class GateTookEffect(GateMoved):
    """A decision did, `late` seconds before this was written down; an override holds for `hours` from then."""

    because: Code
    hours: int | None = None
    late: int = 0


class GateExpired(GateMoved):
    """Nobody decided in time, or no second person did."""


class GateLapsed(GateMoved):
    """The time of an override is over."""


KINDS: dict[str, type[Data]] = {
    "gate.asked": GateAsked,
    "gate.withheld": GateWithheld,
    "gate.proposed": GateProposed,
    "gate.decided": GateDecided,
    "gate.undone": GateUndone,
    "gate.took_effect": GateTookEffect,
    "gate.expired": GateExpired,
    "gate.lapsed": GateLapsed,
}
