"""The life of a session, as one table.

A draft is edited until somebody starts it. From then on it is queued (due, nobody has it), running (a worker holds
its lease), or waiting (for a person, never for a worker). It ends completed, failed or cancelled; a failed or
completed one that missed an instance may be retried, which queues it again with everything already paid kept. Others
may be asked about a completed one's findings; that is a later phase, and halting it leaves the session completed.
A session whose worker died three times on the same step needs attention: it is shown, not silently tried for ever.

Every change is a compare-and-swap on the old status: see `sessions.actions.lifecycle` and `sessions.writer`.
"""

STATUSES = ("draft", "queued", "running", "waiting", "completed", "failed", "cancelled", "needs_attention")
ENDED = frozenset({"completed", "failed", "cancelled"})
AT_REST = ENDED | {"draft", "waiting", "needs_attention"}

TRANSITIONS: dict[tuple[str, str], str] = {
    ("draft", "start"): "queued",
    ("queued", "claim"): "running",
    ("running", "recover"): "running",
    ("running", "release"): "queued",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "park"): "waiting",
    ("running", "give_up"): "needs_attention",
    ("waiting", "answer"): "queued",
    ("queued", "stop"): "cancelled",
    ("running", "stop"): "cancelled",
    ("waiting", "stop"): "cancelled",
    ("needs_attention", "stop"): "cancelled",
    ("completed", "retry"): "queued",
    ("completed", "ask"): "queued",
    ("queued", "halt"): "completed",
    ("running", "halt"): "completed",
    ("waiting", "halt"): "completed",
    ("needs_attention", "halt"): "completed",
    ("failed", "retry"): "queued",
    ("cancelled", "retry"): "queued",
    ("needs_attention", "retry"): "queued",
}
TRIGGERS = tuple(dict.fromkeys(trigger for _, trigger in TRANSITIONS))


def after(status: str, trigger: str) -> str | None:
    """The status that follows, or None when the trigger is refused there."""
    return TRANSITIONS.get((status, trigger))


def sources_of(trigger: str) -> tuple[str, ...]:
    """The statuses in which `trigger` is allowed."""
    return tuple(status for status, name in TRANSITIONS if name == trigger)
