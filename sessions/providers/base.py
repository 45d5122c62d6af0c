"""The one small interface behind which every provider stands: an async generator of deltas and one end.

An adapter makes exactly one HTTP request per `stream` and never retries. It yields `Delta`s as text arrives and,
only after the transport proved the answer whole (a real finish reason, or `[DONE]`), one `Done`. Everything else is
a `ProviderError`. Deadlines except connecting are the gateway's.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sessions.engine.run import Message, OutputSchema

SchemaMode = Literal["json_schema", "tool", "json_object", "prompt"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that no repr, log line or traceback shows."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One request. `route` is the model's name at the provider. `schema_mode` says how to demand `schema`.
    `seed` and `member` only serve the demo provider, which is a pure function of them and the messages."""

    route: str
    messages: tuple[Message, ...]
    api_key: Secret
    base_url: str = ""
    schema: OutputSchema | None = None
    schema_mode: SchemaMode = "json_schema"
    temperature: float | None = None
    max_output_tokens: int = 8_000
    connect_timeout: float = 10.0
    max_bytes: int = 8_000_000
    allow_local: bool = False
    seed: str = ""
    member: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Delta:
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole. Token counts are None when the provider did not say."""

    finish_reason: Literal["stop", "length"]
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


class ProviderError(Exception):
    """A request that gave no whole answer.

    `code` is one of `sessions.engine.errors.ERRORS`. `retry_after` is the provider's wish in seconds, already
    a finite float >= 0, or None. `billed` says that output tokens had begun to arrive.
    """

    def __init__(self, code: str, *, retry_after: float | None = None, billed: bool = False) -> None:
        super().__init__(code)
        self.code, self.retry_after, self.billed = code, retry_after, billed


class Adapter(Protocol):
    def stream(self, call: ProviderCall) -> AsyncGenerator[Delta | Done, None]:
        """Make one request. Raises ProviderError; closing the generator aborts the request."""

    async def prepare(self) -> None:
        """Load what the first call would otherwise wait for."""

    async def close(self) -> None:
        """Give back connections."""
