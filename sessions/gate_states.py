"""The life of a gate, as one table.

A gate is withheld while there is nothing to decide on: its session still runs, or the evidence changed since it was
judged. Judged, it is pending until somebody decides, or effective at once where the policy says so. Some decisions take
a second person. What was decided can be undone for ten minutes, then it takes effect. Nobody deciding in time is a
fail. An effective or expired gate is left only by an override, by its end, or by other evidence.

`origin` is where an open decision began and where undoing it leads back to. Only the outcome of `outcome_after` counts
downstream; it is empty while there is none. A fail stays until something else takes effect.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

STATES = ("withheld", "pending", "second_person", "decided", "effective", "expired")
WAITING = ("pending", "second_person")  # for a person
UNDO_WINDOW = timedelta(minutes=10)
PASS, FAIL = "pass", "fail"

TRANSITIONS: dict[tuple[str, str], str] = {
    ("withheld", "propose"): "pending",
    ("withheld", "settle"): "effective",
    ("pending", "second"): "second_person",
    ("effective", "second"): "second_person",
    ("expired", "second"): "second_person",
    ("pending", "decide"): "decided",
    ("second_person", "decide"): "decided",
    ("effective", "decide"): "decided",
    ("expired", "decide"): "decided",
    ("decided", "take_effect"): "effective",
    ("decided", "reopen"): "pending",
    ("second_person", "reopen"): "pending",
    ("decided", "restore"): "effective",
    ("second_person", "restore"): "effective",
    ("pending", "expire"): "expired",
    ("second_person", "expire"): "expired",
    ("decided", "expire"): "expired",
    ("effective", "lapse"): "effective",
    ("pending", "withhold"): "withheld",
    ("second_person", "withhold"): "withheld",
    ("decided", "withhold"): "withheld",
    ("effective", "withhold"): "withheld",
    ("expired", "withhold"): "withheld",
}
TRIGGERS = tuple(dict.fromkeys(trigger for _, trigger in TRANSITIONS))
# How an open decision is taken back, by where it began.
BACK = {"pending": "reopen", "effective": "restore", "expired": "expire"}


@dataclass(frozen=True, slots=True)
class Situation:
    """A gate as it was written down. `outcome` is the effective one, empty for none; `to` what was decided and has not
    taken effect. `digest` is that of the evidence judged."""

    state: str
    origin: str = ""
    outcome: str = ""
    to: str = ""
    digest: str = ""
    expires_at: datetime | None = None
    effective_at: datetime | None = None
    override_until: datetime | None = None


def after(state: str, trigger: str) -> str | None:
    """The state that follows, or None when the trigger is refused there."""
    return TRANSITIONS.get((state, trigger))


def sources_of(trigger: str) -> tuple[str, ...]:
    """The states in which `trigger` is allowed."""
    return tuple(state for state, name in TRANSITIONS if name == trigger)


def due(gate: Situation, now: datetime, digest: str, *, deciders_stay: bool = True) -> str | None:
    """What evidence, time and people ask for by now: a trigger, or None. `digest` is that of the evidence there is,
    empty while there is none; `deciders_stay` is False when somebody whose decision has not taken effect may not decide
    here any more."""
    if gate.state != "withheld" and digest != gate.digest:
        return "withhold"
    if gate.state in {"decided", "second_person"} and not deciders_stay:
        return BACK[gate.origin]
    if gate.state == "decided" and _past(gate.effective_at, now):
        return "take_effect"
    if gate.state == "pending" and _past(gate.expires_at, now):
        return "expire"
    if gate.state == "second_person" and _past(gate.expires_at, now):
        return BACK[gate.origin] if gate.origin != "pending" else "expire"
    return "lapse" if gate.state == "effective" and _past(gate.override_until, now) else None


def outcome_after(gate: Situation, trigger: str) -> str:
    """The effective outcome once `trigger` was pulled: a pass ends with its evidence, a fail stays."""
    if trigger == "take_effect":
        return gate.to
    if trigger in {"expire", "lapse"}:
        return FAIL
    return "" if trigger == "withhold" and gate.outcome == PASS else gate.outcome


def lifts_fail(outcome: str, to: str) -> bool:
    """Whether a decision for `to` ends a fail: `outcome` is the effective one."""
    return outcome == FAIL and to == PASS


def _past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now
