"""What an error answer means: from status, headers and a complaint to one of our codes.

A provider's words are read here to choose a code and are then forgotten: they can echo the key or the prompt.
"""

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

from sessions.providers.base import ProviderError

MAX_ERROR_BYTES = 65_536
_COMPLAINT_FIELDS = ("message", "code", "type", "param", "status", "detail")

_CODE_BY_STATUS = {
    401: "provider_auth",
    402: "quota_exceeded",
    403: "provider_denied",
    404: "model_not_found",
    408: "provider_error",
    413: "context_too_long",
    429: "rate_limited",
}
# Statuses whose complaint says more than the number: the first row that fits.
_COMPLAINTS: tuple[tuple[str, tuple[int, ...], tuple[str, ...]], ...] = (
    (
        "quota_exceeded",
        (400, 429),
        ("insufficient_quota", "insufficient_balance", "insufficient balance", "credit balance is too low"),
    ),
    (
        "context_too_long",
        (400, 413, 422),
        ("context_length", "context length", "context window", "context size", "context limit", "maximum context",
         "prompt is too long", "input is too long", "too many tokens", "input token count"),
    ),
    ("temperature_unsupported", (400, 422), ("temperature",)),
    ("provider_auth", (400,), ("api key not valid", "invalid api key")),
    ("model_not_found", (400, 422), ("model_not_found", "model not found", "unknown model")),
    (
        "schema_unsupported",
        (400, 422),
        ("response_format", "json_schema", "json_object", "output_format", "output_config", "responseschema",
         "response_schema", "structured output", "tool_choice", "tools", "function calling", "grammar"),
    ),
)  # fmt: skip


def code_for(status: int, complaint: str, *, schema_asked: bool) -> str:
    """One of our error codes for an HTTP status that is not a success; `complaint` is `complaint_in` its body."""
    for code, statuses, phrases in _COMPLAINTS:
        relevant = status in statuses and (schema_asked or code != "schema_unsupported")
        if relevant and any(phrase in complaint for phrase in phrases):
            return code
    if 300 <= status < 400:
        return "redirect_refused"
    return _CODE_BY_STATUS.get(status, "provider_error" if status >= 500 else "bad_request")


def complaint_in(body: bytes) -> str:
    """What an error body complains about, lower case: its message, code, type and parameter, not what it echoes."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace").lower()
    document = document[0] if isinstance(document, list) and document else document
    error = document.get("error", document) if isinstance(document, dict) else document
    if not isinstance(error, dict):
        return str(error).lower()
    return " ".join(str(error.get(name, "")) for name in _COMPLAINT_FIELDS).lower()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider wants us to wait, from its number or HTTP date; None when absent or senseless. A wait of
    years is a number too: the gateway caps it."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


async def refusal(response: aiohttp.ClientResponse, *, schema_asked: bool) -> ProviderError:
    """The error that a response without success stands for. Reads at most MAX_ERROR_BYTES of its body."""
    complaint = complaint_in(await _beginning(response)) if response.status >= 400 else ""
    code = code_for(response.status, complaint, schema_asked=schema_asked)
    return ProviderError(code, retry_after=retry_after(response.headers))


def code_in_stream(error: Any, *, schema_asked: bool) -> str:
    """The code for the error object that some servers send after they answered 200."""
    complaint = complaint_in(orjson.dumps({"error": error}))
    status = error.get("code") if isinstance(error, dict) else None
    if isinstance(status, int):
        return code_for(status, complaint, schema_asked=schema_asked)
    if "rate_limit" in complaint:
        return "rate_limited"
    code = code_for(400, complaint, schema_asked=schema_asked)
    return "provider_error" if code == "bad_request" and "invalid_request" not in complaint else code


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    with suppress(aiohttp.ClientError):  # the status says enough
        while len(body) < MAX_ERROR_BYTES and (piece := await response.content.readany()):
            body += piece
    return body[:MAX_ERROR_BYTES]
