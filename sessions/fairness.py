"""How many calls one provider gets at a time, and whose turn it is."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairGate:
    """At most `limit` holders; waiting sessions take turns, first come first served within one session, so that a
    session with a thousand calls cannot starve one with a single call. `pause` holds everybody back (a 429)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0
        self._paused_until = 0.0
        self._waiting: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def slot(self, session_id: int) -> AsyncIterator[None]:
        await self._acquire(session_id)
        try:
            yield
        finally:
            self._held -= 1
            self._admit()

    def pause(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            loop.call_at(until + 0.001, self._admit)  # the loop may wake a clock tick early

    async def _acquire(self, session_id: int) -> None:
        loop = asyncio.get_running_loop()
        if self._held < self.limit and not self._waiting and loop.time() >= self._paused_until:
            self._held += 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(session_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._held -= 1
            self._admit()
            raise

    def _admit(self) -> None:
        if asyncio.get_running_loop().time() < self._paused_until:
            return
        while self._held < self.limit and self._waiting:
            session_id, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[session_id] = turns
            if not turn.done():
                self._held += 1
                turn.set_result(None)
