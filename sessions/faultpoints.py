"""Named places where a test may end the process as `kill -9` would. Nothing happens unless one is armed, by
CRUCIBLE_CRASH_AT in the environment or by `arm`: `name` ends the process at the first passing, `name:3` at the third.
The kind of an event is a name too: the place at which a pattern notes one.
"""

import os

POINTS = (
    "claimed",
    "before_attempt",
    "attempt_committed",
    "first_byte",
    "last_byte",
    "before_commit",
    "after_commit",
    "before_close",
    "closed",
)
_armed, _left = "", 0


def arm(where: str) -> None:
    global _armed, _left
    _armed, _, count = where.partition(":")
    _left = int(count or 1)


def reach(name: str) -> None:
    global _left
    if name == _armed:
        _left -= 1
        if _left == 0:
            os._exit(137)


arm(os.environ.get("CRUCIBLE_CRASH_AT", ""))
