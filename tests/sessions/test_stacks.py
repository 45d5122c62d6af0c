"""No depth of calls is slow above a stack with room."""

import statistics
import time
from collections.abc import Callable

from sessions.stacks import with_room

DEPTHS = 320  # two ends of ordinary chunks lie within


def _same(value: int) -> int:
    return value


def _called() -> float:
    begun = time.perf_counter()
    for value in range(200):
        _same(value)
    return time.perf_counter() - begun


def _at(depth: int, call: Callable[[], float]) -> float:
    return _at(depth - 1, call) if depth else call()


def test_a_loop_takes_the_same_time_at_every_depth() -> None:
    taken = [min(with_room(_at, depth, _called) for _ in range(5)) for depth in range(DEPTHS)]
    assert max(taken) < 15 * statistics.median(taken)
