"""Another model in the place of one that does not answer: named in the roster, said in the log, never chosen by us.

At every step the instance's own model is asked first. When it has failed for good there, its fallback is asked at a
path of its own. The failure and the answer are both recorded, so whoever runs the session again, after a crash, in a
retry or in a fork, asks neither of them twice.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sessions.engine.roster import Member
from sessions.engine.run import CallFailed, Run

Answered = TypeVar("Answered")
# Failures that another model cannot do better about, or may not.
NOT_THE_MODELS = frozenset({"cap_reached", "source_erased", "stopped", "worker_stopped", "attempt_lost"})


async def ask_member(
    run: Run, key: str, member: Member, ask: Callable[[str, Member], Awaitable[Answered]]
) -> tuple[Member, Answered]:
    """What `ask(key, member)` gives, and who gave it: the member, or its fallback under the same letter. Raises the
    CallFailed of whoever was asked last."""
    try:
        return member, await ask(key, member)
    except CallFailed as failure:
        if member.fallback is None or failure.code in NOT_THE_MODELS:
            raise
        fallback, code = member.fallback, failure.code
    await run.note(
        f"replaced/{key}",
        "instance.replaced",
        letter=member.letter,
        path=key,
        model_id=member.model_id,
        fallback=fallback.model_id,
        code=code,
    )
    return fallback, await ask(fallback_path(key), fallback)


def fallback_path(path: str) -> str:
    """Where the fallback answers in place of the call at `path`, or of a re-ask there."""
    return f"{path.partition('/reask-')[0]}/fallback"
