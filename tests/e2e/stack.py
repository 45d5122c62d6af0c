"""Crucible as people run it, started for tests: real processes, a real database, a real provider beside them."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from tests.e2e.client import Client, eventually
from tools.programs import postgres_program
from tools.scale import WORKER
from tools.services import Server, free_port, stop_processes

ROOT = Path(__file__).parents[2]
# The key of every model: the search for secrets looks for it wherever something is kept or said.
CANARY = "sk-canary-7f3e9d51c0b84a26"
# What stands in the environment of every process and is nobody's to use: no call was ever told to.
ENVIRONMENT_KEY = "sk-environment-2b9c4af0d7716e53"
START_SECONDS = CONSOLE_SECONDS = 60.0
LINK = re.compile(r"http://127\.0\.0\.1:\d+/in/\S+/")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """What the processes of a stack see: ours without the settings of another installation."""
    others = ("CRUCIBLE_", "DATABASE_URL", "REDIS_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    ours = {
        "DJANGO_SETTINGS_MODULE": "crucible_site.settings",
        "CRUCIBLE_DATA_DIR": str(home),
        "CRUCIBLE_DEMO_SPEED": "0",
        "CRUCIBLE_LOCAL_PROVIDERS": "127.0.0.1",
        "OPENAI_API_KEY": ENVIRONMENT_KEY,
        "ANTHROPIC_API_KEY": ENVIRONMENT_KEY,
    }
    return kept | ours | variables


@dataclass(frozen=True)
class Provider:
    """The mock of tests/provider_server.py in its own process. `origin` has no path."""

    origin: str

    def seen(self, what: str) -> dict[str, int]:
        """Requests so far by `model`, `key` or `path`."""
        with urllib.request.urlopen(f"{self.origin}/stats", timeout=10) as reply:
            return dict(json.load(reply)[f"by_{what}"])


@contextmanager
def mock_provider() -> Iterator[Provider]:
    command = [sys.executable, "-m", "tests.provider_server", "--seconds", "1800"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Provider(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


class Console:
    """tests/e2e/console.py beside a stack."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.console"], cwd=ROOT, env=variables,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, command: str, **arguments: Any) -> Any:
        self.tell(command, **arguments)
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], CONSOLE_SECONDS)[0], f"{command} takes too long"
        answer = json.loads(self._process.stdout.readline())
        assert "done" in answer, (command, answer)
        return answer["done"]

    def tell(self, command: str, **arguments: Any) -> None:
        """Give a command and wait for nothing."""
        assert self._process.stdin is not None
        print(json.dumps([command, arguments]), file=self._process.stdin, flush=True)

    def close(self) -> None:
        self._process.communicate(timeout=10)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)


