import logging
import random
from typing import Any

import orjson
import pytest

from sessions.engine.errors import ERRORS
from sessions.engine.run import OutputSchema
from sessions.providers.base import Delta, Done, ProviderError, Secret
from sessions.providers.egress import http_session
from sessions.providers.openai_wire import OpenAIWireAdapter

ADAPTER = OpenAIWireAdapter()
SCHEMA = OutputSchema(
    "lead_brief",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["scope", "checks"],
        "properties": {"scope": {"type": "string"}, "checks": {"type": "array", "items": {"type": "string"}}},
    },
)
SAID = "This is what alpha has to say: the material was read and the answer is plain text."


# The answer


@pytest.mark.parametrize("flags", ["", ":json", ":nodone", ":nofinish", ":think", ":chunks=1", ":interval=1"])
async def test_a_whole_answer_is_its_text_and_done(mock: Any, ask: Any, flags: str) -> None:
    text, done = await ask(ADAPTER, mock.call("alpha" + flags))
    assert (text, done.finish_reason) == (SAID, "stop")
    assert mock.stats()["requests"] == 1


async def test_it_streams_what_has_arrived(mock: Any) -> None:
    call = mock.call("alpha:chunks=5:interval=20")
    pieces = [piece async for piece in ADAPTER.stream(call)]
    texts = [piece.text for piece in pieces if isinstance(piece, Delta)]
    assert (len(texts), "".join(texts)) == (5, SAID)


async def test_usage_is_what_the_provider_counted(mock: Any, ask: Any) -> None:
    _, done = await ask(ADAPTER, mock.call("alpha"))
    assert done == Done(
        "stop", prompt_tokens=len("Rules.\nSay it.") // 4, output_tokens=len(SAID) // 4, cached_tokens=0
    )


async def test_usage_is_none_when_the_provider_did_not_say(mock: Any, ask: Any) -> None:
    _, done = await ask(ADAPTER, mock.call("alpha:nousage"))
    assert done == Done("stop")


async def test_reasoning_is_a_sign_of_life_and_no_text(mock: Any) -> None:
    pieces = [piece async for piece in ADAPTER.stream(mock.call("alpha:think:interval=20"))]
    assert pieces[0] == Delta("")


async def test_an_answer_cut_by_the_token_limit_says_so(mock: Any, ask: Any) -> None:
    text, done = await ask(ADAPTER, mock.call("alpha:length"))
    assert done.finish_reason == "length"
    assert SAID.startswith(text)


# The request


