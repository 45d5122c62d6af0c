"""HTTP and sockets. The origin check stands outermost: a socket from another page never reaches a consumer."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crucible_site.settings")
django.setup(set_prefix=False)

from sessions.routing import websocket_urlpatterns  # noqa: E402 - needs loaded apps
from sessions.sockets import same_origin_only  # noqa: E402

REQUEST_THREADS = 12


class PooledHandler(ASGIHandler):
    """Requests share a few threads, each with one lasting database connection. Django's own handler makes a thread, and
    so a connection, per request: two hundred at once would be two hundred connections, more than PostgreSQL grants."""

    def __init__(self) -> None:
        super().__init__()
        names = (f"request-{number}" for number in range(REQUEST_THREADS))
        self._busy = {ThreadPoolExecutor(1, thread_name_prefix=name): 0 for name in names}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        executor = min(self._busy, key=self._busy.__getitem__)
        self._busy[executor] += 1
        try:
            async with ThreadSensitiveContext(executor=executor):
                await self.handle(scope, receive, send)
        finally:
            self._busy[executor] -= 1


application = ProtocolTypeRouter(
    {
        "http": PooledHandler(),
        "websocket": same_origin_only(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
