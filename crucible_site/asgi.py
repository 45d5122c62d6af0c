"""HTTP and sockets. The origin check stands outermost: a socket from another page never reaches a consumer."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import django
from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http.response import FileResponse, HttpResponseBase
from django.urls import Resolver404, resolve, set_script_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crucible_site.settings")
django.setup(set_prefix=False)

from sessions.routing import websocket_urlpatterns  # noqa: E402 - needs loaded apps
from sessions.sockets import same_origin_only  # noqa: E402
from sessions.stacks import with_room  # noqa: E402

# For requests that are answered at once, and for those that wait on the event loop and look into the database between.
REQUEST_THREADS, WAITING_THREADS = 8, 4


class PooledHandler(ASGIHandler):
    """Requests share a few threads, each with one lasting database connection. Django's own handler makes a thread, and
    so a connection, per request: two hundred at once would be two hundred connections, more than PostgreSQL grants.

    A synchronous view runs in one visit to a thread, together with all middleware. Django makes a visit for every
    synchronous middleware, before the view and after: fourteen, which take three times as long as a short view.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(REQUEST_THREADS, thread_name_prefix="request")
        names = (f"waiting-{number}" for number in range(WAITING_THREADS))
        self._waiting = {ThreadPoolExecutor(1, thread_name_prefix=name): 0 for name in names}
        self._synchronous = BaseHandler()
        self._synchronous.load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not _waits(scope):
            async with ThreadSensitiveContext(executor=self._threads):
                return await self._handle_at_once(scope, receive, send)
        executor = min(self._waiting, key=self._waiting.__getitem__)
        self._waiting[executor] += 1
        try:
            async with ThreadSensitiveContext(executor=executor):
                await self.handle(scope, receive, send)
        finally:
            self._waiting[executor] -= 1

    async def _handle_at_once(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            run = partial(asyncio.get_running_loop().run_in_executor, self._threads)
            response = await run(with_room, self._respond, scope, body)
            await self.send_response(response, send)
            if response.streaming:
                await run(response.close)

    def _respond(self, scope: Any, body: Any) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, unreadable = self.create_request(scope, body)
        response = cast(HttpResponseBase, self._synchronous.get_response(request) if request else unreadable)
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()  # what it says stays
        return response


def _waits(scope: Any) -> bool:
    """Whether the view is a coroutine: it may wait for minutes, and must not hold a thread meanwhile."""
    try:
        return iscoroutinefunction(resolve(scope["path"]).func)
    except Resolver404:
        return False


application = ProtocolTypeRouter(
    {
        "http": PooledHandler(),
        "websocket": same_origin_only(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
