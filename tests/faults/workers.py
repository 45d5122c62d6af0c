"""Worker processes that can be killed: forked from one warm server, because importing the project takes seconds."""

import multiprocessing
from multiprocessing.context import ForkServerProcess

import django
from django.apps import apps
from django.conf import settings
from django.db import connection, connections

if not apps.ready:
    django.setup()

from sessions import faultpoints, providers
from sessions.providers.demo import DemoAdapter
from sessions.worker import stop_worker, worker

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


def start(session_id: int, crash_at: str = "", pauses: float = 0.0) -> ForkServerProcess:
    """A new process that drives the session to rest, as a worker does, or dies at the fault point on the way. Demo
    models take `pauses` times their natural time."""
    arguments = (str(connection.settings_dict["NAME"]), session_id, crash_at, pauses)
    process = _SERVER.Process(target=_work, args=arguments)
    process.start()
    return process


def drive(session_id: int, crash_at: str = "") -> int | None:
    """The exit code of a worker process: 0, or 137 when it was killed."""
    process = start(session_id, crash_at)
    process.join(60)
    return process.exitcode


def _work(database: str, session_id: int, crash_at: str, pauses: float) -> None:
    connections.databases["default"]["NAME"] = database
    settings.CRUCIBLE_DEADLINES = {"backoff": 0.01}
    providers._made["demo"] = DemoAdapter(pauses)
    faultpoints.arm(crash_at)
    worker().submit(session_id).result()
    stop_worker()
