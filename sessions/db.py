"""The one way from an event loop to the ORM, for reads and short transactions."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections

P = ParamSpec("P")
R = TypeVar("R")

IDLE_SECONDS = 1.0
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="db")
_used = threading.local()


async def db(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` on a database thread.

    A connection that rested is tested before it is used, and one that failed is closed: a raw async ORM on a
    long-lived loop would stay on a dead one for ever. Testing before every use would double the round trips.
    """

    def call() -> R:
        if time.monotonic() - getattr(_used, "at", 0.0) > IDLE_SECONDS:
            close_old_connections()
        try:
            return function(*args, **kwargs)
        except (OperationalError, InterfaceError):
            close_old_connections()
            raise
        finally:
            _used.at = time.monotonic()

    return await sync_to_async(call, thread_sensitive=False, executor=_THREADS)()
