"""The HTTP APIs: our own under /api/, and the list of models that OpenAI clients ask for under /v1/.

Every reply from 400 on has one shape, `{"error": {"code", "message", "request_id"}}`, whatever went wrong and
wherever: a wrong method, an unknown path and a defect of ours too.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI, Schema, Swagger
from ninja.errors import AuthenticationError, HttpError, ValidationError

from sessions.actions.errors import Refused
from sessions.api import router as sessions_router
from sessions.api.auth import AUTH
from sessions.api.bodies import BadJson, StrictParser, replies
from sessions.catalog.best import registry

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Several language models work on one artifact; this is how programs drive them.
Send an API key as `Authorization: Bearer cru_...`. Money is in micro-credits: 1,000,000,000 are one US dollar."""

NOT_FOUND = (404, "not_found", "There is nothing here, or nothing that you may see.")
NOT_ALLOWED = (405, "method_not_allowed", "This address does not take this method.")
# exception -> status, code, sentence
ANSWERS: dict[type[Exception], tuple[int, str, str]] = {
    Http404: NOT_FOUND,
    PermissionDenied: (403, "denied", "Your role or your key does not allow this."),
    AuthenticationError: (401, "unauthenticated", "Send a valid API key: Authorization: Bearer cru_..."),
    RequestDataTooBig: (413, "too_large", "The body is larger than this server takes."),
    SuspiciousOperation: (400, "bad_request", "The request cannot be read."),
    MultiPartParserError: (400, "bad_request", "The form cannot be read."),
    BadRequest: (400, "bad_request", "The request cannot be read."),
    OperationalError: (503, "unavailable", "The database cannot be reached. Try again in a moment."),
    InterfaceError: (503, "unavailable", "The database cannot be reached. Try again in a moment."),
    Exception: (500, "internal", "Something went wrong on our side. Report the request id if it stays."),
}
# What ninja raises by status alone.
HTTP_ERRORS = {
    400: ("bad_json", "The body cannot be read."),
    403: ("csrf", "A browser's request needs the CSRF token. Reload the page, or use an API key."),
    429: ("too_many_requests", "Too many requests. Wait a moment."),
}


class Api(NinjaAPI):
    """A NinjaAPI whose every reply is ours, also where ninja or Django would answer by themselves."""

    def __init__(self, **options: Any) -> None:
        super().__init__(auth=AUTH, parser=StrictParser(), **options)
        for exception in ANSWERS:
            self.add_exception_handler(exception, _answer)
        self.add_exception_handler(Refused, _refused)
        self.add_exception_handler(ValidationError, _invalid)
        self.add_exception_handler(HttpError, _http_error)
        self.add_exception_handler(AuthenticationError, _unauthenticated)

    @property
    def urls(self) -> Any:
        patterns, app_name, namespace = super().urls
        patterns = [*patterns, path("<path:rest>", _nothing_here)]
        for pattern in patterns:
            pattern.callback = self._shaped(pattern.callback)  # type: ignore[arg-type]
        return patterns, app_name, namespace

    def _shaped(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """`view` with our answer where ninja and Django would have their own. CSRF is the business of CookieAuth."""

        @wraps(view)
        def synchronous(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return _finished(request, view(request, *args, **kwargs))
            except Http404 as error:
                return self.on_exception(request, error)

        @wraps(view)
        async def asynchronous(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _finished(request, await view(request, *args, **kwargs))

        return csrf_exempt(asynchronous if iscoroutinefunction(view) else synchronous)


def error_reply(request: HttpRequest, status: int, code: str, message: str) -> JsonResponse:
    fault = {"code": code, "message": message, "request_id": getattr(request, "id", "")}
    return JsonResponse({"error": fault}, status=status)


def _answer(request: HttpRequest, error: Any) -> HttpResponse:
    kind = next(kind for kind in type(error).__mro__ if kind in ANSWERS)
    if kind is Exception:
        logger.error("request %s failed: %s", getattr(request, "id", ""), type(error).__name__, exc_info=error)
    return error_reply(request, *ANSWERS[kind])


def _unauthenticated(request: HttpRequest, error: Any) -> HttpResponse:
    reply = _answer(request, error)
    reply.headers["WWW-Authenticate"] = "Bearer"
    return reply


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return error_reply(request, error.status, error.code, error.sentence)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """The first thing that does not fit the schema, by its place; never what was sent."""
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")[:200]
    return error_reply(request, 400, "invalid", f"{place}: {first['msg']}." if place else f"{first['msg']}.")


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    code, message = HTTP_ERRORS.get(error.status_code, ("bad_request", "The request cannot be answered."))
    if isinstance(error.__cause__, BadJson):
        message = str(error.__cause__)
    elif isinstance(error.__cause__, RequestDataTooBig):
        return _answer(request, error.__cause__)
    return error_reply(request, error.status_code, code, message)


def _nothing_here(request: HttpRequest, rest: str) -> HttpResponse:
    raise Http404


def _finished(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == 405:
        allowed = response.headers.get("Allow", "")
        response = error_reply(request, *NOT_ALLOWED)
        response.headers["Allow"] = allowed
    response.headers.setdefault("Cache-Control", "no-store")
    return response


class OpenAIModel(Schema):
    id: str
    object: str = "model"
    created: int
    owned_by: str


class OpenAIModels(Schema):
    object: str = "list"
    data: list[OpenAIModel]


api = Api(
    title="Crucible",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    # Without this Swagger UI asks a server on the internet whether our document is valid.
    docs=Swagger({"validatorUrl": None}),
)
api.add_router("/v1", sessions_router)

models_api = Api(title="Crucible, for OpenAI clients", urls_namespace="openai", openapi_url=None, docs_url=None)


@models_api.get("/models", response=replies(200, OpenAIModels))
def list_openai_models(request: HttpRequest) -> dict[str, Any]:
    """The models that are switched on, as OpenAI clients list them."""
    rows = (row for row in registry() if row.enabled)
    return {
        "data": [
            {"id": row.pk, "created": int(row.created_at.timestamp()), "owned_by": row.family or row.provider.name}
            for row in rows
        ]
    }
