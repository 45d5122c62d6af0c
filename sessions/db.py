"""The one way from the engine loop to the ORM for reads and short transactions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = ThreadPoolExecutor(4, thread_name_prefix="db")


async def db(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` on a database thread. Connections that died (a PostgreSQL restart) are closed before and
    after; a raw async ORM on a long-lived loop would stay on the dead one for ever."""

    def call() -> R:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(call, thread_sensitive=False, executor=_THREADS)()
