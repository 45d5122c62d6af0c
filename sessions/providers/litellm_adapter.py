"""Whatever LiteLLM names (anthropic/..., gemini/..., azure/..., bedrock/...), over our own transport.

LiteLLM translates formats; it is not trusted with anything else. Left alone it retries, follows redirects, sends the
platform's key from the environment when the caller's is empty, copies error bodies (which can hold the key) into its
exceptions, and reports `stop` for a stream that simply ended. So every request it makes goes through `_Transport`: one
request per call, on the shared session with its address check, errors classified and kept from LiteLLM, and the body
watched for a real finish reason. What the transport saw decides; what LiteLLM raises is only looked at after that.
"""

import asyncio
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Any, Literal, TypeVar

import aiohttp
import httpx
import orjson
from yarl import URL

from sessions.providers.base import Delta, Done, ProviderCall, ProviderError
from sessions.providers.egress import check_url, close_sessions, http_session, usable_key, wire_errors
from sessions.providers.failures import code_for, code_in_stream, refusal
from sessions.providers.openai_wire import schema_fields

Result = TypeVar("Result")

# Read by LiteLLM while it is imported: no price list from the network, no .env file, no tokenizer downloads.
# Without these it fetches prices and beta headers from the network, and reads .env of the working directory.
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "HF_HUB_OFFLINE": "1",
}
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai", "botocore")
# LiteLLM wants a number; the gateway's deadlines come long before it.
_NO_TIMEOUT = 86_400.0

# A finish reason that is a string, in the words of all formats. No answer text can look like it: inside a JSON string
# a backslash stands before the second quote.
_FINISH = re.compile(
    rb'"(?:finish_reason|finishReason|stop_reason|stopReason|done_reason)"\s*:\s*"(?!not_finished)\w'
    rb'|"type"\s*:\s*"(?:message_stop|response\.completed)"'
)
_USAGE = re.compile(rb'"usage(?:Metadata)?"\s*:\s*\{')
_OVERLAP = 64  # bytes kept from the last piece, longer than any match
_OUR_HEADERS = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent")
# What LiteLLM replaces by a variable of our environment, or a token of this host, when it stands in a key's place.
_REFERENCES = ("os.environ/", "oidc/")

_IMPORTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="litellm-import")
_CURRENT: ContextVar["_Watch"] = ContextVar("current_litellm_call")


class LiteLLMAdapter:
    """The adapter `litellm`. `route` is LiteLLM's name (provider/model); `base_url` may replace the provider's own."""

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Delta | Done, None]:
        """One request. An empty Delta says that the model is at work on something that is not answer text."""
        if usable_key(call.api_key).startswith(_REFERENCES):
            raise ProviderError("provider_auth")
        litellm = await _loaded()
        watch, answer = _Watch(call), _Answer()
        try:
            async with aclosing(_chunks(litellm, call, watch)) as chunks:
                async for chunk in chunks:
                    text = answer.read(chunk)
                    if text is not None:
                        yield Delta(text)
            yield answer.done(watch)
        except ProviderError as error:
            error.billed = answer.begun
            raise
        finally:
            await watch.aclose()

    async def prepare(self) -> None:
        """Import LiteLLM, which takes seconds."""
        await _loaded()

    async def close(self) -> None:
        await close_sessions()


class _Watch(httpx.AsyncByteStream):
    """The only request of one call: sends it, judges the reply, and is the body that LiteLLM reads."""

    def __init__(self, call: ProviderCall) -> None:
        self.requests = 0
        self.error: ProviderError | None = None
        self.usage_reported = False
        self._call = call
        self._response: aiohttp.ClientResponse | None = None
        self._finished = self._ended = False
        self._received = 0
        self._window = self._line = b""

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ReadError, the one transport error that LiteLLM does not answer with a second request."""
        self.requests += 1
        with self._error_kept():
            self._response = await self._open(request)
            if self._response.status != 200:
                raise await refusal(self._response, schema_asked=self._call.schema is not None)
            if "Content-Encoding" in self._response.headers:
                raise ProviderError("malformed_stream")  # not asked for, and what it unpacks to has no limit
            return httpx.Response(200, headers=list(self._response.headers.items()), stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._response is not None
        with self._error_kept():
            async for piece in self._response.content.iter_any():
                self._examine(piece)
                yield piece
        self._ended = True

    async def aclose(self) -> None:
        if self._response is not None:
            self._response.close()

    @property
    def whole(self) -> bool:
        """A finish reason was seen, or the body was one JSON document that HTTP's framing proves complete."""
        if self._finished or self._response is None:
            return self._finished
        headers = self._response.headers
        framed = "Content-Length" in headers or "Transfer-Encoding" in headers
        return self._ended and framed and self._response.content_type == "application/json"

    async def _open(self, request: httpx.Request) -> aiohttp.ClientResponse:
        url = URL(str(request.url), encoded=True)
        check_url(str(url.origin()), self._call.allow_local)
        return await http_session(self._call.allow_local).request(
            request.method,
            url,
            data=await request.aread(),
            headers=[item for item in request.headers.multi_items() if item[0].lower() not in _OUR_HEADERS],
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._call.connect_timeout),
        )

    def _examine(self, piece: bytes) -> None:
        self._received += len(piece)
        if self._received > self._call.max_bytes:
            raise ProviderError("answer_too_large")
        self._window = self._window[-_OVERLAP:] + piece
        self._finished = self._finished or _FINISH.search(self._window) is not None
        self.usage_reported = self.usage_reported or _USAGE.search(self._window) is not None
        if self._response is not None and self._response.content_type == "text/event-stream":
            lines = (self._line + piece).split(b"\n")
            self._line = lines.pop()
            for line in lines:
                if line.startswith(b"data:"):
                    self._examine_event(line[5:].strip())

    def _examine_event(self, payload: bytes) -> None:
        """LiteLLM skips what it cannot parse, which would leave a hole in the answer."""
        if payload in (b"", b"[DONE]"):
            self._finished = self._finished or payload != b""
            return
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise ProviderError("malformed_stream") from None
        if isinstance(event, dict) and event.get("error"):
            raise ProviderError(code_in_stream(event["error"], schema_asked=self._call.schema is not None))

    @contextmanager
    def _error_kept(self) -> Iterator[None]:
        try:
            with wire_errors():
                yield
        except ProviderError as error:
            self.error = error
            raise httpx.ReadError("kept by the watch") from None


