"""Who writes the words that sum up a session, and which findings they may speak of."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sessions.engine.fallback import ask_member
from sessions.engine.parsing import visible_text
from sessions.engine.roster import Member
from sessions.engine.run import CallFailed, Prompt, Run

ORDER = {"synthesizer": 0, "lead": 1}


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote; without a `letter` nobody did, and `code` says why the last one asked did not."""

    letter: str = ""
    text: str = ""
    code: str = ""


async def first_to_write(
    run: Run,
    key: str,
    members: Sequence[Member],
    prompt: Callable[[Member], Prompt],
    read: Callable[[str], str] = visible_text,
) -> Written:
    """The answer of the synthesizer, else the lead, else the first who gives one that `read` finds something in."""
    code = "no_answers"
    for member in sorted(members, key=lambda member: ORDER.get(member.role, len(ORDER))):
        try:
            path = f"{key}/{member.letter.lower()}"
            _, reply = await ask_member(run, path, member, lambda at, one: run.call(at, prompt(one)))
        except CallFailed as failure:
            code = failure.code
            continue
        if text := read(reply.text):
            return Written(member.letter, text)
        code = "empty_answer"
    return Written(code=code)


def unknown_labels(text: str, labels: Collection[str]) -> list[str]:
    """The finding IDs a text cites that are not there."""
    return sorted(set(re.findall(r"\bF-[0-9]{1,9}\b", text)) - set(labels))
