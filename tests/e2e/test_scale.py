"""`make scale` as a person types it: what it prints, what it hands to other commands, and what it keeps from its
children."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.client import Client, eventually
from tests.e2e.stack import ENVIRONMENT_KEY, LINK, ROOT, START_SECONDS, environment
from tools.services import free_port, postgres, redis, stop_processes

pytestmark = pytest.mark.slow
CHILD = re.compile(r"^  (?:web|worker) \d +pid (\d+)$", re.MULTILINE)
COMMAND_SECONDS = 60
IN_SHELL = '. "$0" && exec "$@"'


@dataclass(frozen=True)
class Scale:
    """A running `make scale`. `owner` signed in with the link that it printed."""

    home: Path
    port: int
    variables: dict[str, str]
    process: subprocess.Popen[bytes]
    owner: Client

    @property
    def said(self) -> str:
        return (self.home / "scale.log").read_text()

    @property
    def env_file(self) -> Path:
        return self.home / "run" / "scale.env"


@contextmanager
def started(home: Path, **services: str) -> Iterator[Scale]:
    port = free_port()
    variables = environment(home, **services)
    with (home / "scale.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.scale", "--port", str(port)], cwd=ROOT, env=variables,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield Scale(home, port, variables, process, Client(port))
    finally:
        stop_processes([process], signal.SIGTERM)


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scale]:
    if not os.environ.get("CRUCIBLE_TEST_POSTGRES_URL") or not os.environ.get("CRUCIBLE_TEST_REDIS_URL"):
        pytest.skip("needs PostgreSQL and Redis; `make test` starts them")
    with (
        postgres() as database,
        redis() as broker,
        started(tmp_path_factory.mktemp("scale"), DATABASE_URL=database.url, REDIS_URL=broker.url) as found,
    ):
        eventually(lambda: "╯" in found.said or found.process.poll() is not None, START_SECONDS)
        found.owner.sign_in(LINK.findall(found.said)[0])  # a newer link would end it
        yield found
        stop_processes([found.process], signal.SIGTERM)
        assert not found.env_file.exists()


def make_link(scale: Scale) -> str:
    """The link that `make link` prints in a shell of its own."""
    variables = {name: value for name, value in scale.variables.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-m", "tools.link"]
    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    assert ended.returncode == 0, ended.stderr
    return str(LINK.findall(ended.stdout)[0])


def test_it_ends_with_the_words_of_make_run_and_a_link_that_signs_in(scale: Scale) -> None:
    box = scale.said[scale.said.index("╭") :]
    assert "Crucible is running. Sign in with this link (it works once):" in box
    assert "Ctrl-C stops it." in box
    assert scale.owner.page("/projects/demo/")


def test_make_link_makes_a_link_for_it(scale: Scale) -> None:
    client = Client(scale.port)
    client.sign_in(make_link(scale))
    assert client.page("/projects/demo/")


def test_its_environment_stands_in_a_file_that_nobody_else_reads(scale: Scale) -> None:
    assert stat.S_IMODE(scale.env_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(scale.env_file.parent.stat().st_mode) == 0o700
    assert f". {scale.env_file}" in scale.said


def test_a_shell_that_reads_the_file_reaches_its_database(scale: Scale) -> None:
    verify = [sys.executable, "manage.py", "create_api_key", "owner@localhost", "--project", "demo"]
    bare = {"PATH": os.environ["PATH"]}
    command = ["sh", "-c", IN_SHELL, str(scale.env_file), *verify]
    ended = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    assert ended.returncode == 0, ended.stderr
    client = Client(scale.port, key=ended.stdout.split()[-1])
    assert client.get("/api/v1/projects")


def test_no_process_that_lasts_has_a_provider_key_of_the_environment(scale: Scale) -> None:
    pids = [int(pid) for pid in CHILD.findall(scale.said)]
    assert len(pids) == 4
    assert scale.variables["OPENAI_API_KEY"] == ENVIRONMENT_KEY
    held = [pid for pid in pids if ENVIRONMENT_KEY.encode() in Path(f"/proc/{pid}/environ").read_bytes()]
    assert held == []
    assert ENVIRONMENT_KEY not in scale.env_file.read_text()


def test_what_a_killed_one_left_behind_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "scale.env").write_text("export DATABASE_URL=postgres://127.0.0.1:1/gone CRUCIBLE_PORT=1\n")
    ended = subprocess.run(
        [sys.executable, "-m", "tools.link"], cwd=ROOT, env=environment(tmp_path),
        capture_output=True, text=True, timeout=COMMAND_SECONDS,
    )  # fmt: skip
    assert "No server has run here yet." in ended.stderr
