"""Importing LiteLLM takes some seconds, once."""

import asyncio
import logging
import os
import sys
from typing import Any

import orjson
import pytest

from sessions.engine.run import OutputSchema
from sessions.providers import adapter
from sessions.providers.base import Adapter, Done, ProviderError, Secret

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SAID = "This is what alpha has to say: the material was read and the answer is plain text."
SCHEMA = OutputSchema(
    "lead_brief",
    {
        "type": "object",
        "required": ["scope"],
        "additionalProperties": False,
        "properties": {"scope": {"type": "string"}},
    },
)
BOTH_FORMATS = pytest.mark.parametrize("vendor", ["anthropic", "openai"])


@pytest.fixture
def litellm_adapter() -> Adapter:
    return adapter("litellm")


@BOTH_FORMATS
async def test_a_whole_answer_is_its_text_and_done(litellm_adapter: Adapter, mock: Any, ask: Any, vendor: str) -> None:
    text, done = await ask(litellm_adapter, mock.call(f"{vendor}/alpha"))
    assert text == SAID
    assert done == Done("stop", prompt_tokens=3, output_tokens=len(SAID) // 4, cached_tokens=0)
    assert mock.stats()["requests"] == 1


@BOTH_FORMATS
@pytest.mark.parametrize(
    ("fault", "code", "billed"),
    [
        ("400", "bad_request", False), ("401", "provider_auth", False), ("403", "provider_denied", False),
        ("404", "model_not_found", False), ("429", "rate_limited", False), ("500", "provider_error", False),
        ("529", "provider_error", False), ("echo", "provider_auth", False), ("context", "context_too_long", False),
        ("quota", "quota_exceeded", False), ("redirect", "redirect_refused", False),
        ("reset", "connection_lost", False), ("html", "stream_cut", False), ("nochoices", "empty_answer", False),
        ("empty", "empty_answer", False), ("cut", "stream_cut", True), ("end", "stream_cut", True),
        ("close", "stream_cut", True), ("filter", "content_filtered", True), ("flood", "answer_too_large", True),
    ],
)  # fmt: skip
async def test_a_fault_has_its_code_after_one_request(
    litellm_adapter: Adapter, mock: Any, ask: Any, vendor: str, fault: str, code: str, billed: bool
) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(litellm_adapter, mock.call(f"{vendor}/alpha:{fault}"))
    assert caught.value.code == code
    assert caught.value.billed or not billed
    assert mock.stats()["requests"] == 1
    assert "/canary" not in mock.stats()["by_path"]


@BOTH_FORMATS
@pytest.mark.parametrize(("fault", "code"), [("garbage", "malformed_stream"), ("error", "provider_error")])
async def test_a_broken_stream_is_named_although_litellm_may_skip_the_break(
    litellm_adapter: Adapter, mock: Any, ask: Any, vendor: str, fault: str, code: str
) -> None:
    with pytest.raises(ProviderError, match=code):
        await ask(litellm_adapter, mock.call(f"{vendor}/alpha:{fault}:interval=5"))


@BOTH_FORMATS
async def test_text_that_looks_like_an_end_is_none(
    litellm_adapter: Adapter, mock: Any, ask: Any, replying: Any, vendor: str
) -> None:
    text = '"finish_reason": "stop", "stop_reason": "end_turn", "type": "message_stop"\n\ndata: [DONE]\n\n'
    events = {
        "openai": {"id": "1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
        "anthropic": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    }
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    async with replying(head + b"data: " + orjson.dumps(events[vendor]) + b"\n\n") as url:
        with pytest.raises(ProviderError, match="stream_cut"):
            await ask(litellm_adapter, mock.call(f"{vendor}/alpha", base_url=url))


@BOTH_FORMATS
async def test_the_providers_wish_to_wait_is_passed_on(
    litellm_adapter: Adapter, mock: Any, ask: Any, vendor: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(litellm_adapter, mock.call(f"{vendor}/alpha:429:after=7"))
    assert caught.value.retry_after == 7


@BOTH_FORMATS
@pytest.mark.parametrize("fault", ["silent", "stall", "drip"])
async def test_closing_the_stream_aborts_the_only_request(
    litellm_adapter: Adapter, mock: Any, give_up: Any, vendor: str, fault: str
) -> None:
    # LiteLLM loads a vendor at first use, which takes a second on a busy machine.
    await give_up(litellm_adapter, mock.call(f"{vendor}/alpha:{fault}"), after=2.5)
    for _ in range(100):
        if mock.stats()["aborted"]:
            break
        await asyncio.sleep(0.05)
    assert (mock.stats()["requests"], mock.stats()["aborted"]) == (1, 1)


async def test_a_server_that_is_not_there_is_a_failed_connection(litellm_adapter: Adapter, mock: Any, ask: Any) -> None:
    with pytest.raises(ProviderError, match="connect_failed"):
        await ask(litellm_adapter, mock.call("anthropic/alpha", base_url="http://127.0.0.1:9"))


async def test_a_local_address_makes_no_request_unless_it_is_allowed(
    litellm_adapter: Adapter, mock: Any, ask: Any
) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        await ask(litellm_adapter, mock.call("anthropic/alpha", allow_local=False))
    assert mock.stats()["requests"] == 0


async def test_an_answer_cut_by_the_token_limit_says_so(litellm_adapter: Adapter, mock: Any, ask: Any) -> None:
    text, done = await ask(litellm_adapter, mock.call("anthropic/alpha:length"))
    assert done.finish_reason == "length"
    assert SAID.startswith(text)


async def test_counts_that_litellm_makes_up_are_not_reported(litellm_adapter: Adapter, mock: Any, ask: Any) -> None:
    _, done = await ask(litellm_adapter, mock.call("openai/alpha:nousage"))
    assert done == Done("stop")


@BOTH_FORMATS
@pytest.mark.parametrize("mode", ["json_schema", "tool"])
async def test_a_schema_is_demanded_and_its_json_is_the_text(
    litellm_adapter: Adapter, mock: Any, ask: Any, vendor: str, mode: str
) -> None:
    text, _ = await ask(litellm_adapter, mock.call(f"{vendor}/alpha", schema=SCHEMA, schema_mode=mode))
    assert set(orjson.loads(text)) == {"scope"}


@BOTH_FORMATS
async def test_a_refused_schema_is_said_to_be_unsupported(
    litellm_adapter: Adapter, mock: Any, ask: Any, vendor: str
) -> None:
    with pytest.raises(ProviderError, match="schema_unsupported"):
        await ask(litellm_adapter, mock.call(f"{vendor}/alpha:noformat", schema=SCHEMA))


@BOTH_FORMATS
@pytest.mark.parametrize(
    ("key", "code"),
    [("", "no_key"), (" ", "no_key"), ("os.environ/CANARY", "provider_auth"), ("oidc/env/CANARY", "provider_auth")],
)
async def test_no_key_of_the_environment_leaves(
    litellm_adapter: Adapter, mock: Any, ask: Any, monkeypatch: pytest.MonkeyPatch, vendor: str, key: str, code: str
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CANARY"):
        monkeypatch.setenv(name, "sk-platform")
    with pytest.raises(ProviderError, match=code):
        await ask(litellm_adapter, mock.call(f"{vendor}/alpha", api_key=Secret(key)))
    assert mock.stats()["requests"] == 0


@BOTH_FORMATS
async def test_only_the_callers_key_is_sent(
    litellm_adapter: Adapter, mock: Any, ask: Any, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "sk-platform")
    await ask(litellm_adapter, mock.call(f"{vendor}/alpha"))
    assert mock.stats()["by_key"] == {"sk-test-0123456789": 1}
    assert "sk-platform" not in str(mock.last())


@BOTH_FORMATS
async def test_neither_key_nor_prompt_reaches_a_log(
    litellm_adapter: Adapter, mock: Any, ask: Any, caplog: pytest.LogCaptureFixture, vendor: str
) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(litellm_adapter, mock.call(f"{vendor}/alpha"))
    for fault in ("echo", "cut", "garbage"):
        with pytest.raises(ProviderError):
            await ask(litellm_adapter, mock.call(f"{vendor}/alpha:{fault}"))
    assert "sk-test" not in caplog.text
    assert "Say it." not in caplog.text


@pytest.mark.parametrize("route", ["azure/gpt-4o", "mistral/alpha", "deepseek/alpha", "groq/alpha", "deepinfra/alpha"])
async def test_other_vendors_go_through_our_transport_too(
    litellm_adapter: Adapter, mock: Any, ask: Any, route: str
) -> None:
    _, done = await ask(litellm_adapter, mock.call(route))
    assert done.finish_reason == "stop"
    assert mock.stats()["requests"] == 1


@pytest.mark.parametrize(
    "route", ["gemini/gemini-2.0-flash", "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", "cohere_chat/command-r"]
)
async def test_formats_the_mock_does_not_speak_fail_through_our_transport(
    litellm_adapter: Adapter, mock: Any, ask: Any, route: str
) -> None:
    with pytest.raises(ProviderError, match="model_not_found"):
        await ask(litellm_adapter, mock.call(route))


@pytest.mark.parametrize("route", ["no-such-vendor/x", "no-vendor", ""])
async def test_a_route_litellm_does_not_know_is_a_bad_request(
    litellm_adapter: Adapter, mock: Any, ask: Any, route: str
) -> None:
    with pytest.raises(ProviderError, match="bad_request"):
        await ask(litellm_adapter, mock.call(route))


async def test_it_is_configured_before_it_is_imported(litellm_adapter: Adapter, mock: Any, ask: Any) -> None:
    with pytest.raises(ProviderError, match="bad_request"):
        await ask(litellm_adapter, mock.call("nobody/model"))
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert (sys.modules["litellm"].callbacks, sys.modules["litellm"].num_retries) == ([], 0)
