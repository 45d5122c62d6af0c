"""Prompts to replies: deadlines, retries, money and what never reaches a provider. No database, no network."""

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.pricing import Price
from sessions.engine.run import CallFailed, Message, OutputSchema, Prompt, Reply, Usage
from sessions.gateway import CLOUD, LOCAL, Gateway, Limits, Route
from sessions.journal import OpenAttempt
from sessions.providers.base import Done, ProviderCall, ProviderError
from sessions.vault import seal
from tests.doubles import END, ScriptedProvider, Turn, failing, installed

HOST = "https://api.example.org/v1"
QUICK = Limits(connect=0.05, first_byte=0.05, idle=0.05, wall=0.3, backoff=0.01, longest_wait=0.05)
SCHEMA = OutputSchema("review", {"type": "object"})
PROMPT = Prompt("A", "lab/large", (Message("system", "rules"), Message("user", "u" * 700)), SCHEMA, 0.3, 1_000)
PROMPT_TOKENS = 202


@dataclass
class Notebook:
    """The journal as the gateway sees it."""

    began: list[OpenAttempt] = field(default_factory=list)
    ended: list[tuple[str, float, int | None]] = field(default_factory=list)

    async def begin(self, path: str, fingerprint: str, prompt: Prompt, request_hash: str, held: int) -> OpenAttempt:
        number = len(self.began) + 1
        attempt = OpenAttempt(uuid4(), uuid4(), path, prompt.member, number, held, datetime.now(UTC))
        self.began.append(attempt)
        return attempt

    async def end(self, attempt: OpenAttempt, code: str, wait_seconds: float) -> None:
        self.ended.append((code, wait_seconds, attempt.cost))


class Desk:
    """A gateway over a scripted provider, and one session that asks through it."""

    def __init__(self, provider: ScriptedProvider, limits: Limits = QUICK, **route: Any) -> None:
        self.provider, self.notebook, self.deltas = provider, Notebook(), list[str]()
        self.gateway = Gateway(lambda code, letter, text: self.deltas.append(text), cloud=limits)
        self.route = replace(self.default(), **route)

    @staticmethod
    def default() -> Route:
        return Route(
            model_id="lab/large", provider="lab", adapter="openai_wire", name="large", base_url=HOST,
            sealed_key=seal("lab", HOST, "sk-test-key-000000"), schema_mode="json_schema", takes_temperature=True,
            max_output_tokens=8_000, max_concurrent=4, price=Price(1_000_000, 2_000_000), allow_local=False,
        )  # fmt: skip

    async def ask(self, prompt: Prompt = PROMPT, session: int = 1) -> Reply:
        journal: Any = self.notebook
        complete = self.gateway.bind(session, uuid4(), "seed", {self.route.model_id: self.route}, journal)
        return await complete("review/a", prompt.fingerprint(), prompt)

    async def refusal(self, prompt: Prompt = PROMPT) -> str:
        with pytest.raises(CallFailed) as caught:
            await self.ask(prompt)
        return caught.value.code


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(["hello", END])) as scripted:
        yield scripted


@pytest.fixture
def desk(provider: ScriptedProvider) -> Desk:
    return Desk(provider)


# --- an answer


async def test_an_answer_is_joined_and_streamed(desk: Desk) -> None:
    desk.provider.play = lambda call: ["hel", "lo", Done("length", 10, 5, 2)]
    assert await desk.ask() == Reply("hello", "length", Usage(10, 5, 2))
    assert desk.deltas == ["hel", "lo"]
    assert desk.notebook.began[0].first_token_ms is not None


async def test_the_request_is_what_the_route_and_the_prompt_say(desk: Desk) -> None:
    await desk.ask()
    (call,) = desk.provider.calls
    assert (call.route, call.base_url, call.messages, call.schema) == ("large", HOST, PROMPT.messages, SCHEMA)
    assert (call.api_key.value, call.temperature, call.max_output_tokens) == ("sk-test-key-000000", 0.3, 1_000)
    assert (call.attempt, call.allow_local, call.schema_mode) == (1, False, "json_schema")


