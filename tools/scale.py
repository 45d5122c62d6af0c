"""Crucible scaled, on this machine: PostgreSQL, Redis, two web and two worker processes. `make scale [PORT=8001]`

DATABASE_URL and REDIS_URL, when set, are used instead of servers of our own, which keep their files in the data
directory. The web processes share one listening socket. A process that ends is reported and not started again: the
others must carry its work. Other commands find what they need in a file (tools/scale_env.py). Ctrl-C or SIGTERM stops
everything.
"""

import argparse
import contextlib
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from sessions.vault import forget_provider_keys
from tools.programs import Unavailable
from tools.scale_env import ROOT, data_directory, published
from tools.services import exit_on_sigterm, postgres, redis, stop_processes

PORTS = range(8000, 8100)
PREPARE = """import django; django.setup()
from sessions.checks import require_sound_environment; require_sound_environment()
import sys
from crucible_site.embedded import DatabaseUnusable, prepare
try: prepare(print)
except DatabaseUnusable as unusable: sys.exit(str(unusable))"""
GREET = """import django; django.setup()
from crucible_site.management.commands.serve import greeting; print(greeting("127.0.0.1", {port}))"""
# Celery warns root about what it never does here: take pickled messages.
QUIET = ["-W", "ignore:You're running the worker with superuser"]
WORKER = [*QUIET, "-m", "celery", "-q", "-A", "crucible_site", "worker", "-P", "solo", "-l", "WARNING"]
WORKER += ["--without-gossip", "--without-mingle", "--without-heartbeat"]

Processes = dict[str, subprocess.Popen[bytes]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make scale")
    parser.add_argument("--port", type=int, help="insist on this port (default: the first free one from 8000 on)")
    port = parser.parse_args().port
    exit_on_sigterm()
    # Only add_model reads a provider's key. None may reach a process that lasts, nor one that it starts.
    forget_provider_keys()
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        processes: Processes = {}
        with listen([port] if port else PORTS) as listener:
            port = int(listener.getsockname()[1])
            environment = scaled_environment(stack) | {"CRUCIBLE_PORT": str(port)}
            run(["-u", "-c", PREPARE], environment)
            env_file = stack.enter_context(published(environment))
            stack.callback(lambda: stop_processes(list(processes.values()), signal.SIGTERM))
            for name, process in start_all(environment, listener):
                processes[name] = process
        await_first_page(port)
        for name, process in processes.items():
            print(f"  {name:<14}pid {process.pid}", flush=True)
        print(f"  for other commands, in a shell: . {shlex.quote(str(env_file))}", flush=True)
        run(["-c", GREET.format(port=port)], environment)
        watch(processes)


def listen(ports: Sequence[int]) -> socket.socket:
    for port in ports:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port), backlog=1024)
    sys.exit(f"Port {ports[0]} is taken. Choose another one: make scale PORT={ports[0] + 1}")


def scaled_environment(stack: contextlib.ExitStack) -> dict[str, str]:
    """Our environment, with the addresses of a PostgreSQL and a Redis that live as long as the stack."""
    data = data_directory()
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "crucible_site.settings"}
    try:
        if not environment.get("DATABASE_URL"):
            environment["DATABASE_URL"] = stack.enter_context(postgres(data / "postgresql", durable=True)).url
        if not environment.get("REDIS_URL"):
            environment["REDIS_URL"] = stack.enter_context(redis(data / "redis")).url
    except Unavailable as reason:
        sys.exit(f"{reason}.\nElse set DATABASE_URL, REDIS_URL or CRUCIBLE_DATA_DIR to what can be used.")
    return environment


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    if subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment).returncode:
        sys.exit("Could not be started; the words of what failed are above.")


def start_all(environment: Mapping[str, str], listener: socket.socket) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    for number in (1, 2):
        web = ["manage.py", "serve", "--fd", str(listener.fileno())]
        yield f"web {number}", start(web, environment, [listener.fileno()])
        yield f"worker {number}", start([*WORKER, "-n", f"w{number}@%h"], environment, [])


def start(arguments: Sequence[str], environment: Mapping[str, str], sockets: Sequence[int]) -> subprocess.Popen[bytes]:
    """Out of reach of the terminal's Ctrl-C: we stop it ourselves, before its database goes."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=sockets,
    )


def await_first_page(port: int) -> None:
    """Only the web processes hold the listening socket, so a connection is refused once both have ended."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except OSError as reason:
        sys.exit(f"No web process answered a page ({reason}); their own words are above.")
    finally:
        connection.close()


def watch(processes: Processes) -> None:
    """Return when all have ended; say so when one does."""
    running = dict(processes)
    while running:
        time.sleep(0.5)
        for name in [name for name, process in running.items() if process.poll() is not None]:
            print(f"  {name} ended ({running.pop(name).returncode}); it is not started again", flush=True)


if __name__ == "__main__":
    main()
