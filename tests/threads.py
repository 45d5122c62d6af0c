"""The ORM beside an event loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from django.db import connections


def in_thread(act: Callable[[], Any]) -> "asyncio.Future[Any]":
    """Run `act` on a thread with a connection of its own, as a request does."""

    def acted() -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    return asyncio.get_running_loop().run_in_executor(None, acted)