class _Transport(httpx.AsyncBaseTransport):
    """The transport of every client that LiteLLM makes."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        watch = _CURRENT.get(None)
        if watch is None or watch.requests:
            raise httpx.ReadError("only one request of a watched call may leave")
        return await watch.send(request)


class _Answer:
    """What LiteLLM's chunks say, in OpenAI's terms."""

    def __init__(self) -> None:
        self.begun = False
        self._spoke = False
        self._finish_reason = ""
        self._usage: Any = None

    def read(self, chunk: Any) -> str | None:
        """The answer text in a chunk: "" when it held only reasoning, None when it held neither."""
        self._usage = getattr(chunk, "usage", None) or self._usage
        if not chunk.choices:
            return None
        delta = chunk.choices[0].delta
        self._finish_reason = chunk.choices[0].finish_reason or self._finish_reason
        text = delta.content or ""
        for tool_call in (delta.tool_calls or [])[:1]:
            text += tool_call.function.arguments or ""
        if not text and not getattr(delta, "reasoning_content", None):
            return None
        self.begun = True
        self._spoke = self._spoke or bool(text)
        return text

    def done(self, watch: _Watch) -> Done:
        """Raises ProviderError unless the transport saw a whole answer, and it has text and passed the filter."""
        if watch.requests == 0:
            raise ProviderError("bad_request")  # the route does not use our transport: nothing is proved
        if not watch.whole:
            raise ProviderError("stream_cut")
        if self._finish_reason == "content_filter":
            raise ProviderError("content_filtered")
        if not self._spoke:
            raise ProviderError("empty_answer")
        finish_reason: Literal["stop", "length"] = "length" if self._finish_reason == "length" else "stop"
        if not watch.usage_reported or self._usage is None:  # without a report LiteLLM makes counts up
            return Done(finish_reason)
        details = self._usage.prompt_tokens_details
        cached = details.cached_tokens if details else None
        return Done(finish_reason, self._usage.prompt_tokens or None, self._usage.completion_tokens, cached)


async def _loaded() -> Any:
    return await asyncio.get_running_loop().run_in_executor(_IMPORTER, _litellm)


@cache
def _litellm() -> Any:
    """The configured module. The import takes seconds, so it has a thread of its own."""
    os.environ.update(_ENVIRONMENT)
    litellm: Any = import_module("litellm")
    for name in _LOGGERS:  # below this level they write prompts
        logging.getLogger(name).setLevel(logging.WARNING)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = False
    litellm.num_retries = 0
    litellm.callbacks, litellm.success_callback, litellm.failure_callback = [], [], []
    handler: Any = import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler
    # Every async client of LiteLLM, and of the SDKs it uses, gets its transport here.
    handler.create_async_transport = staticmethod(lambda *_, **__: _Transport())
    return litellm


async def _chunks(litellm: Any, call: ProviderCall, watch: _Watch) -> AsyncGenerator[Any, None]:
    """LiteLLM's chunks. Whatever it raises comes out as a ProviderError."""
    try:
        chunks = await _watched(watch, litellm.acompletion(**_arguments(call)))
        while (chunk := await _watched(watch, anext(chunks, None))) is not None:
            yield chunk
    except Exception as error:  # noqa: BLE001 - LiteLLM raises what all its parts raise; nothing may pass unmapped
        raise watch.error or _translated(error, call, watch) from None
    if watch.error:  # LiteLLM takes a broken body for the end of the answer
        raise watch.error


async def _watched(watch: _Watch, step: Awaitable[Result]) -> Result:
    """One step of LiteLLM's; some providers make their request in the first step, some when the stream is read."""
    token = _CURRENT.set(watch)
    try:
        return await step
    finally:
        _CURRENT.reset(token)


def _translated(error: Exception, call: ProviderCall, watch: _Watch) -> ProviderError:
    """What LiteLLM raised by itself: before the request it refuses arguments, after it the answer is unreadable."""
    if watch.requests:
        return ProviderError("malformed_stream")
    status = getattr(error, "status_code", 400)
    status = status if isinstance(status, int) and 400 <= status < 500 else 400
    return ProviderError(code_for(status, str(error).lower(), schema_asked=call.schema is not None))


def _arguments(call: ProviderCall) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": call.route,
        "messages": [{"role": message.role, "content": message.content} for message in call.messages],
        "api_key": call.api_key.value,
        "max_tokens": call.max_output_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_retries": 0,
        "num_retries": 0,
        "timeout": _NO_TIMEOUT,
        "_skip_mcp_handler": True,  # it needs a package that we do not install, for tools that we do not use
        **schema_fields(call.schema, call.schema_mode),
    }
    if call.base_url:
        arguments["api_base"] = call.base_url
    if call.temperature is not None:
        arguments["temperature"] = call.temperature
    return arguments
