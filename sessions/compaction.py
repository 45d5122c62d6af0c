"""SQLite's files after something was erased.

It overwrites what is deleted (secure_delete), but not everywhere: where pages of a table were rebalanced, copies of
rows stay in the gaps; the search index keeps the words of a text beside the note that it is gone; and older pages stand
in the write-ahead log. So the index is merged, the file rewritten and the log emptied. What is still owed stands in the
file's own `user_version`, written together with the erasure: a process that dies in between leaves it to the next one.

PostgreSQL does the like by itself, when it vacuums.
"""

import logging
import threading
import time
from typing import Any

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

# How long readers of the write-ahead log are waited for, in seconds.
PATIENCE, POLL_SECONDS = 5.0, 0.05
_one_at_a_time = threading.Lock()


def owe() -> None:
    """Say, in the transaction that erases something, that `compact` has to follow."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            _set_owed(cursor, _owed(cursor) + 1)


def compact() -> None:
    """Leave nothing of what was erased in the files. Nobody can write meanwhile: a second for some 200 MB. Inside of a
    transaction it is left to whoever opened that, and a file that is in use to the next call."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return
    try:
        with _one_at_a_time, connection.cursor() as cursor:
            if owed := _owed(cursor):
                cursor.execute("INSERT INTO crucible_search (crucible_search) VALUES ('optimize')")
                cursor.execute("VACUUM")
                _empty_log(cursor)
                with transaction.atomic():
                    _set_owed(cursor, _owed(cursor) - owed)
    except OperationalError:
        logger.warning("the database is in use: traces of erased words stay in its file until it is compacted next")


def _empty_log(cursor: Any) -> None:
    """A checkpoint that meets another one is refused at once, whatever the busy timeout says."""
    until = time.monotonic() + PATIENCE
    while cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > until:
            raise OperationalError("the write-ahead log is in use")
        time.sleep(POLL_SECONDS)


def _owed(cursor: Any) -> int:
    return int(cursor.execute("PRAGMA user_version").fetchone()[0])


def _set_owed(cursor: Any, owed: int) -> None:
    cursor.execute(f"PRAGMA user_version = {owed:d}")
