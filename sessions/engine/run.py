"""The handle every pattern holds: five verbs, one way to nest, nothing else.

A pattern is a pure async function of a frozen Spec and a `Run`. It asks models with `call`, fans out with
`each`, tells what happened with `note`, looks outside with `observe` and waits for people with `ask`.
Every verb is keyed by a path; what a path answered once it answers for ever, so a crashed session walks back
to the line it had reached without paying twice.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """What a structured answer must look like: a name for the provider and a JSON Schema."""

    name: str
    schema: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to one instance, independent of any provider's wire format."""

    member: str
    model_id: str
    messages: tuple[Message, ...]
    schema: OutputSchema | None = None
    temperature: float | None = None
    max_output_tokens: int = 8_000

    def fingerprint(self) -> str:
        """SHA-256 over what decides the answer: model, messages, schema and sampling."""
        messages = [[message.role, message.content] for message in self.messages]
        shape = [_json(self.model_id), _json(messages), _schema_json(self.schema), _json(self.temperature)]
        text = f"[{', '.join([*shape, _json(self.max_output_tokens)])}]"
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


@lru_cache(64)
def _schema_json(schema: OutputSchema | None) -> str:
    """The same few schemas stand in every prompt."""
    return _json(schema.schema if schema else None)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer; `reported` is False when they are our own estimate."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reported: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `finish_reason` is `stop` or `length`; a cut stream is never a Reply."""

    text: str
    finish_reason: Literal["stop", "length"] = "stop"
    usage: Usage = Usage()
    read_in_part: bool = False


class CallFailed(Exception):  # noqa: N818 - read as a sentence where it is caught
    """No usable answer came, and everything the gateway may try was tried. `code` is one of `engine.errors`."""

    def __init__(self, code: str, member: str = "", path: str = "") -> None:
        super().__init__(code)
        self.code, self.member, self.path = code, member, path


class JournalMismatch(Exception):  # noqa: N818
    """A finished step was met with another prompt by the same code: the pattern is not deterministic."""


class WaitingForHuman(BaseException):  # noqa: N818 - must pass every `except Exception`
    """All open branches wait for people; the run parks and costs nothing until an answer arrives."""


class Journal(Protocol):
    """Where a run remembers. Production: rows behind a group commit. Tests: a dict."""

    async def recall(self, path: str, fingerprint: str) -> Reply | None:
        """The recorded reply, None when there is none; raises the recorded CallFailed."""

    async def finish(self, path: str, fingerprint: str, reply: Reply) -> None:
        """Record the reply, and the step as done, before anything that follows from it is recorded or leaves."""

    async def fail(self, path: str, fingerprint: str, failure: CallFailed) -> None:
        """Record that this step has no answer."""

    async def note(self, path: str, kind: str, data: dict[str, Any], texts: dict[str, str]) -> None:
        """Append one event, once per path."""

    async def observe(self, path: str, name: str, args: dict[str, Any]) -> Any:
        """The recorded observation, or a new one that is committed first."""

    async def ask(self, path: str, question: dict[str, Any]) -> Any:
        """The person's recorded answer, or WaitingForHuman."""


Complete = Callable[[str, str, Prompt], Awaitable[Reply]]
"""`complete(path, fingerprint, prompt)`: the metered gateway; journals its attempts, raises CallFailed."""


class Run:
    def __init__(self, journal: Journal, complete: Complete, *, prefix: str = "", limit: int = 64) -> None:
        self._journal, self._complete, self._prefix, self._limit = journal, complete, prefix, limit

    def child(self, key: str) -> "Run":
        """The same run under a longer path: any pattern can be a step of another."""
        return Run(self._journal, self._complete, prefix=self._path(key) + "/", limit=self._limit)

    async def call(self, key: str, prompt: Prompt) -> Reply:
        """Ask a model, once per key for ever. Raises CallFailed, also when that is what was recorded."""
        path, fingerprint = self._path(key), prompt.fingerprint()
        recorded = await self._journal.recall(path, fingerprint)
        if recorded is not None:
            return recorded
        try:
            reply = await self._complete(path, fingerprint, prompt)
        except CallFailed as failure:
            failure.member, failure.path = prompt.member, path
            await self._journal.fail(path, fingerprint, failure)
            raise
        await self._journal.finish(path, fingerprint, reply)
        return reply

    async def each(self, items: Iterable[Item], step: Callable[[Item], Awaitable[Result]]) -> list[Result]:
        """Fan out. Every sibling finishes and is recorded, then the first failure in item order is raised,
        a failed call before a wait. No TaskGroup: it would cancel paid calls in flight."""
        gate = asyncio.Semaphore(self._limit)

        async def limited(item: Item) -> Result:
            async with gate:
                return await step(item)

        tasks = [asyncio.ensure_future(limited(item)) for item in items]
        try:
            if tasks:
                await asyncio.wait(tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        failures = [failure for task in tasks if (failure := task.exception()) is not None]
        for failure in sorted(failures, key=lambda failure: isinstance(failure, WaitingForHuman)):
            raise failure
        return [task.result() for task in tasks]

    async def note(self, key: str, kind: str, *, texts: dict[str, str] | None = None, **data: Any) -> None:
        """Append a domain event, once. `data` holds ids, numbers and codes; what people or models wrote goes in
        `texts`, which the journal keeps in erasable rows and replaces by their ids and digests."""
        await self._journal.note(self._path(key), kind, data, texts or {})

    async def observe(self, key: str, name: str, **args: Any) -> Any:
        """Read something outside, once per key, and remember the answer."""
        return await self._journal.observe(self._path(key), name, args)

    async def ask(self, key: str, question: dict[str, Any]) -> Any:
        """Wait for a person. Parks the run when nothing else can go on."""
        return await self._journal.ask(self._path(key), question)

    def _path(self, key: str) -> str:
        return self._prefix + key
