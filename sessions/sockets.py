"""What stands around every socket: the origin check and the answer to unknown paths."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import validate_host

Scope = dict[str, Any]
Application = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]]


class NotFound(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Refuses the handshake, as an unknown or foreign session does."""

    async def connect(self) -> None:
        await self.close()


def same_origin_only(application: Any) -> Application:
    """Channels' own validator accepts any port of an allowed host; a page on another port is another site."""

    async def checked(
        scope: Scope, receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[Any]]
    ) -> None:
        if _is_same_origin(scope):
            await application(scope, receive, send)
        else:
            await NotFound.as_asgi()(scope, receive, send)

    return checked


def _is_same_origin(scope: Scope) -> bool:
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    origins, hosts = headers.get(b"origin", []), headers.get(b"host", [])
    if len(origins) != 1 or len(hosts) != 1:
        return False
    try:
        origin, host = urlsplit(origins[0].decode("ascii")), hosts[0].decode("ascii").lower()
        scheme, default = ("https", 443) if settings.HTTPS or scope.get("scheme") == "wss" else ("http", 80)
        name, _, _ = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
        same_port = (origin.port or default) == (urlsplit(f"//{host}").port or default)
    except (UnicodeDecodeError, ValueError):
        return False
    named = "*" not in settings.ALLOWED_HOSTS and validate_host(name, settings.ALLOWED_HOSTS)
    return named and same_port and origin.scheme == scheme and (origin.hostname or "") == name.strip("[]")