async def test_it_asks_for_a_stream_with_usage_and_a_limit(mock: Any, ask: Any) -> None:
    await ask(ADAPTER, mock.call("alpha", max_output_tokens=123, temperature=0.5))
    assert mock.last()["body"] == {
        "model": "alpha",
        "messages": [{"role": "system", "content": "Rules."}, {"role": "user", "content": "Say it."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 123,
        "temperature": 0.5,
    }


async def test_no_temperature_is_sent_when_none_is_set(mock: Any, ask: Any) -> None:
    await ask(ADAPTER, mock.call("alpha"))
    assert "temperature" not in mock.last()["body"]


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/api/openai/v1"])
async def test_the_path_is_the_base_url_and_chat_completions(mock: Any, ask: Any, base: str) -> None:
    await ask(ADAPTER, mock.call("alpha", base_url=mock.url + base))
    assert mock.last()["path"] == base.rstrip("/") + "/chat/completions"


@pytest.mark.parametrize("mode", ["json_schema", "tool"])
async def test_a_schema_is_demanded_in_the_providers_terms(mock: Any, ask: Any, mode: str) -> None:
    text, _ = await ask(ADAPTER, mock.call("alpha", schema=SCHEMA, schema_mode=mode))
    assert set(orjson.loads(text)) == {"scope", "checks"}


async def test_json_object_mode_sends_no_schema(mock: Any, ask: Any) -> None:
    await ask(ADAPTER, mock.call("alpha", schema=SCHEMA, schema_mode="json_object"))
    assert mock.last()["body"]["response_format"] == {"type": "json_object"}


async def test_prompt_mode_sends_nothing_extra(mock: Any, ask: Any) -> None:
    await ask(ADAPTER, mock.call("alpha", schema=SCHEMA, schema_mode="prompt"))
    assert not {"response_format", "tools", "tool_choice"} & set(mock.last()["body"])


async def test_the_key_goes_in_the_header_and_the_prompt_in_the_body_only(mock: Any, ask: Any) -> None:
    await ask(ADAPTER, mock.call("alpha"))
    headers = mock.last()["headers"]
    assert headers["authorization"] == "Bearer sk-test-0123456789"
    assert set(headers) == {
        "host",
        "authorization",
        "content-type",
        "content-length",
        "accept",
        "accept-encoding",
        "user-agent",
    }


@pytest.mark.parametrize("key", ["", "  "])
async def test_a_call_without_a_key_makes_no_request(mock: Any, ask: Any, key: str) -> None:
    with pytest.raises(ProviderError, match="no_key"):
        await ask(ADAPTER, mock.call("alpha", api_key=Secret(key)))
    assert mock.stats()["requests"] == 0


async def test_a_local_address_makes_no_request_unless_it_is_allowed(mock: Any, ask: Any) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        await ask(ADAPTER, mock.call("alpha", allow_local=False))
    assert mock.stats()["requests"] == 0


@pytest.mark.parametrize("base_url", ["", "not a url", "ftp://127.0.0.1"])
async def test_a_call_without_a_usable_base_url_is_blocked(mock: Any, ask: Any, base_url: str) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        await ask(ADAPTER, mock.call("alpha", base_url=base_url))


async def test_calls_share_connections(mock: Any, ask: Any) -> None:
    for _ in range(5):
        await ask(ADAPTER, mock.call("alpha"))
    connector = http_session(allow_local=True).connector
    assert connector is not None
    assert sum(len(idle) for idle in connector._conns.values()) == 1


# What goes wrong


@pytest.mark.parametrize(
    ("fault", "code", "billed"),
    [
        ("401", "provider_auth", False), ("402", "quota_exceeded", False), ("403", "provider_denied", False),
        ("404", "model_not_found", False), ("429", "rate_limited", False), ("500", "provider_error", False),
        ("503", "provider_error", False), ("529", "provider_error", False), ("400", "bad_request", False),
        ("echo", "provider_auth", False), ("context", "context_too_long", False), ("quota", "quota_exceeded", False),
        ("redirect", "redirect_refused", False), ("reset", "connection_lost", False),
        ("html", "malformed_stream", False), ("nochoices", "empty_answer", False),
        ("empty", "empty_answer", False), ("json:empty", "empty_answer", False),
        ("json:nochoices", "empty_answer", False), ("json:cut", "stream_cut", False),
        ("cut", "stream_cut", True), ("end", "stream_cut", True), ("close", "stream_cut", True),
        ("garbage", "malformed_stream", True), ("error", "provider_error", True), ("filter", "content_filtered", True),
        ("refusal", "refused", True), ("huge", "answer_too_large", True), ("flood", "answer_too_large", True),
    ],
)  # fmt: skip
async def test_a_fault_has_its_code_after_one_request(mock: Any, ask: Any, fault: str, code: str, billed: bool) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(ADAPTER, mock.call(f"alpha:{fault}"))
    assert (caught.value.code, caught.value.billed) == (code, billed)
    assert mock.stats()["requests"] == 1


@pytest.mark.parametrize(
    ("after", "least", "most"),
    [("7", 7, 7), ("0", 0, 0), ("99999999", 99999999, 99999999), ("date", 25, 31)],
)
async def test_the_providers_wish_to_wait_is_passed_on(mock: Any, ask: Any, after: str, least: int, most: int) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(ADAPTER, mock.call(f"alpha:429:after={after}"))
    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most


@pytest.mark.parametrize("after", ["-3", "nan", "inf", "soon"])
async def test_a_senseless_wish_to_wait_is_none(mock: Any, ask: Any, after: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(ADAPTER, mock.call(f"alpha:429:after={after}"))
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        ("noschema", ["json_schema"]),
        ("notools", ["json_schema", "tool"]),
        ("noformat", ["json_schema", "tool", "json_object"]),
    ],
)
async def test_a_refused_format_can_be_asked_for_in_a_simpler_one(
    mock: Any, ask: Any, fault: str, refused: list[str]
) -> None:
    for mode in refused:
        with pytest.raises(ProviderError, match="schema_unsupported"):
            await ask(ADAPTER, mock.call(f"alpha:{fault}", schema=SCHEMA, schema_mode=mode))
    _, done = await ask(ADAPTER, mock.call(f"alpha:{fault}", schema=SCHEMA, schema_mode="prompt"))
    assert done.finish_reason == "stop"


async def test_a_server_that_is_not_there_is_a_failed_connection(ask: Any, mock: Any) -> None:
    with pytest.raises(ProviderError, match="connect_failed"):
        await ask(ADAPTER, mock.call("alpha", base_url="http://127.0.0.1:9"))


async def test_a_server_that_never_shakes_hands_runs_into_the_connect_deadline(mock: Any, ask: Any) -> None:
    call = mock.call("alpha", base_url=mock.url.replace("http:", "https:"), connect_timeout=0.2)
    with pytest.raises(ProviderError, match="timeout_connect"):
        await ask(ADAPTER, call)


async def test_a_redirect_is_not_followed(mock: Any, ask: Any) -> None:
    with pytest.raises(ProviderError, match="redirect_refused"):
        await ask(ADAPTER, mock.call("alpha:redirect"))
    assert "/canary" not in mock.stats()["by_path"]


@pytest.mark.parametrize("fault", ["silent", "stall", "drip"])
async def test_closing_the_stream_aborts_the_request(mock: Any, give_up: Any, fault: str) -> None:
    await give_up(ADAPTER, mock.call(f"alpha:{fault}"), after=0.2)
    assert mock.stats()["aborted"] == 1


async def test_a_key_that_the_provider_echoes_is_nowhere(mock: Any, ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ProviderError) as caught:
        await ask(ADAPTER, mock.call("alpha:echo"))
    assert "sk-test" not in caplog.text + str(caught.value) + repr(caught.getrepr(chain=True, showlocals=False))


# Bodies no decent server sends

EVENTS = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"content": "Hello "}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"content": "wörld"}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
]
BODY = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in EVENTS) + b"data: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def _event_stream(*events: Any) -> bytes:
    return HEAD + b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)


