"""Prompts to replies: the one place that talks to providers, and the one retry loop.

Per attempt: wait for the provider's turn, commit the attempt, make one request, and hold it to our own deadlines.
Only a transport-proved end makes a reply; everything else is a named code. What a provider wrote in an error is never
kept or shown.
"""

import asyncio
import hashlib
import logging
import math
import traceback
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, get_args
from uuid import UUID

from billing.pricing import Price, cost
from sessions import faultpoints
from sessions.engine.errors import ERRORS
from sessions.engine.run import CallFailed, Complete, Prompt, Reply, Usage
from sessions.engine.text import estimate_tokens, storable
from sessions.fairness import FairGate
from sessions.journal import OpenAttempt, SessionJournal
from sessions.providers import adapter
from sessions.providers.base import Done, ProviderCall, ProviderError, SchemaMode, Secret
from sessions.vault import SealBroken, reveal

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and tries of one call. A local server gets longer deadlines: it may load a model first."""

    connect: float = 10.0
    first_byte: float = 60.0
    idle: float = 30.0
    wall: float = 300.0
    max_bytes: int = 2_000_000
    tries: int = 3
    backoff: float = 0.5
    longest_wait: float = 60.0


CLOUD = Limits()
LOCAL = Limits(first_byte=300.0, idle=120.0, wall=1_800.0)

# A provider that counts less than this share of our own estimate has not read the whole prompt.
READ_IN_PART_BELOW = 0.5
READ_IN_PART_FROM_TOKENS = 1_500
MOST_TOKENS = 10_000_000
# An answer longer than this per token asked for does not come from the token limit we set.
CHARACTERS_PER_TOKEN_AT_MOST = 8
# Setting a timer costs as much as reading a piece of an answer: the idle deadline moves in steps of this share of it.
PUT_OFF_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Route:
    """How one model is reached, resolved when the lease is taken."""

    model_id: str
    provider: str
    adapter: str
    name: str
    base_url: str
    sealed_key: bytes | None = field(repr=False)
    schema_mode: SchemaMode
    takes_temperature: bool
    max_output_tokens: int
    max_concurrent: int
    price: Price | None
    allow_local: bool
    enabled: bool = True


DeltaSink = Callable[[UUID, str, str], None]
"""Told (session code, letter, text) for every piece of a streaming answer."""


class Gateway:
    """One per process and loop: shares connections, turns and what was learned about providers."""

    def __init__(self, delta: DeltaSink, cloud: Limits = CLOUD, local: Limits = LOCAL) -> None:
        self._delta, self._cloud, self._local = delta, cloud, local
        self._gates: dict[str, FairGate] = {}
        self._learned: dict[str, dict[str, Any]] = {}

    def bind(
        self, session_id: int, code: UUID, seed: str, routes: dict[str, Route], journal: SessionJournal
    ) -> Complete:
        """The `complete` of one session's Run."""

        async def complete(path: str, fingerprint: str, prompt: Prompt) -> Reply:
            route = routes.get(prompt.model_id)
            if route is None:
                raise CallFailed("model_unknown")
            if not route.enabled:
                raise CallFailed("model_disabled")
            call = self._request(route, prompt, seed)
            gate = self._gates.setdefault(route.provider, FairGate(route.max_concurrent))
            gate.limit = route.max_concurrent
            sink = _Sink(self._delta, code, prompt.member)
            limits = self._local if route.base_url.startswith("http:") else self._cloud
            one = _OneCall(route, prompt, gate, limits, session_id, journal, sink, self._learn)
            return await one.answer(path, fingerprint, call)

        return complete

    def _request(self, route: Route, prompt: Prompt, seed: str) -> ProviderCall:
        return ProviderCall(
            route=route.name,
            messages=prompt.messages,
            api_key=_key_of(route),
            base_url=route.base_url,
            schema=prompt.schema,
            **{
                "schema_mode": route.schema_mode,
                "temperature": prompt.temperature if route.takes_temperature else None,
                **self._learned.get(route.model_id, {}),
            },
            max_output_tokens=min(prompt.max_output_tokens, route.max_output_tokens),
            connect_timeout=self._cloud.connect,
            max_bytes=self._cloud.max_bytes,
            allow_local=route.allow_local,
            seed=seed,
            member=prompt.member,
        )

    def _learn(self, model_id: str, what: dict[str, Any]) -> None:
        self._learned.setdefault(model_id, {}).update(what)


def _key_of(route: Route) -> Secret:
    if route.adapter == "demo":
        return Secret("demo")
    if not route.sealed_key:
        raise CallFailed("no_key")
    try:
        key = reveal(route.provider, route.base_url, route.sealed_key)
    except SealBroken:
        raise CallFailed("no_key") from None
    if not key.value.strip():
        raise CallFailed("no_key")
    return key


@dataclass(slots=True)
class _Sink:
    delta: DeltaSink
    code: UUID
    letter: str

    def __call__(self, text: str) -> None:
        self.delta(self.code, self.letter, text)


