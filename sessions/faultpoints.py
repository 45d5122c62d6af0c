"""Named places where a test may end the process as `kill -9` would. Nothing happens unless CRUCIBLE_CRASH_AT names one.

`CRUCIBLE_CRASH_AT=name` ends the process at the first passing, `name:3` at the third.
"""

import os

_AT, _, _COUNT = os.environ.get("CRUCIBLE_CRASH_AT", "").partition(":")
_left = int(_COUNT or 1)

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


def reach(name: str) -> None:
    global _left
    if name == _AT:
        _left -= 1
        if _left == 0:
            os._exit(137)
