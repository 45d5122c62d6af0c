"""Any OpenAI-compatible endpoint, spoken over the shared aiohttp session: OpenAI, Ollama, vLLM, LM Studio, llama.cpp.

The token path is bytes in, text out: one pass over the lines that a read brought, one orjson call a line, one Delta a
read. A whole JSON document in reply to a stream request is read as one event, because it has the same shape.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, Literal

import aiohttp
import orjson
from yarl import URL

from sessions.engine.run import OutputSchema
from sessions.providers.base import Delta, Done, ProviderCall, ProviderError, SchemaMode, Secret
from sessions.providers.egress import check_url, close_sessions, http_session, usable_key, wire_errors
from sessions.providers.failures import code_in_stream, refusal

# After the answer is whole: for the usage, [DONE] and the end of the body, so that the connection can be used again.
SETTLE_SECONDS = 1.0
MAX_TOKENS = 2**31

# OpenAI's newer models refuse the field that everybody else still calls `max_tokens`.
_LIMIT_FIELD = {"api.openai.com": "max_completion_tokens"}

# Every other real finish reason counts as `stop`.
_FINISH_REASONS: dict[str, Literal["length"]] = {"length": "length", "max_tokens": "length", "model_length": "length"}
_FAILED_FINISH = {
    "content_filter": "content_filtered",
    "error": "provider_error",
    "insufficient_system_resource": "provider_error",
    "abort": "stream_cut",
}
# SSE lines that carry nothing for us: blank ones, comments, and the fields beside `data`.
_OTHER_LINES = (b":", b"event:", b"id:", b"retry:", b"\r")

_SCHEMA_FIELDS: dict[SchemaMode, Callable[[OutputSchema], dict[str, Any]]] = {
    "json_schema": lambda schema: {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": schema.name, "schema": schema.schema, "strict": True},
        }
    },
    "tool": lambda schema: {
        "tools": [{"type": "function", "function": {"name": schema.name, "parameters": schema.schema}}],
        "tool_choice": {"type": "function", "function": {"name": schema.name}},
    },
    "json_object": lambda schema: {"response_format": {"type": "json_object"}},
    "prompt": lambda schema: {},
}


class OpenAIWireAdapter:
    """The adapter `openai_wire`. A base URL is required and ends before `/chat/completions`."""

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Delta | Done, None]:
        """One request. An empty Delta says that the model is at work on something that is not answer text."""
        url = _endpoint(call.base_url, "chat/completions", call.allow_local)
        headers = {**_authorization(call.api_key), "Content-Type": "application/json"}
        body = orjson.dumps(_request(call, url.host or ""))
        timeout = aiohttp.ClientTimeout(total=None, connect=call.connect_timeout)
        answer = _Answer(schema_asked=call.schema is not None)
        try:
            with wire_errors():
                async with http_session(call.allow_local).post(
                    url, data=body, headers=headers, allow_redirects=False, timeout=timeout
                ) as response:
                    if response.status != 200:
                        raise await refusal(response, schema_asked=call.schema is not None)
                    async with aclosing(_texts(response, answer, call.max_bytes)) as texts:
                        async for text in texts:
                            yield Delta(text)
            yield answer.done()
        except ProviderError as error:
            error.billed = answer.begun
            raise

    async def prepare(self) -> None:
        """There is nothing to load."""

    async def close(self) -> None:
        await close_sessions()


def schema_fields(schema: OutputSchema | None, mode: SchemaMode) -> dict[str, Any]:
    """The request fields that demand a schema, in OpenAI's terms."""
    return _SCHEMA_FIELDS[mode](schema) if schema else {}