@dataclass(slots=True)
class _OneCall:
    """The retry loop of one prompt."""

    route: Route
    prompt: Prompt
    gate: FairGate
    limits: Limits
    session_id: int
    journal: SessionJournal
    sink: _Sink
    learn: Callable[[str, dict[str, Any]], None]

    async def answer(self, path: str, fingerprint: str, call: ProviderCall) -> Reply:
        request_hash = hashlib.sha256(f"{self.route.name}|{fingerprint}".encode()).hexdigest()
        held = self._worst_case(call)
        tries = 0
        while True:
            async with self.gate.slot(self.session_id):
                faultpoints.reach("before_attempt")
                attempt = await self.journal.begin(path, fingerprint, self.prompt, request_hash, held)
                faultpoints.reach("attempt_committed")
                try:
                    return await self._attempt(attempt, replace(call, attempt=attempt.ordinal))
                except ProviderError as error:
                    failure = error
                except Exception as error:  # noqa: BLE001 - a bug of an adapter costs one instance, not the session
                    failure = _unforeseen(self.route.adapter, error, billed=bool(attempt.received))
            self._meter_failure(attempt, failure)
            if simpler := _simpler(call, failure.code):
                call, wait = replace(call, **simpler), 0.0
                self.learn(self.route.model_id, simpler)
            else:
                tries += 1
                wait = _wait(failure, tries, self.limits)
                if failure.code == "rate_limited":
                    self.gate.pause(wait)
                if not ERRORS[failure.code].retry or tries == self.limits.tries:
                    raise CallFailed(failure.code)
            await self.journal.end(attempt, failure.code, wait)
            await asyncio.sleep(wait)

    async def _attempt(self, attempt: OpenAttempt, call: ProviderCall) -> Reply:
        text, done = await self._stream(attempt, call)
        estimate = sum(estimate_tokens(message.content) for message in call.messages)
        prompt_tokens, output_tokens = _credible(done.prompt_tokens), _credible(done.output_tokens)
        usage = Usage(
            prompt_tokens=estimate if prompt_tokens is None else prompt_tokens,
            output_tokens=estimate_tokens(text) if output_tokens is None else output_tokens,
            cached_tokens=_credible(done.cached_tokens) or 0,
            reported=prompt_tokens is not None and output_tokens is not None,
        )
        attempt.usage, attempt.cost = usage, self._cost(usage)
        if not text.strip():
            raise ProviderError("empty_answer", billed=True)
        in_part = estimate >= READ_IN_PART_FROM_TOKENS and usage.prompt_tokens < READ_IN_PART_BELOW * estimate
        return Reply(text, done.finish_reason, usage, read_in_part=in_part and prompt_tokens is not None)

    async def _stream(self, attempt: OpenAttempt, call: ProviderCall) -> tuple[str, Done]:
        loop, limits = asyncio.get_running_loop(), self.limits
        begun = loop.time()
        parts: list[str] = []
        most = min(limits.max_bytes, CHARACTERS_PER_TOKEN_AT_MOST * call.max_output_tokens + 4_096)
        phase, renewed = "timeout_first_byte", -math.inf
        try:
            async with (
                asyncio.timeout_at(begun + min(limits.connect + limits.first_byte, limits.wall)) as deadline,
                aclosing(adapter(self.route.adapter).stream(call)) as stream,
            ):
                async for piece in stream:
                    if isinstance(piece, Done):
                        faultpoints.reach("last_byte")
                        return "".join(parts), piece
                    if not parts:
                        faultpoints.reach("first_byte")
                        attempt.first_token_ms = int((loop.time() - begun) * 1000)
                    parts.append(storable(piece.text))
                    attempt.received += len(piece.text)
                    if attempt.received > most:
                        raise ProviderError("answer_too_large", billed=True)
                    self.sink(parts[-1])
                    now = loop.time()
                    if now > renewed + limits.idle * PUT_OFF_SHARE:
                        renewed, wall = now, begun + limits.wall
                        phase = "timeout_idle" if now + limits.idle < wall else "timeout_wall"
                        deadline.reschedule(min(now + limits.idle, wall))
        except TimeoutError:
            raise ProviderError(phase, billed=bool(parts)) from None
        raise ProviderError("stream_cut", billed=bool(parts))

    def _cost(self, usage: Usage) -> int | None:
        price = self.route.price
        return cost(price, usage.prompt_tokens, usage.output_tokens, usage.cached_tokens) if price else None

    def _worst_case(self, call: ProviderCall) -> int:
        prompt = sum(estimate_tokens(message.content) for message in call.messages)
        return cost(self.route.price, prompt, call.max_output_tokens) if self.route.price else 0

    def _meter_failure(self, attempt: OpenAttempt, error: ProviderError) -> None:
        """A request that died after its answer had begun was billed; how much, we can only estimate."""
        if attempt.usage.prompt_tokens:
            return
        prompt = sum(estimate_tokens(message.content) for message in self.prompt.messages)
        received = estimate_tokens("x" * attempt.received)
        attempt.usage = Usage(prompt, received, reported=False) if error.billed else Usage(reported=False)
        attempt.cost = self._cost(attempt.usage) if error.billed else 0


def _unforeseen(adapter_name: str, error: Exception, *, billed: bool) -> ProviderError:
    """Logs where, never what: the message may hold a key or a prompt."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    logger.error("adapter %s: %s at %s:%s", adapter_name, type(error).__name__, frame.f_code.co_filename, line)
    return ProviderError("internal", billed=billed)


def _credible(tokens: int | None) -> int | None:
    """A count as the provider reports it; None for one that cannot be true, which we estimate like a missing one."""
    return tokens if isinstance(tokens, int) and 0 <= tokens <= MOST_TOKENS else None


def _simpler(call: ProviderCall, code: str) -> dict[str, Any]:
    """What to leave out after a refusal: the next rung down the ladder of structured output, or the temperature."""
    if code == "temperature_unsupported" and call.temperature is not None:
        return {"temperature": None}
    rungs = get_args(SchemaMode)
    rung = rungs.index(call.schema_mode) + 1
    return {"schema_mode": rungs[rung]} if code == "schema_unsupported" and rung < len(rungs) else {}


def _wait(error: ProviderError, attempt_number: int, limits: Limits) -> float:
    """Seconds before the next try: what the provider asked for, capped, else exponential."""
    backoff = limits.backoff * 2.0 ** (attempt_number - 1)
    return min(max(error.retry_after or 0.0, backoff), limits.longest_wait)
