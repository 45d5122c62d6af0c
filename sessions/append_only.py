"""Rows that nobody rewrites: refused by the database itself, on both databases.

Reinstalled after every migrate, because SQLite drops triggers when a migration rebuilds a table; a missing one is a
failed check. `purge` opens them for the current transaction only (PostgreSQL) or thread (SQLite).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("crucible_sessions_event", "crucible_sessions_gatepolicy", "crucible_sessions_gatedecision",
          "crucible_sessions_standardversion", "crucible_sessions_certificate",
          "crucible_sessions_round", "crucible_sessions_position")  # fmt: skip
# verb, for each what. SQLite empties a table with DELETE, row by row.
VERBS = {
    "postgresql": (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")),
    "sqlite": (("update", "ROW"), ("delete", "ROW")),
}
_purging = threading.local()


def install(using: str = "default", **_: Any) -> None:
    """The `post_migrate` receiver."""
    connection = connections[using]
    present = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for table in TABLES:
            if table in present:
                for statement in _statements(connection.vendor, table):
                    cursor.execute(statement)


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Tables whose triggers are not there, or switched off."""
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = {row[0] for row in cursor.fetchall()}
    present = set(connection.introspection.table_names())
    verbs = [verb for verb, _ in VERBS[connection.vendor]]
    return [table for table in TABLES if table in present and not {f"{table}_{verb}" for verb in verbs} <= found]


@contextmanager
def purge() -> Iterator[None]:
    """Inside, append-only rows may go. For `sessions.actions.purge` and the test flush alone."""
    connection = connections["default"]
    with transaction.atomic():
        before = _open(connection, "on")
        try:
            yield
        except BaseException:
            _purging.open = before == "on"  # PostgreSQL takes its setting back with the savepoint
            raise
        _open(connection, before)


def _open(connection: BaseDatabaseWrapper, state: str) -> str:
    """Set whether append-only rows may go, "on" or not, and return what it was."""
    if connection.vendor != "postgresql":
        before, _purging.open = getattr(_purging, "open", False), state == "on"
        return "on" if before else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('crucible.purge', true), set_config('crucible.purge', %s, true)", [state]
        )
        return str(cursor.fetchone()[0] or "")


def add_sqlite_function(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """The `connection_created` receiver: SQLite triggers ask this function whether a purge is open. REPLACE fires
    the triggers of the rows it deletes only when triggers are recursive."""
    if connection.vendor == "sqlite":
        connection.connection.execute("PRAGMA recursive_triggers = ON")
        connection.connection.create_function("crucible_purging", 0, lambda: int(getattr(_purging, "open", False)))


def _statements(vendor: str, table: str) -> list[str]:
    if vendor == "postgresql":
        return [
            """CREATE OR REPLACE FUNCTION crucible_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN
                 IF current_setting('crucible.purge', true) = 'on' THEN
                   IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                   RETURN NEW;
                 END IF;
                 RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
               END $$""",
            *(
                f"CREATE OR REPLACE TRIGGER {table}_{verb} BEFORE {verb} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION crucible_append_only()"
                for verb, each in VERBS[vendor]
            ),
        ]
    return [
        statement
        for verb, _ in VERBS[vendor]
        for statement in (
            f"DROP TRIGGER IF EXISTS {table}_{verb}",
            f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} WHEN NOT crucible_purging()"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        )
    ]
