"""What is refused at a gate, and in which words: each says what to do instead."""

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.engine.policy import FAIL, PASS
from sessions.models import Gate, GateDecision, Session
from sessions.people import called
from sessions.queries.gates import GateView, is_others, starters_of, token, why_not_again

FEWEST_CHARACTERS, MOST_CHARACTERS = 20, 2_000
MOST_HOURS = 8_760

NOT_AGAIN = {
    "gate_withheld": "It is judged when the session comes to its end. Look at other policies then.",
    "override_needed": "It fails, and by this policy it would pass. To let it pass, override it with a reason.",
    "fewer_people": "By this policy fewer people have to agree than now. Whoever it waits for has to decide.",
}

# What can be done about a decision, by the state it led to.
WHAT_NOW = {
    "second_person": "A second person has to look at it, unless {who} takes it back.",
    "decided": "{who} can take it back until it takes effect, ten minutes later.",
    "effective": "It is in effect: override it with a reason, or ask for the gate of a new session.",
}


def check_shown(gate: Gate, shown: str) -> None:
    if gate.state == "withheld":
        raise Refused("gate_withheld", "There is nothing to decide on yet: the session has not come to its end.", 409)
    if shown != token(gate):
        raise was_first(gate)


def check_state(gate: Gate, *allowed: str) -> None:
    if gate.state not in allowed:
        raise was_first(gate)


def check_separate(actor: Actor, session: Session, act: str) -> None:
    """Whether the project lets the starter of the session do this alone."""
    if is_others(session.project, act) and actor.user_id in starters_of(session):
        raise Refused("separate_approver", "You started this session: somebody else has to decide.", 403)


def check_override(to: str, reason: str, hours: int | None) -> None:
    if to not in (PASS, FAIL):
        raise Refused("bad_outcome", "An override is to pass or to fail.", 422)
    if not FEWEST_CHARACTERS <= len(reason.strip()) <= MOST_CHARACTERS:
        sentence = f"Say why, in {FEWEST_CHARACTERS} to {MOST_CHARACTERS:,} characters. It stays on the record."
        raise Refused("reason_needed", sentence, 422)
    if hours is not None and (to == FAIL or not 1 <= hours <= MOST_HOURS):
        raise Refused("bad_hours", f"Only a pass can be for some hours, 1 to {MOST_HOURS:,}.", 422)


def check_again(gate: Gate, now: GateView, then: GateView) -> None:
    """Whether the gate, which stands as `now` says, may be judged again by the policy that proposes `then`."""
    if why := why_not_again(now, then):
        raise Refused(why, NOT_AGAIN[why], 409) if why in NOT_AGAIN else was_first(gate)


def was_first(gate: Gate) -> Refused:
    """Who or what moved the gate since it was looked at, and what to do now."""
    if gate.state == "expired":
        sentence = "Nobody decided in time, so it failed. An override with a reason can still let it pass."
        return Refused("gate_expired", sentence, 409)
    last = GateDecision.objects.filter(gate=gate).select_related("by").last()
    if last is None or last.version < gate.version:
        changed = "The evidence changed since you looked, or it was judged again."
        return Refused("evidence_changed", f"{changed} Look at it as it is now, then decide.", 409)
    who = called(last.by.name, last.by.email)
    sentence = f"{who} decided already, at {last.at:%Y-%m-%d %H:%M:%S} UTC: {last.act}, {last.to}."
    next_step = WHAT_NOW.get(gate.state, "Look at it as it is now.").format(who=who)
    return Refused("decided_already", f"{sentence} {next_step}", 409)