async def _outcome(ask: Any, replying: Any, mock: Any, reply: bytes) -> tuple[str, str]:
    async with replying(reply) as url:
        try:
            text, _ = await ask(ADAPTER, mock.call("alpha", base_url=url))
        except ProviderError as error:
            return error.code, ""
    return "done", text


@pytest.mark.parametrize("framing", ["close", "chunked"])
async def test_a_stream_cut_after_any_byte_is_whole_or_named(mock: Any, ask: Any, replying: Any, framing: str) -> None:
    reply = HEAD + BODY
    if framing == "chunked":
        head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
        reply = head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:150], BODY[150:])) + b"0\r\n\r\n"
    finish = reply.index(b'"finish_reason":"stop"') + len(b'"finish_reason":"stop"')
    seen = set()
    for end in range(0, len(reply) + 1, 3):
        code, text = await _outcome(ask, replying, mock, reply[:end])
        seen.add(code)
        assert code in ("connection_lost", "malformed_stream", "stream_cut") if end < finish else True
        assert code != "done" or text == "Hello wörld"
    assert seen >= {"done", "stream_cut", "connection_lost"}


async def test_a_last_line_without_its_end_counts(mock: Any, ask: Any, replying: Any) -> None:
    event = {"choices": [{"delta": {"content": "all"}, "finish_reason": "stop"}]}
    assert await _outcome(ask, replying, mock, _event_stream(event).rstrip()) == ("done", "all")