class _Answer:
    """What one body in OpenAI's format says, read in pieces. Raises ProviderError as soon as it is of no use."""

    def __init__(self, *, schema_asked: bool) -> None:
        self.begun = False
        self.whole = False
        self._schema_asked = schema_asked
        self._rest = b""
        self._said: list[str] = []
        self._spoke = self._refused = False
        self._finish_reason = ""
        self._usage: dict[str, Any] = {}

    def feed(self, piece: bytes) -> str | None:
        """The answer text in a piece of event stream: "" when it held only reasoning, None when it held neither."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            try:
                self._read_line(line)
            except ProviderError:
                if not self.whole:  # what follows a whole answer cannot spoil it
                    raise
        return self._take()

    def feed_document(self, body: bytes) -> str | None:
        """The answer text in a body that is one JSON document."""
        self._read_event(body)
        self.whole = True
        return self._take()

    def end(self) -> str | None:
        """What the last line of an event stream says when the body ended without a line end."""
        with suppress(ProviderError):  # half a line: the answer is cut, not malformed
            return self.feed(b"\n")
        return None

    def done(self) -> Done:
        """Raises ProviderError unless the answer is whole, has text and was not refused."""
        if not self.whole:
            raise ProviderError("stream_cut")
        code = "refused" if self._refused else _FAILED_FINISH.get(self._finish_reason)
        if code or not self._spoke:
            raise ProviderError(code or "empty_answer")
        usage = self._usage
        details = usage.get("prompt_tokens_details")
        return Done(
            _FINISH_REASONS.get(self._finish_reason, "stop"),
            _count(usage.get("prompt_tokens")) or None,  # no prompt has none: the server did not count
            _count(usage.get("completion_tokens")),
            _count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        )

    def _read_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._read_event(line[5:].strip())
        elif line and not line.startswith(_OTHER_LINES):
            raise ProviderError("malformed_stream")

    def _read_event(self, payload: bytes) -> None:
        if payload == b"[DONE]":
            self.whole = True
            return
        try:
            event = orjson.loads(payload)
            if error := event.get("error"):
                raise ProviderError(code_in_stream(error, schema_asked=self._schema_asked))
            if isinstance(usage := event.get("usage"), dict):
                self._usage = usage
            if choices := event.get("choices"):
                self._read_choice(choices[0])
        except (AttributeError, LookupError, TypeError, ValueError):  # not JSON, or not the shape of an event
            raise ProviderError("malformed_stream") from None

    def _read_choice(self, choice: dict[str, Any]) -> None:
        said = choice.get("delta") or choice.get("message") or {}
        if content := said.get("content"):
            self._said.append(content if isinstance(content, str) else _join_parts(content))
        if (calls := said.get("tool_calls")) and not calls[0].get("index"):
            self._said.append(str(calls[0]["function"].get("arguments") or ""))
        if said.get("reasoning_content") or said.get("reasoning"):
            self._said.append("")
        self._refused = self._refused or bool(said.get("refusal"))
        self.begun = self.begun or bool(self._said) or self._refused
        if reason := choice.get("finish_reason"):
            self._finish_reason = str(reason)
            self.whole = True

    def _take(self) -> str | None:
        if not self._said:
            return None
        text = "".join(self._said)
        self._said.clear()
        self._spoke = self._spoke or bool(text)
        return text


async def _texts(response: aiohttp.ClientResponse, answer: _Answer, max_bytes: int) -> AsyncGenerator[str, None]:
    """Answer text as it arrives. Returns when the answer is whole, or the body ended without that."""
    if response.content_type == "application/json":
        text = answer.feed_document(await _whole_body(response, max_bytes))
        if text is not None:
            yield text
        return
    received = 0
    async for piece in response.content.iter_any():
        received += len(piece)
        if received > max_bytes:
            raise ProviderError("answer_too_large")
        text = answer.feed(piece)
        if text is not None:
            yield text
        if answer.whole:
            await _settle(response, answer)
            return
    text = answer.end()
    if text is not None:
        yield text


async def _settle(response: aiohttp.ClientResponse, answer: _Answer) -> None:
    """Read on for the usage, but not for long."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            async for piece in response.content.iter_any():
                answer.feed(piece)


async def _whole_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > max_bytes:
            raise ProviderError("answer_too_large")
    return bytes(body)


def _endpoint(base_url: str, path: str, allow_local: bool) -> URL:
    return check_url(base_url, allow_local) / path


def _authorization(api_key: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {usable_key(api_key)}"}


def _request(call: ProviderCall, host: str) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": call.route,
        "messages": [{"role": message.role, "content": message.content} for message in call.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        _LIMIT_FIELD.get(host, "max_tokens"): call.max_output_tokens,
        **schema_fields(call.schema, call.schema_mode),
    }
    if call.temperature is not None:
        request["temperature"] = call.temperature
    return request


def _join_parts(parts: list[dict[str, Any]]) -> str:
    """Content that some servers send as a list of typed parts."""
    return "".join(part["text"] for part in parts if part.get("type") == "text")


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < MAX_TOKENS else None
