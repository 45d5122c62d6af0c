"""Crucible as it runs for people, started for a bench: embedded, or scaled on the PostgreSQL and Redis of `make bench`.

Everything goes through the public API and the session socket, as a client would.
"""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from tools.scale import PREPARE, run, start, start_all
from tools.services import stop_processes

ROOT = Path(__file__).resolve().parent.parent
SETUP = """
import django; django.setup()
from sessions.actions.catalog import NewModel, add_model
from sessions.models import Provider
for number, route in enumerate({routes!r}, start=1):
    add_model(NewModel(id=f"bench/{{number}}", route="openai/" + route, base_url={base_url!r}, key="bench"))
Provider.objects.filter(name__startswith="openai-").update(max_concurrent=4096)
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from crucible_site.models import User
owner = User.objects.get(email="owner@localhost")
signed_in = SessionStore()
signed_in["_auth_user_id"], signed_in["_auth_user_hash"] = str(owner.pk), owner.get_session_auth_hash()
signed_in["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
signed_in.save()
print(f"{{settings.SESSION_COOKIE_NAME}}={{signed_in.session_key}}")
call_command("create_api_key", owner.email, project="demo")
"""
REST = {"completed", "failed", "cancelled", "waiting", "needs_attention"}


class Missing(Exception):  # noqa: N818
    """The services this bench needs are not there; its words say which."""


@contextlib.contextmanager
def mock_provider() -> Iterator[str]:
    """A provider in a process of its own; gives its base URL."""
    process = subprocess.Popen([sys.executable, "-m", "bench.provider"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Stack:
    """`cookie` signs the owner in, for pages and sockets; `key` is an API key; `pids` are our processes and
    `environment` what they run in."""

    base: str
    key: str
    cookie: str
    pids: list[int]
    environment: dict[str, str]

    def cpu_ms(self) -> float:
        """User and system time of our processes so far: a busy machine does not change it."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) * 1000 / os.sysconf("SC_CLK_TCK")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@contextlib.contextmanager
def crucible(routes: list[str], base_url: str, *, scaled: bool) -> Iterator[Stack]:
    """A fresh installation with models bench/1.. that lead to `routes`."""
    with tempfile.TemporaryDirectory(prefix="crucible-bench-") as data, contextlib.ExitStack() as stack:
        environment = _environment(data, scaled)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        run(["-c", PREPARE.replace("prepare(print)", "prepare(lambda line: None)")], environment)
        setup = [sys.executable, "-c", SETUP.format(routes=routes, base_url=base_url)]
        said = subprocess.run(setup, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        cookie, key = said.stdout.split()[-2:]
        if scaled:
            processes = [process for _, process in start_all(environment, listener)]
        else:
            processes = [
                start(["manage.py", "serve", "--fd", str(listener.fileno())], environment, [listener.fileno()])
            ]
        stack.callback(lambda: stop_processes(processes, signal.SIGTERM))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        made = Stack(base, key, cookie, [process.pid for process in processes], environment)
        asyncio.run(_answers(made))
        yield made


def _environment(data: str, scaled: bool) -> dict[str, str]:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "crucible_site.settings",
        "CRUCIBLE_DATA_DIR": data,
        "CRUCIBLE_LOCAL_PROVIDERS": "127.0.0.1",
    }
    if not scaled:
        return environment | {"DATABASE_URL": "", "REDIS_URL": ""}
    urls = [os.environ.get(f"CRUCIBLE_TEST_{name}_URL", "") for name in ("POSTGRES", "REDIS")]
    if not all(urls):
        raise Missing("needs PostgreSQL and Redis; `make bench` starts them")
    fresh = f"bench_{os.getpid()}_{os.urandom(3).hex()}"
    import psycopg

    with psycopg.connect(urls[0], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {fresh}")
    return environment | {"DATABASE_URL": re.sub(r"/[^/]*$", f"/{fresh}", urls[0]), "REDIS_URL": urls[1]}


async def _answers(stack: Stack) -> None:
    async with aiohttp.ClientSession() as client:
        for _ in range(300):
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(f"{stack.base}/healthz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise Missing("the server did not answer")


class Client:
    """What one API client does."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession) -> None:
        self.stack, self.http = stack, http

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        async with self.http.post(self.stack.base + path, json=body or {}, headers=self.stack.headers) as response:
            text = await response.read()
            assert response.status < 300, (path, response.status, text[:400])
            found: dict[str, Any] = orjson.loads(text)
            return found

    async def get(self, path: str) -> dict[str, Any]:
        async with self.http.get(self.stack.base + path, headers=self.stack.headers) as response:
            found: dict[str, Any] = orjson.loads(await response.read())
            assert response.status == 200, (path, response.status, found)
            return found

    async def log(self, code: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = (await self.get(f"/api/v1/sessions/{code}/events"))["events"]
        return events

    async def draft(self, seats: int, artifact: str, kind: str = "review", params: dict[str, Any] | None = None) -> str:
        roster = [
            {"name": f"Seat {number}", "role": "reviewer", "model_id": f"bench/{number}"}
            for number in range(1, seats + 1)
        ]
        body = {"project": "demo", "kind": kind, "title": "bench", "roster": roster, "artifacts": [artifact]}
        return str((await self.post("/api/v1/sessions", body | {"params": params or {}}))["code"])

    async def artifact(self, steps: int = 8) -> str:
        body = {"project": "demo", "name": "steps.py", "text": _steps(steps)}
        return str((await self.post("/api/v1/artifacts", body))["code"])


def _steps(count: int) -> str:
    return "\n".join(f"def step_{number}(value):\n    return value / {number}\n" for number in range(count))
