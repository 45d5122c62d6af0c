"""What stands around every request: static files, a request id, compression, a time to come back at when nothing works,
and a content security policy without exceptions for inline code."""

import inspect
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.utils.text import compress_string
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

Responder = Callable[[HttpRequest], Any]

RETRY_AFTER_SECONDS = "5"
SMALLEST_COMPRESSED = 1_000  # bytes
_BASE = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "frame-ancestors": "'none'",
}
# The operator's console (Alpine) and the API reference (Swagger UI) need more; no page of users' text gets it.
_LOOSER = {
    "/admin/": {"script-src": "'self' 'unsafe-inline' 'unsafe-eval'", "style-src": "'self' 'unsafe-inline'"},
    "/api/docs": {"script-src": "'self' 'unsafe-inline'", "style-src": "'self' 'unsafe-inline'"},
}


def _policy(path: str) -> str:
    extra = next((rules for prefix, rules in _LOOSER.items() if path.startswith(prefix)), {})
    return "; ".join(f"{name} {value}" for name, value in {**_BASE, **extra}.items())


def _wrap(get_response: Responder, before: Callable[[HttpRequest], None], after: Callable[..., None]) -> Responder:
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            before(request)
            response = await cast(Awaitable[HttpResponseBase], get_response(request))
            after(request, response)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        before(request)
        response = cast(HttpResponseBase, get_response(request))
        after(request, response)
        return response

    return synchronous


@sync_and_async_middleware
def request_id(get_response: Responder) -> Responder:
    """`request.id`: what an error page, an API error and a log line have in common."""

    def before(request: HttpRequest) -> None:
        request.id = uuid.uuid4().hex[:16]  # type: ignore[attr-defined]

    def after(request: HttpRequest, response: HttpResponseBase) -> None:
        response.headers["X-Request-Id"] = request.id  # type: ignore[attr-defined]

    return _wrap(get_response, before, after)


@sync_and_async_middleware
def retry_after(get_response: Responder) -> Responder:
    """Whatever answers 503, of pages and API alike, says after how many seconds to ask again."""

    def after(request: HttpRequest, response: HttpResponseBase) -> None:
        if response.status_code == 503:
            response.headers.setdefault("Retry-After", RETRY_AFTER_SECONDS)

    return _wrap(get_response, lambda request: None, after)


@sync_and_async_middleware
def compression(get_response: Responder) -> Responder:
    """Pages travel as gzip. A few random bytes in each keep its length from telling a secret in it (BREACH). Fragments
    of the live view are left alone: their ETag is a number that the next one asks for."""

    def after(request: HttpRequest, response: HttpResponse) -> None:
        page = response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming
        if not page or "ETag" in response.headers or len(response.content) < SMALLEST_COMPRESSED:
            return
        patch_vary_headers(response, ["Accept-Encoding"])
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.content = compress_string(response.content, max_random_bytes=100)
            response.headers["Content-Length"] = str(len(response.content))
            response.headers["Content-Encoding"] = "gzip"

    return _wrap(get_response, lambda request: None, after)


@sync_and_async_middleware
def content_security_policy(get_response: Responder) -> Responder:
    def after(request: HttpRequest, response: HttpResponseBase) -> None:
        response.headers.setdefault("Content-Security-Policy", _policy(request.path))

    return _wrap(get_response, lambda request: None, after)


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise's own is synchronous, and one synchronous middleware makes every request hold a thread for as long as
    it lasts: a long poll, a minute. Finding a file is a look into a dict; nothing here needs a thread."""

    async_capable = True

    def __init__(self, get_response: Responder) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        response = super().__call__(request)
        return response if not iscoroutinefunction(self) or inspect.isawaitable(response) else _ready(response)


async def _ready(response: HttpResponseBase) -> HttpResponseBase:
    return response
