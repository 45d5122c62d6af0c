"""Asking an instance until its answer can be used: one ladder for every structured answer."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sessions.engine.prompts import reask_prompt
from sessions.engine.run import CallFailed, Prompt, Reply, Run

REASKS = 2


class Parsed(Protocol):
    """`problem` is what the instance must be told to give the rest, or an answer at all; None when all is there."""

    @property
    def problem(self) -> str | None: ...


P = TypeVar("P", bound=Parsed)


async def ask_until_usable(
    run: Run, key: str, prompt: Prompt, read: Callable[[Reply, P | None], P], holds: Callable[[P], object]
) -> tuple[P, bool]:
    """The answer after at most REASKS re-asks, and whether the provider cut a prompt. `read` puts a reply to what was
    read before; `holds` says whether there is something in it. That is kept when a re-ask fails; without anything,
    CallFailed("unusable_answer")."""
    reply = await run.call(key, prompt)
    parsed, cut = read(reply, None), reply.read_in_part
    for reask in range(1, REASKS + 1):
        if parsed.problem is None:
            break
        prompt = reask_prompt(prompt, reply.text, parsed.problem)
        try:
            reply = await run.call(f"{key}/reask-{reask}", prompt)
        except CallFailed:
            if not holds(parsed):
                raise
            break
        parsed, cut = read(reply, parsed), cut or reply.read_in_part
    if parsed.problem and not holds(parsed):
        raise CallFailed("unusable_answer", prompt.member)
    return parsed, cut
