"""What every test stands on: plain static files, demo models without pauses, no worker left behind, and a database
flush that may empty append-only tables."""

import os
import threading

os.environ["CRUCIBLE_DEMO_SPEED"] = "0"
os.environ.pop("CRUCIBLE_CRASH_AT", None)

from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from django.core.management.commands import flush  # noqa: E402


@pytest.fixture(autouse=True)
def _plain_settings(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_worker_left() -> Iterator[None]:
    yield
    from sessions.worker import stop_worker

    stop_worker()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """PostgreSQL drops no database that a thread of ours is still connected to."""
    yield
    from django.db import connections

    from sessions.db import _THREADS

    together = threading.Barrier(_THREADS._max_workers)

    def close() -> None:
        together.wait(10)  # until every thread has one of these, so that none gets two
        connections.close_all()

    for closed in [_THREADS.submit(close) for _ in range(_THREADS._max_workers)]:
        closed.result()


class _PurgingFlush(flush.Command):
    def handle(self, **options: Any) -> None:
        from sessions import append_only

        append_only._purging.open = True
        try:
            super().handle(**options)
        finally:
            append_only._purging.open = False


flush.Command = _PurgingFlush  # type: ignore[misc]