async def test_a_model_that_takes_no_temperature_gets_none(provider: ScriptedProvider) -> None:
    await Desk(provider, takes_temperature=False).ask()
    assert provider.calls[0].temperature is None


async def test_what_no_database_takes_is_left_out_of_answer_and_stream(desk: Desk) -> None:
    desk.provider.play = lambda call: ["a\0b", "c\ud800", END]
    assert (await desk.ask()).text == "abc"
    assert "".join(desk.deltas) == "abc"


async def test_an_answer_without_an_end_is_no_answer(desk: Desk) -> None:
    desk.provider.play = lambda call: ["half"]
    assert await desk.refusal() == "stream_cut"
    assert len(desk.provider.calls) == QUICK.tries


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_an_empty_answer_is_no_answer_but_was_billed(desk: Desk, text: str) -> None:
    desk.provider.play = lambda call: [text, END]
    assert await desk.refusal() == "empty_answer"
    assert [attempt.cost for attempt in desk.notebook.began] == [140] * 3


# --- what never leaves


@pytest.mark.parametrize(
    ("route", "code"),
    [
        ({"sealed_key": None}, "no_key"),
        ({"sealed_key": b""}, "no_key"),
        ({"sealed_key": b"garbage"}, "no_key"),
        ({"sealed_key": seal("lab", HOST, "  ")}, "no_key"),
        ({"sealed_key": seal("other", HOST, "sk-another-key-00")}, "no_key"),
        ({"base_url": "https://evil.example/v1"}, "no_key"),
        ({"enabled": False}, "model_disabled"),
        ({"model_id": "lab/other"}, "model_unknown"),
    ],
)
async def test_a_call_that_may_not_be_made_makes_no_request(
    provider: ScriptedProvider, route: dict[str, Any], code: str
) -> None:
    desk = Desk(provider, **route)
    assert await desk.refusal() == code
    assert (provider.calls, desk.notebook.began) == ([], [])


async def test_the_attempt_is_recorded_before_the_request_leaves(desk: Desk) -> None:
    seen: list[int] = []

    def play(call: ProviderCall) -> Turn:
        seen.append(len(desk.notebook.began))
        return ["ok", END]

    desk.provider.play = play
    await desk.ask()
    assert seen == [1]


async def test_a_cap_stops_the_request_and_gives_the_turn_back(provider: ScriptedProvider) -> None:
    desk = Desk(provider, max_concurrent=1)

    async def refuse(*_: Any) -> OpenAttempt:
        raise CallFailed("cap_reached")

    allowed, desk.notebook.begin = desk.notebook.begin, refuse  # type: ignore[method-assign, assignment]
    assert await desk.refusal() == "cap_reached"
    assert provider.calls == []
    desk.notebook.begin = allowed  # type: ignore[method-assign]
    async with asyncio.timeout(1):
        await desk.ask()


# --- retries


RETRIED = ["rate_limited", "provider_error", "connection_lost", "stream_cut", "timeout_connect", "malformed_stream"]
FINAL = ["provider_auth", "provider_denied", "quota_exceeded", "model_not_found", "bad_request", "context_too_long",
         "refused", "content_filtered", "redirect_refused", "address_blocked", "answer_too_large"]  # fmt: skip


@pytest.mark.parametrize("code", RETRIED)
async def test_a_transient_failure_is_tried_again_and_forgotten(desk: Desk, code: str) -> None:
    turns: list[Turn] = [failing(code), ["hello", END]]
    desk.provider.play = lambda call: turns.pop(0)
    assert (await desk.ask()).text == "hello"
    assert [code for code, _, _ in desk.notebook.ended] == [code]
    assert [call.attempt for call in desk.provider.calls] == [1, 2]


@pytest.mark.parametrize("code", RETRIED)
async def test_tries_are_counted_and_end(desk: Desk, code: str) -> None:
    desk.provider.play = lambda call: failing(code)
    assert await desk.refusal() == code
    assert len(desk.provider.calls) == len(desk.notebook.began) == QUICK.tries


