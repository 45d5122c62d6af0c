"""How requests reach their views: short ones in one visit to a thread, long ones without holding any."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connections

from crucible_site.asgi import REQUEST_THREADS, WAITING_THREADS, application
from crucible_site.models import User
from sessions.models import Content, Project
from tests import factories
from tests.threads import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_connection_left() -> Iterator[None]:
    yield
    handler = application.application_mapping["http"]
    for executor in (handler._threads, *handler._waiting):
        together = threading.Barrier(executor._max_workers)  # or one thread would take several turns
        for closed in [executor.submit(_close, together) for _ in range(executor._max_workers)]:
            closed.result(10)


def _close(together: threading.Barrier) -> None:
    together.wait(10)
    connections.close_all()


class Reply:
    def __init__(self, start: dict[str, Any], body: bytes) -> None:
        self.status, self.body = start["status"], body
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}


async def ask(path: str, *, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
    path, _, query = path.partition("?")
    named = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    browser: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await browser.send_input({"type": "http.request", "body": body})
    start = await browser.receive_output(20)
    parts = []
    while True:
        message = await browser.receive_output(20)
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    await browser.wait(20)
    return Reply(start, b"".join(parts))


async def test_a_short_request_passes_all_middleware() -> None:
    reply = await ask("/healthz")
    assert reply.status == 200
    assert {"x-request-id", "content-security-policy", "x-frame-options", "referrer-policy"} <= set(reply.headers)


@pytest.mark.parametrize("path", ["/nothing/here", "/api/v1/nothing", "//", "*"])
async def test_what_is_nowhere_is_not_found(path: str) -> None:
    assert (await ask(path)).status == 404


async def test_a_host_that_is_not_ours_is_refused() -> None:
    assert (await ask("/healthz", headers={"host": "evil.example"})).status == 400


async def test_a_body_reaches_its_view(owner: User, project: Project) -> None:
    key = await in_thread(lambda: factories.api_key(owner, project))
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    text = "x = 1\n" * 40_000
    body = json.dumps({"project": project.slug, "name": "a.py", "text": text}).encode()
    assert (await ask("/api/v1/artifacts", method="POST", body=body, headers=headers)).status == 201
    assert await in_thread(lambda: Content.objects.filter(text=text).exists())


async def test_those_who_wait_keep_nobody_waiting(owner: User, project: Project) -> None:
    key = await in_thread(lambda: factories.api_key(owner, project))
    session = await in_thread(lambda: factories.running(owner, project))
    path, headers = f"/api/v1/sessions/{session.code}?wait=5", {"authorization": f"Bearer {key}"}
    many = REQUEST_THREADS + WAITING_THREADS + 1
    waiting = [asyncio.ensure_future(ask(path, headers=headers)) for _ in range(many)]
    await asyncio.sleep(1)
    async with asyncio.timeout(3):
        assert (await ask("/healthz")).status == 200
    assert not any(task.done() for task in waiting)
    assert {reply.status for reply in await asyncio.gather(*waiting)} == {200}
