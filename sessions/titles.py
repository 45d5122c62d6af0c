"""What a session that is made of another one is called, so that lists tell them apart: a fork, a settled review. And
what its decision is called.

Only people see these names. Prompts go on with the title of the record (`sessions.specs`), or nothing in it would fit.
"""

import re
from collections.abc import Callable
from itertools import count

from sessions.kinds import KINDS
from sessions.models import Session

LONGEST_SUBJECT = 140  # letters: a mark has to fit beside it
_FORK, _SETTLED = re.compile(r"^Fork (\d+ )?of "), re.compile(r" \(settled( \d+)?\)$")
_KIND = re.compile(rf"\b({'|'.join(kind.label for kind in KINDS.values())}) of ")
_ENDING = re.compile(r"\.md\b")


def fork_title(recorded: Session) -> str:
    """`Fork of Payment webhooks`, of a fork of it too; the next one is `Fork 2 of …`."""
    subject = _FORK.sub("", recorded.title)[:LONGEST_SUBJECT]
    return _first_free(recorded, subject, lambda number: f"Fork{number} of {subject}")


def settled_title(review: Session) -> str:
    """`Payment webhooks (settled)`, the next one is `… (settled 2)`."""
    subject = _SETTLED.sub("", review.title)[:LONGEST_SUBJECT]
    return _first_free(review, subject, lambda number: f"{subject} (settled{number})")


def plain_title(session: Session) -> str:
    """Without the mark of a fork or of a settled review."""
    if session.fork_round is None and not session.params.get("only"):
        return session.title
    return _SETTLED.sub("", _FORK.sub("", session.title))


def decision_name(session: Session) -> str:
    """The document that a session decides with: `Decision on plan.md` for `Deliberation of plan.md`."""
    return f"Decision on {_ENDING.sub('', _KIND.sub('', session.title, count=1), count=1)}.md"


def _first_free(made_of: Session, subject: str, titled: Callable[[str], str]) -> str:
    """`titled` is given nothing for the first one, then ` 2`, ` 3` and so on."""
    like = made_of.project.sessions.filter(title__contains=subject, deleted_at=None)
    taken = set(like.values_list("title", flat=True))
    return next(title for n in count(1) if (title := titled(f" {n}" if n > 1 else "")) not in taken)