@pytest.mark.parametrize("code", FINAL)
async def test_a_final_failure_is_not_tried_again(desk: Desk, code: str) -> None:
    desk.provider.play = lambda call: failing(code)
    assert await desk.refusal() == code
    assert len(desk.provider.calls) == 1


async def test_an_adapter_that_breaks_is_a_failure_of_ours(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.provider.play = lambda call: ["half", ZeroDivisionError("sk-secret")]
    assert await desk.refusal() == "internal"
    assert len(desk.provider.calls) == 1
    assert "ZeroDivisionError" in caplog.text
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("wish", [0.0, 0.02, 60.0, 99_999_999.0, 1e308])
async def test_a_wish_to_wait_is_heeded_within_limits(desk: Desk, wish: float) -> None:
    loop = asyncio.get_running_loop()
    turns: list[Turn] = [failing("rate_limited", retry_after=wish), ["hello", END]]
    desk.provider.play = lambda call: turns.pop(0)
    begun = loop.time()
    await desk.ask()
    ((_, wait, _),) = desk.notebook.ended
    assert wait == min(max(wish, QUICK.backoff), QUICK.longest_wait)
    assert wait <= loop.time() - begun < 10


async def test_waits_grow_from_try_to_try(desk: Desk) -> None:
    desk.provider.play = lambda call: failing("provider_error")
    await desk.refusal()
    assert [wait for _, wait, _ in desk.notebook.ended] == [0.01, 0.02]


async def test_a_429_holds_back_every_session_of_that_provider(desk: Desk) -> None:
    turns: list[Turn] = [failing("rate_limited", retry_after=0.05), ["hello", END], ["hello", END]]
    desk.provider.play = lambda call: turns.pop(0)
    loop = asyncio.get_running_loop()
    first = asyncio.ensure_future(desk.ask(session=1))
    await asyncio.sleep(0.01)
    begun = loop.time()
    await desk.ask(session=2)
    assert loop.time() - begun >= 0.03
    await first


async def test_a_429_on_the_last_try_still_holds_the_others_back(desk: Desk) -> None:
    desk.provider.play = lambda call: failing("rate_limited", retry_after=0.05)
    await desk.refusal()
    desk.provider.play = lambda call: ["hello", END]
    begun = asyncio.get_running_loop().time()
    await desk.ask()
    assert asyncio.get_running_loop().time() - begun >= 0.03


async def test_a_429_of_one_provider_does_not_hold_back_another(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, longest_wait=5))
    provider.play = lambda call: failing("rate_limited", retry_after=5)
    waiting = asyncio.ensure_future(desk.ask())
    await asyncio.sleep(0.01)
    provider.play = lambda call: ["hello", END]
    desk.route = replace(desk.route, provider="other", sealed_key=seal("other", HOST, "sk-test-key-000000"))
    async with asyncio.timeout(1):
        await desk.ask()
    waiting.cancel()


async def test_a_provider_gets_no_more_calls_at_once_than_it_may(provider: ScriptedProvider) -> None:
    desk = Desk(provider, max_concurrent=2)
    provider.play = lambda call: [0.01, "hello", END]
    await asyncio.gather(*(desk.ask(session=number) for number in range(7)))
    assert provider.most_open == 2


async def test_waiting_to_try_again_leaves_the_turn_to_others(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, backoff=1, longest_wait=1), max_concurrent=1)
    turns: list[Turn] = [failing("provider_error"), ["hello", END], ["hello", END]]
    provider.play = lambda call: turns.pop(0)
    waiting = asyncio.ensure_future(desk.ask())
    await asyncio.sleep(0.01)
    async with asyncio.timeout(0.5):
        await desk.ask(session=2)
    waiting.cancel()


# --- simpler forms of a request


def takes(*modes: str) -> Any:
    def play(call: ProviderCall) -> Turn:
        return ["hello", END] if call.schema_mode in modes else failing("schema_unsupported")

    return play


