"""Room on the interpreter's stack.

CPython (3.11 to 3.13 at least) keeps frames of Python functions in chunks of 16 KB. A function that is called where a
chunk ends gets a new one from the operating system and gives it back when it returns: a loop that happens to stand at
such a depth, some 150 calls apart, runs a hundred times slower. A template inside of a template stands deep, and one
more `include` took a page from 50 ms to 125. See `_PyThreadState_PushFrame` in CPython's Python/pystate.c.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# A frame of this many values of eight bytes gets a chunk of 256 KB, and half of it is left for those above.
VALUES = 17_000


def with_room(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`function(*args, **kwargs)`, above a chunk that holds some 700 frames. Costs 8 microseconds; to be called where a
    thread has the fewest frames."""
    return function(*args, **kwargs)


with_room.__code__ = with_room.__code__.replace(co_stacksize=VALUES)
