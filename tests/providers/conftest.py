"""A mock provider in a process of its own, and raw replies for what no server would send on purpose."""

import asyncio
import json
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sessions.engine.run import Message
from sessions.providers.base import Adapter, Delta, Done, ProviderCall, Secret
from sessions.providers.egress import close_sessions
from tests.provider_server import provider_process

ROOT = Path(__file__).parents[2]
KEY = "sk-test-0123456789"
CALL = ProviderCall("", (Message("system", "Rules."), Message("user", "Say it.")), Secret(KEY), allow_local=True)


@dataclass(frozen=True)
class MockProvider:
    """The running mock; `call` asks one of its models, named as `tests/provider_server.py` says."""

    url: str

    def call(self, route: str, **changes: Any) -> ProviderCall:
        return replace(CALL, route=route, **{"base_url": self.url, **changes})

    def stats(self) -> dict[str, Any]:
        return self._ask("GET", "/stats")

    def last(self) -> dict[str, Any]:
        return self._ask("GET", "/last")

    def reset(self) -> None:
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=5) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer


@pytest.fixture(scope="session")
def running_mock() -> Iterator[MockProvider]:
    with provider_process(900) as address:
        yield MockProvider(f"http://{address}")


@pytest.fixture
def mock(running_mock: MockProvider) -> MockProvider:
    running_mock.reset()
    return running_mock


@pytest.fixture(autouse=True)
async def _connections_are_closed() -> AsyncIterator[None]:
    yield
    await close_sessions()


@pytest.fixture
def ask() -> Callable[[Adapter, ProviderCall], Awaitable[tuple[str, Done]]]:
    """Streams one call to its end."""

    async def stream(adapter: Adapter, call: ProviderCall) -> tuple[str, Done]:
        texts: list[str] = []
        async with asyncio.timeout(60):  # the first one imports LiteLLM
            async for piece in adapter.stream(call):
                if isinstance(piece, Delta):
                    texts.append(piece.text)
                else:
                    return "".join(texts), piece
        raise AssertionError("the stream ended without Done")

    return stream


@pytest.fixture
def give_up() -> Callable[[Adapter, ProviderCall, float], Awaitable[None]]:
    """Begins a stream that will not end, and closes it `after` some seconds."""

    async def stream_for(adapter: Adapter, call: ProviderCall, after: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(after), aclosing(adapter.stream(call)) as stream:
                async for piece in stream:
                    assert isinstance(piece, Delta)
        await asyncio.sleep(0.2)

    return stream_for


@pytest.fixture
def replying() -> Any:
    """`async with replying(reply) as base_url`: a server that sends these bytes to each request and closes."""

    @asynccontextmanager
    async def serve(reply: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
            scheme = "https" if tls else "http"
            yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    return serve