async def test_the_ladder_ends_where_the_provider_can_follow_and_is_learned(desk: Desk) -> None:
    desk.provider.play = takes("prompt")
    await desk.ask()
    assert [call.schema_mode for call in desk.provider.calls] == ["json_schema", "tool", "json_object", "prompt"]
    assert [wait for _, wait, _ in desk.notebook.ended] == [0.0, 0.0, 0.0]
    await desk.ask()
    assert desk.provider.calls[-1].schema_mode == "prompt"
    assert len(desk.provider.calls) == 5


async def test_steps_down_the_ladder_are_no_tries(desk: Desk) -> None:
    turns: list[Turn] = [failing("schema_unsupported"), *[failing("provider_error")] * 2, ["hello", END]]
    desk.provider.play = lambda call: turns.pop(0)
    assert (await desk.ask()).text == "hello"


async def test_what_was_learned_counts_for_that_model_only(desk: Desk) -> None:
    desk.provider.play = takes("tool", "json_object", "prompt")
    await desk.ask()
    desk.route = replace(desk.route, model_id="lab/small")
    await desk.ask(replace(PROMPT, model_id="lab/small"))
    assert desk.provider.calls[-2].schema_mode == "json_schema"


async def test_a_provider_that_refuses_every_form_is_given_up(desk: Desk) -> None:
    desk.provider.play = lambda call: failing("schema_unsupported")
    assert await desk.refusal() == "schema_unsupported"
    assert len(desk.provider.calls) == 3 + QUICK.tries


async def test_a_refused_temperature_is_left_out_and_learned(desk: Desk) -> None:
    desk.provider.play = lambda call: failing("temperature_unsupported") if call.temperature else ["hello", END]
    await desk.ask()
    await desk.ask()
    assert [call.temperature for call in desk.provider.calls] == [0.3, None, None]


# --- deadlines and sizes


async def elapsed(desk: Desk) -> tuple[str, float]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    return await desk.refusal(), loop.time() - begun


async def test_a_provider_that_says_nothing_is_given_up(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, tries=1))
    provider.play = lambda call: [30.0]
    code, seconds = await elapsed(desk)
    assert (code, provider.open) == ("timeout_first_byte", 0)
    assert seconds < 5


async def test_a_provider_that_falls_silent_is_given_up(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, tries=1))
    provider.play = lambda call: ["hello", 30.0]
    code, seconds = await elapsed(desk)
    assert (code, provider.open) == ("timeout_idle", 0)
    assert seconds < 5


async def test_a_stream_that_never_ends_is_stopped_and_not_tried_again(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, first_byte=5, idle=5))
    provider.play = lambda call: ["x", 0.02] * 10_000
    code, seconds = await elapsed(desk)
    assert (code, provider.open, len(provider.calls)) == ("timeout_wall", 0, 1)
    assert QUICK.wall * 0.8 <= seconds < QUICK.wall + 5


async def test_slow_but_steady_is_fine(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, first_byte=0.5, idle=0.5, wall=30))
    provider.play = lambda call: ["x", 0.2, "x", 0.2, "x", 0.2, "x", 0.2, END]
    assert (await desk.ask()).text == "x" * 4


async def test_an_endless_answer_is_stopped_at_its_size(desk: Desk) -> None:
    desk.provider.play = lambda call: ["x" * 1_000] * 1_000_000
    assert await desk.refusal() == "answer_too_large"
    received = desk.notebook.began[0].received
    assert 8 * PROMPT.max_output_tokens < received <= 8 * PROMPT.max_output_tokens + 6_000
    assert len(desk.provider.calls) == 1


async def test_a_local_server_gets_longer(provider: ScriptedProvider) -> None:
    local = "http://127.0.0.1:9/v1"
    desk = Desk(provider, base_url=local, sealed_key=seal("lab", local, "none"))
    provider.play = lambda call: [0.2, "hello", END]
    assert (await desk.ask()).text == "hello"
    assert LOCAL.first_byte > CLOUD.first_byte