async def test_carriage_returns_comments_and_other_fields_are_skipped(mock: Any, ask: Any, replying: Any) -> None:
    body = b": wait\n\nevent: message\nid: 1\nretry: 5\n" + BODY
    assert await _outcome(ask, replying, mock, HEAD + body.replace(b"\n", b"\r\n")) == ("done", "Hello wörld")


async def test_content_may_come_in_parts(mock: Any, ask: Any, replying: Any) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    event = {"choices": [{"delta": {"content": parts}, "finish_reason": "stop"}]}
    assert await _outcome(ask, replying, mock, _event_stream(event)) == ("done", "ab")


async def test_only_the_first_of_several_tool_calls_is_the_answer(mock: Any, ask: Any, replying: Any) -> None:
    events = [
        {"choices": [{"delta": {"tool_calls": [{"index": index, "function": {"arguments": text}}]}}]}
        for index, text in ((0, '{"a":'), (1, '{"b":'), (0, "1}"))
    ]
    done = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    assert await _outcome(ask, replying, mock, _event_stream(*events, done)) == ("done", '{"a":1}')


@pytest.mark.parametrize(
    "event",
    [
        None, 7, "text", [], [1], {"choices": 7}, {"choices": {"0": 1}}, {"choices": [7]}, {"choices": [{"delta": 7}]},
        {"choices": [{"delta": {"content": 7}}]}, {"choices": [{"delta": {"content": {"a": 1}}}]},
        {"choices": [{"delta": {"tool_calls": 7}}]}, {"choices": [{"delta": {"tool_calls": [{}]}}]},
    ],
)  # fmt: skip
async def test_an_event_of_another_shape_is_malformed(mock: Any, ask: Any, replying: Any, event: Any) -> None:
    assert await _outcome(ask, replying, mock, _event_stream(event)) == ("malformed_stream", "")


@pytest.mark.parametrize(
    "usage", [None, 7, [], {"prompt_tokens": "5"}, {"prompt_tokens": -1, "completion_tokens": 1e9}]
)
async def test_odd_usage_does_not_spoil_an_answer(mock: Any, ask: Any, replying: Any, usage: Any) -> None:
    event = {"choices": [{"delta": {"content": "yes"}, "finish_reason": "stop"}], "usage": usage}
    assert await _outcome(ask, replying, mock, _event_stream(event)) == ("done", "yes")


async def test_a_compressed_body_is_malformed(mock: Any, ask: Any, replying: Any) -> None:
    head = HEAD.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection")
    assert await _outcome(ask, replying, mock, head + b"\x1f\x8b\x08\x00\n") == ("malformed_stream", "")


async def test_text_that_looks_like_an_end_is_none(mock: Any, ask: Any, replying: Any) -> None:
    text = '"finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    assert await _outcome(ask, replying, mock, _event_stream({"choices": [{"delta": {"content": text}}]})) == (
        "stream_cut",
        "",
    )


async def test_what_follows_a_whole_answer_cannot_spoil_it(mock: Any, ask: Any, replying: Any) -> None:
    assert await _outcome(ask, replying, mock, HEAD + BODY + b"data: {broken\n\n") == ("done", "Hello wörld")


async def test_any_mangled_reply_is_an_answer_or_named(mock: Any, ask: Any, replying: Any) -> None:
    chance = random.Random(7)
    for _ in range(300):
        reply = bytearray(HEAD + BODY)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(reply))
            reply[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        code, _ = await _outcome(ask, replying, mock, bytes(reply))
        assert code == "done" or code in ERRORS