@dataclass
class Stack:
    """One installation. `processes` are ours by name, and what they say stands in `<home>/<name>.log`."""

    home: Path
    port: int
    variables: dict[str, str]
    provider: Provider
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.console = Console(self.variables)
        self.client = Client(self.port)
        self._names: dict[str, str] = {}

    def open_doors(self) -> None:
        """An API key, and a browser's cookie from a sign-in link."""
        self.client.key = self.console("key")
        self.client.sign_in(self.console("link", port=self.port))

    # --- processes

    def spawn(self, name: str, arguments: Sequence[str], sockets: Sequence[int] = ()) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.variables, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, pass_fds=sockets,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """`kill -9`."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def end(self, name: str) -> None:
        """SIGTERM, and wait for its end."""
        stop_processes([self.processes.pop(name)], signal.SIGTERM)

    def stop(self) -> None:
        self.console.close()
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
        stop_processes(list(self.processes.values()), signal.SIGTERM)

    def serves(self) -> bool:
        """Whether the web answers. Fails with their last words when a process has ended by itself."""
        ended = [name for name, process in self.processes.items() if process.poll() is not None]
        assert not ended, (ended, self.logs()[-2_000:])
        return self.client.answers()

    # --- models

    def model(self, behaviour: str, *, vendor: str = "openai", key: str = CANARY) -> str:
        """The id of a new model that behaves as tests/provider_server.py describes. `anthropic` speaks its own format
        through LiteLLM; every other vendor is an OpenAI-compatible provider of its own, with its own queue."""
        route, base = f"{vendor}/{behaviour}", self.provider.origin + ("" if vendor == "anthropic" else "/v1")
        model_id = route.replace("=", "-")
        self.console("model", id=model_id, route=route, base_url=base, key=key)
        self._names[model_id] = behaviour if vendor in ("anthropic", "openai") else route
        return model_id

    def requests(self, *model_ids: str) -> int:
        """How many requests the provider has had for these models."""
        seen = self.provider.seen("model")
        return sum(seen.get(self._names[model_id], 0) for model_id in model_ids)

    def attempts(self, *model_ids: str) -> int:
        """How many attempts are recorded for them."""
        return int(self.console("attempts", model_ids=model_ids))

    # --- what it keeps

    def logs(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace") for path in sorted(self.home.glob("*.log")))

    def database(self) -> bytes:
        """Everything in the database, as it is stored."""
        if url := self.variables.get("DATABASE_URL"):
            dump = [postgres_program("pg_dump"), url]
            return subprocess.run(dump, check=True, stdout=subprocess.PIPE, timeout=60).stdout
        return b"".join(path.read_bytes() for path in self.home.glob("crucible.sqlite3*"))

    def places_of(self, secret: str) -> list[str]:
        """Where somebody could read `secret`."""
        kept = {"database": self.database(), "logs": self.logs().encode(), "replies": b"".join(self.client.heard)}
        return [place for place, words in kept.items() if secret.encode() in words]


@contextmanager
def start_embedded(home: Path, provider: Provider, **variables: str) -> Iterator[Stack]:
    """`manage.py serve`: one process on SQLite."""
    port = free_port()
    stack = Stack(home, port, environment(home, CRUCIBLE_PORT=str(port), **variables), provider)
    try:
        serve(stack)
        stack.open_doors()
        yield stack
    finally:
        stack.stop()


def serve(stack: Stack) -> None:
    """Start the one process of an embedded stack; return when it has printed its link and answers."""
    links = len(LINK.findall(stack.logs()))
    stack.spawn("serve", ["manage.py", "serve", "--port", str(stack.port)])
    eventually(lambda: stack.serves() and len(LINK.findall(stack.logs())) > links, START_SECONDS)


@dataclass
class Scaled(Stack):
    """Two web and two worker processes. `postgres` and `redis` are its own, to be stopped and started again."""

    postgres: Server = field(kw_only=True)
    redis: Server = field(kw_only=True)
    listener: socket.socket = field(kw_only=True)

    def add_web(self, name: str) -> None:
        number = self.listener.fileno()
        self.spawn(name, ["manage.py", "serve", "--fd", str(number)], [number])

    def add_worker(self, name: str) -> None:
        self.spawn(name, [*WORKER, "-n", f"{name}@%h"])

    def workers_listen(self) -> bool:
        """Whether every worker process waits for messages; after an outage of Redis that takes some seconds."""
        workers = [name for name in self.processes if name.startswith("worker")]
        with Redis.from_url(self.redis.url) as broker:
            return [client["cmd"] for client in broker.client_list()].count("brpop") == len(workers)


@contextmanager
def start_scaled(home: Path, provider: Provider, postgres: Server, redis: Server, **variables: str) -> Iterator[Scaled]:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = int(listener.getsockname()[1])
        urls = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "CRUCIBLE_PORT": str(port)}
        named = environment(home, **urls, **variables)
        stack = Scaled(home, port, named, provider, postgres=postgres, redis=redis, listener=listener)
        try:
            stack.console("prepare")
            for number in "12":
                stack.add_web(f"web{number}")
                stack.add_worker(f"worker{number}")
            eventually(stack.serves, START_SECONDS)
            stack.open_doors()
            yield stack
        finally:
            stack.stop()
