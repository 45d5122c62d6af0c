"""What every test stands on: plain static files, demo models without pauses, no worker left behind, and a database
flush that may empty append-only tables."""

import os

os.environ["CRUCIBLE_DEMO_SPEED"] = "0"
os.environ.pop("CRUCIBLE_CRASH_AT", None)

from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from django.core.management.commands import flush  # noqa: E402

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("crucible", deadline=None)
hypothesis.settings.load_profile("crucible")


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
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """PostgreSQL drops no database that a thread of ours is still connected to."""
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


class _PurgingFlush(flush.Command):
    """What empties the database after a test with real transactions: by TRUNCATE on PostgreSQL."""

    def handle(self, **options: Any) -> None:
        from sessions.append_only import purge

        with purge():
            super().handle(**options)


flush.Command = _PurgingFlush  # type: ignore[misc]