async def test_a_cancelled_call_closes_its_request_and_gives_its_turn_back(provider: ScriptedProvider) -> None:
    desk = Desk(provider, replace(QUICK, idle=30, wall=30), max_concurrent=1)
    provider.play = lambda call: ["hello", 20.0]
    asking = asyncio.ensure_future(desk.ask())
    while not desk.deltas:  # noqa: ASYNC110 - the double has no event to wait for
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert provider.open == 0
    provider.play = lambda call: ["hello", END]
    async with asyncio.timeout(1):
        await desk.ask()


# --- money and tokens


async def test_an_answer_costs_what_the_provider_counted(desk: Desk) -> None:
    desk.provider.play = lambda call: ["hello", Done("stop", 1_000, 500, 0)]
    await desk.ask()
    assert desk.notebook.began[0].cost == 1_000 + 2 * 500


async def test_without_counts_tokens_are_estimated_and_marked(desk: Desk) -> None:
    desk.provider.play = lambda call: ["x" * 35, Done("stop")]
    reply = await desk.ask()
    assert reply.usage == Usage(PROMPT_TOKENS, 10, 0, reported=False)
    assert desk.notebook.began[0].cost == PROMPT_TOKENS + 2 * 10


@pytest.mark.parametrize("count", [-1, -(2**40), 2**40, 12.5, math.nan, "many"])
async def test_a_count_that_cannot_be_true_is_replaced_by_our_estimate(desk: Desk, count: Any) -> None:
    desk.provider.play = lambda call: ["x" * 35, Done("stop", count, count, count)]
    reply = await desk.ask()
    assert reply.usage == Usage(PROMPT_TOKENS, 10, 0, reported=False)
    assert desk.notebook.began[0].cost == PROMPT_TOKENS + 2 * 10


async def test_an_unknown_price_costs_nobody_knows_what(provider: ScriptedProvider) -> None:
    desk = Desk(provider, price=None)
    await desk.ask()
    assert (desk.notebook.began[0].cost, desk.notebook.began[0].held) == (None, 0)


async def test_a_request_that_broke_off_costs_what_had_arrived(desk: Desk) -> None:
    desk.provider.play = lambda call: ["x" * 35, ProviderError("refused", billed=True)]
    await desk.refusal()
    assert desk.notebook.began[0].cost == PROMPT_TOKENS + 2 * 10
    assert not desk.notebook.began[0].usage.reported


async def test_a_request_that_was_refused_at_once_costs_nothing(desk: Desk) -> None:
    desk.provider.play = lambda call: failing("provider_auth")
    await desk.refusal()
    assert desk.notebook.began[0].cost == 0


async def test_every_failed_try_is_recorded_with_its_cost(desk: Desk) -> None:
    turns: list[Turn] = [["x" * 35, ProviderError("stream_cut", billed=True)], ["hello", Done("stop", 10, 5, 0)]]
    desk.provider.play = lambda call: turns.pop(0)
    await desk.ask()
    assert [(code, cost) for code, _, cost in desk.notebook.ended] == [("stream_cut", PROMPT_TOKENS + 20)]
    assert desk.notebook.began[1].cost == 20


async def test_the_worst_case_is_held_before_the_request(desk: Desk) -> None:
    await desk.ask()
    assert desk.notebook.began[0].held == PROMPT_TOKENS + 2 * PROMPT.max_output_tokens


@pytest.mark.parametrize(
    ("characters", "counted", "in_part"),
    [(70_000, 9_000, True), (70_000, 11_000, False), (4_000, 100, False), (70_000, None, False)],
)
async def test_a_prompt_that_was_cut_silently_is_noticed(
    desk: Desk, characters: int, counted: int | None, in_part: bool
) -> None:
    desk.provider.play = lambda call: ["hello", Done("stop", counted, 5, 0)]
    reply = await desk.ask(replace(PROMPT, messages=(Message("user", "u" * characters),)))
    assert reply.read_in_part is in_part


def test_a_route_shows_no_key() -> None:
    assert "sealed_key" not in repr(Desk.default())
