"""One error shape, whatever goes wrong and wherever; bad input is never a 500."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client

from crucible_site.api import api
from crucible_site.models import User
from sessions.models import Artifact, Project
from tests import factories


@pytest.fixture
def program(owner: User, project: Project) -> Client:
    return factories.client(owner)


def error_of(reply: Any) -> dict[str, str]:
    assert reply.headers["Content-Type"] == "application/json"
    error: dict[str, str] = reply.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["request_id"] == reply.headers["X-Request-Id"]
    return error


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/v1", "/api/v1/nothing", "/api/v2/sessions", "/v1/", "/v1/chat", "/api/v1/sessions/not-a-code"],
)
def test_an_unknown_path_has_the_error_shape(path: str, client: Client, db: None) -> None:
    reply = client.get(path)
    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_write_to_an_unknown_path_is_not_a_csrf_page(method: str, db: None) -> None:
    reply = getattr(Client(enforce_csrf_checks=True), method)("/api/v1/nothing")
    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


BAD_BODIES = {
    "no json": b"{",
    "nothing": b"",
    "not utf-8": b'{"project": "\xff"}',
    "utf-16": '{"project": "demo"}'.encode("utf-16"),
    "NaN": b'{"project": NaN}',
    "infinity": b'{"project": -Infinity}',
    "a name twice": b'{"project": "a", "project": "b"}',
    "nested too deeply": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"params":' * 5_000 + b"1" + b"}" * 5_000,
    "an endless number": b'{"soft_cap_microcredits": ' + b"9" * 5_000 + b"}",
    "a number no database holds": b'{"soft_cap_microcredits": 999999999999999999999}',
    "half a character": b'{"project": "\\ud800"}',
    "nul": b'{"project": "a\\u0000b"}',
    "nul in a name": b'{"\\u0000": 1}',
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
}


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize("path", ["/api/v1/sessions", "/api/v1/artifacts", "/api/v1/rosters"])
def test_a_body_that_cannot_be_read_is_a_400(name: str, path: str, program: Client) -> None:
    reply = program.post(path, BAD_BODIES[name], "application/json")
    assert reply.status_code == 400
    assert error_of(reply)["message"]


def test_the_message_says_what_is_wrong_with_the_body(program: Client) -> None:
    reply = program.post("/api/v1/rosters", BAD_BODIES["a name twice"], "application/json")
    assert error_of(reply) == {
        "code": "bad_json",
        "message": "A name stands twice in one object of the body.",
        "request_id": reply.headers["X-Request-Id"],
    }


def test_an_invalid_field_is_named_and_not_echoed(program: Client, project: Project) -> None:
    body = {"project": project.slug, "name": "a.py", "text": "x", "kind": "<script>secret"}
    reply = program.post("/api/v1/artifacts", body, "application/json")
    message = error_of(reply)["message"]
    assert message.startswith("kind:")
    assert "secret" not in message


FIELDS = ("id", "pk", "code", "status", "outcome", "created_by", "owner", "fence", "cost_microcredits", "deleted_at",
          "is_demo", "role", "user", "user_id", "price", "simulated", "nonce_seed")  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("noun", ["sessions", "artifacts", "rosters"])
def test_a_field_that_is_not_declared_is_refused(field: str, noun: str, program: Client, project: Project) -> None:
    seats = [seat.model_dump() for seat in factories.seats()]
    bodies: dict[str, dict[str, Any]] = {
        "sessions": {"kind": "review", "roster": seats, "artifacts": []},
        "artifacts": {"name": "a.py", "text": "x"},
        "rosters": {"name": "R", "seats": seats},
    }
    body = {"project": project.slug, **bodies[noun], field: 1}
    reply = program.post(f"/api/v1/{noun}", body, "application/json")
    assert reply.status_code == 400
    assert field in error_of(reply)["message"]


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=99999999999999999999999", "limit=0", "limit=501", "after=%00", "limit=1e3"]
)
def test_a_query_out_of_bounds_is_a_400(query: str, program: Client, owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    reply = program.get(f"/api/v1/sessions/{session.code}/events?{query}")
    assert (reply.status_code, error_of(reply)["code"]) == (400, "invalid")


@pytest.mark.parametrize("query", ["", "project=%00", "project=a%20b", "project=a&offset=9999999999"])
def test_a_list_wants_a_readable_project(query: str, program: Client) -> None:
    reply = program.get(f"/api/v1/sessions?{query}")
    assert (reply.status_code, error_of(reply)["code"]) == (400, "invalid")


def test_a_form_that_is_cut_off_is_a_400(program: Client) -> None:
    reply = program.post("/api/v1/artifacts", b"--x\r\nContent-Disp", "multipart/form-data; boundary=")
    assert reply.status_code == 400
    assert error_of(reply)["code"] in {"bad_request", "no_file"}


def test_a_body_above_the_limit_is_a_413(program: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    reply = program.post("/api/v1/rosters", b" " * 1_001, "application/json")
    assert (reply.status_code, error_of(reply)["code"]) == (413, "too_large")


FAULTS: dict[str, tuple[Callable[[], Exception], int, str]] = {
    "a defect of ours": (lambda: RuntimeError("sk-secret"), 500, "internal"),
    "no database": (lambda: OperationalError("password=secret"), 503, "unavailable"),
    "a large body": (lambda: RequestDataTooBig("secret"), 413, "too_large"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_inside_shows_a_sentence_and_no_cause(name: str, rf: Any) -> None:
    make, status, code = FAULTS[name]
    request: HttpRequest = rf.get("/api/v1/models")
    reply: HttpResponse = api.on_exception(request, make())
    assert reply.status_code == status
    assert code.encode() in reply.content
    assert b"secret" not in reply.content


def no_database(*_: Any) -> None:
    raise OperationalError("password=secret")


@pytest.mark.parametrize("path", ["/api/v1/models", "/v1/models", "/projects/demo/", "/healthz", "/accounts/login/"])
def test_what_cannot_be_answered_without_a_database_says_when_to_ask_again(
    program: Client, path: str, settings: Any
) -> None:
    program.raise_request_exception = False
    program.cookies[settings.SESSION_COOKIE_NAME] = "k" * 32
    with connection.execute_wrapper(no_database):
        reply = program.get(path)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert b"secret" not in reply.content


def test_nothing_is_kept_of_what_was_refused(program: Client, project: Project) -> None:
    program.post("/api/v1/artifacts", {"project": project.slug, "name": "a.py", "text": ""}, "application/json")
    assert not Artifact.objects.exists()


def test_no_reply_is_cached(program: Client) -> None:
    assert program.get("/api/v1/models").headers["Cache-Control"] == "no-store"
