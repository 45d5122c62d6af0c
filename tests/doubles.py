"""A provider that plays a script, and what stands between it and the database."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager

from sessions import providers
from sessions.providers.base import Delta, Done, ProviderCall, ProviderError

Turn = Sequence["str | float | Done | BaseException"]
"""What one request plays: text to send, seconds to wait, an error to raise, or the end."""

END = Done("stop", 100, 20, 0)


class ScriptedProvider:
    """An adapter. Each request plays the next turn and the last one for ever, or what `play` makes of the call.

    `before` is called in a thread of its own when a request arrives: a place to look into the database.
    """

    def __init__(
        self,
        *turns: Turn,
        play: Callable[[ProviderCall], Turn] | None = None,
        before: Callable[[ProviderCall], object] | None = None,
    ) -> None:
        self._turns, self.play, self.before = list(turns), play, before
        self.calls: list[ProviderCall] = []
        self.open = self.most_open = 0

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Delta | Done, None]:
        self.calls.append(call)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if self.before:
                await asyncio.to_thread(self.before, call)
            for step in self._turn(call):
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                else:
                    yield Delta(step) if isinstance(step, str) else step
        finally:
            self.open -= 1

    def _turn(self, call: ProviderCall) -> Turn:
        if self.play:
            return self.play(call)
        return self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]

    async def prepare(self) -> None:
        """There is nothing to load."""

    async def close(self) -> None:
        """There are no connections."""


@contextmanager
def installed(provider: ScriptedProvider, name: str = "openai_wire") -> Iterator[ScriptedProvider]:
    """`provider` in place of the adapter called `name`."""
    before = providers._made.get(name)
    providers._made[name] = provider
    try:
        yield provider
    finally:
        providers._made.pop(name)
        if before:
            providers._made[name] = before


def failing(code: str, **fields: float | bool) -> Turn:
    return [ProviderError(code, **fields)]  # type: ignore[arg-type]
