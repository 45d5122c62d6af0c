"""What stands around every socket: the origin check and the answer to unknown paths."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[Any]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that refuses the handshake, as an unknown or foreign session does."""
    await receive()
    await send({"type": "websocket.close"})


def same_origin_only(application: Any) -> Application:
    """Channels' own validator accepts any port of an allowed host; a page on another port is another site."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        await (application if _is_same_origin(scope) else refuse)(scope, receive, send)

    return checked


def _is_same_origin(scope: Scope) -> bool:
    """Compares text with text: a browser writes an origin in one way only, and a parser forgives too much."""
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    origins, hosts = headers.get(b"origin", []), headers.get(b"host", [])
    if len(origins) != 1 or len(hosts) != 1 or "*" in settings.ALLOWED_HOSTS:
        return False
    scheme, default = ("https", "443") if settings.HTTPS or scope.get("scheme") == "wss" else ("http", "80")
    domain, port = split_domain_port(hosts[0].decode("latin-1"))
    ours = {f"{scheme}://{domain}:{port or default}"}
    if port in {"", default}:
        ours.add(f"{scheme}://{domain}")
    return validate_host(domain, settings.ALLOWED_HOSTS) and origins[0].decode("latin-1").lower() in ours
