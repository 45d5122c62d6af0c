"""Private PostgreSQL, Redis and Chromium for tests, benches and `make scale`.

    with postgres() as server, redis() as broker: ... server.url ... server.restart()

Servers listen on 127.0.0.1 and a free port, ask for a password, and end with their block.
As a command, `python -m tools.services [--durable] ARGUMENTS-OF-PYTHON...` runs Python with CRUCIBLE_TEST_POSTGRES_URL,
CRUCIBLE_TEST_REDIS_URL and CRUCIBLE_TEST_CHROMIUM set to what could be had.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from tools.programs import Unavailable, chromium_path, last_line, postgres_program, program

START_SECONDS, STOP_SECONDS = 30, 30
# A cluster that may lose everything with the machine: what tests want.
FORGETFUL = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass
class Server:
    """A server process of ours; `ready` is a command that succeeds once it answers."""

    url: str
    command: Sequence[str]
    ready: Sequence[str]
    log: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers. Raises Unavailable with its last words when it does not."""
        with self.log.open("ab") as log:
            self.process = popen_as(self.user, self.command, stdout=log)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(self.ready, capture_output=True).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable(f"{Path(self.command[0]).name} did not start: {last_line(self.log.read_text())}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it in order, its clients notwithstanding; kill it when that takes too long."""
        if self.process is not None:
            stop_processes([self.process], signal.SIGINT)

    def restart(self) -> None:
        self.stop()
        self.start()


def popen_as(
    user: str | None, command: Sequence[str], stdout: IO[bytes] | int | None = None
) -> subprocess.Popen[bytes]:
    """Start a command as `user` (None: as ourselves), out of reach of the terminal's Ctrl-C: we stop it ourselves."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stdout,
        cwd="/",
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=() if user else None,
    )


def stop_processes(processes: Sequence[subprocess.Popen[bytes]], how: signal.Signals) -> None:
    """Signal them all, wait, and kill what is left."""
    for process in processes:
        process.send_signal(how)  # does nothing to one that has ended
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- the services


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def home(directory: Path | None, user: str | None) -> Iterator[Path]:
    """A directory of `user` for one server's files: `directory`, which stays, or a temporary one."""
    path = Path(tempfile.mkdtemp(prefix="crucible-")) if directory is None else directory
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user:
            hand_over(path, user)
        yield path
    finally:
        if directory is None:
            shutil.rmtree(path)


def hand_over(path: Path, user: str) -> None:
    """Give the directory to the user PostgreSQL runs as when we are root."""
    try:
        shutil.chown(path, user, user)
    except LookupError:
        raise Unavailable(f"PostgreSQL refuses to run as root, and there is no user {user}") from None
    if popen_as(user, ["test", "-x", str(path)]).wait():
        raise Unavailable(f"PostgreSQL refuses to run as root, and its user {user} may not enter {path.parent}")


@contextlib.contextmanager
def started(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def postgres(directory: Path | None = None, *, durable: bool = False) -> Iterator[Server]:
    """A PostgreSQL cluster, kept in `directory` when one is given; `durable` means that a commit is on the disk."""
    executable = postgres_program("postgres")
    user, port = "postgres" if os.geteuid() == 0 else None, free_port()
    with home(directory, user) as base:
        if not (base / "data" / "PG_VERSION").exists():
            create_cluster(base, user, durable)
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": port}
        settings |= {} if durable else dict.fromkeys(FORGETFUL, "off")
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = Server(
            url=f"postgres://crucible:{(base / 'password').read_text()}@127.0.0.1:{port}/postgres",
            command=[executable, "-D", str(base / "data"), *options],
            ready=[postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)],
            log=base / "log",
            user=user,
        )
        with started(server):
            yield server


def create_cluster(base: Path, user: str | None, durable: bool) -> None:
    password = base / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    if user:
        shutil.chown(password, user, user)
    command = [postgres_program("initdb"), "-D", str(base / "data"), "-E", "UTF8", "--locale=C"]
    command += ["-U", "crucible", "-A", "scram-sha-256", f"--pwfile={password}"]
    command += [] if durable else ["--no-sync"]
    if popen_as(user, command, stdout=subprocess.DEVNULL).wait():
        raise Unavailable(f"initdb could not make a PostgreSQL cluster in {base}")


@contextlib.contextmanager
def redis(directory: Path | None = None) -> Iterator[Server]:
    """A Redis that keeps nothing: it carries doorbells only."""
    executable = program(["redis-server"], "redis-server")
    port, password = free_port(), secrets.token_urlsafe(24)
    with home(directory, None) as base:
        # A file, because a password on the command line is there for everybody to read.
        config = base / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(f'port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\ndir {base}\n')
        server = Server(
            url=f"redis://:{password}@127.0.0.1:{port}/0",
            command=[executable, str(config)],
            ready=[program(["redis-cli"], "redis-tools"), "-h", "127.0.0.1", "-p", str(port), "ping"],
            log=base / "log",
        )
        with started(server):
            yield server


# --- all of them, for a command


def start_all(stack: contextlib.ExitStack, *, durable: bool) -> tuple[dict[str, str], dict[str, str]]:
    """({environment variable: where it is}, {service: why it is missing}); what was started ends with the stack."""
    services: dict[str, tuple[str, Callable[[], str]]] = {
        "PostgreSQL": ("CRUCIBLE_TEST_POSTGRES_URL", lambda: stack.enter_context(postgres(durable=durable)).url),
        "Redis": ("CRUCIBLE_TEST_REDIS_URL", lambda: stack.enter_context(redis()).url),
        "Chromium": ("CRUCIBLE_TEST_CHROMIUM", chromium_path),
    }
    found, missing = {}, {}
    for name, (variable, get) in services.items():
        try:
            found[variable] = get()
        except Unavailable as reason:
            missing[name] = str(reason)
    return found, missing


def exit_on_sigterm() -> None:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that what was started is stopped."""

    def leave(signum: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + signum)

    signal.signal(signal.SIGTERM, leave)


def run_python(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run Python to its end, also when we are interrupted: its own cleaning up is worth waiting for."""
    child = subprocess.Popen([sys.executable, *arguments], env=environment)
    try:
        return child.wait()
    except KeyboardInterrupt:  # the terminal has told the child too
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
        return 128 + signal.SIGINT
    finally:
        stop_processes([child], signal.SIGINT)


def main(arguments: list[str]) -> int:
    exit_on_sigterm()
    durable = arguments[0] == "--durable"
    with contextlib.ExitStack() as stack:
        found, missing = start_all(stack, durable=durable)
        for name, why in missing.items():
            print(f"  without {name}: {why}", flush=True)
        return run_python(arguments[durable:], os.environ | found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
