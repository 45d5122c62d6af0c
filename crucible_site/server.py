"""Daphne with a cap on request bodies.

Daphne writes a whole body to disk before any view, login or limit is asked. In embedded mode no proxy stands in front,
so the bytes are counted here: a declared length over the cap is refused at once, an undeclared one when it passes.
"""

from typing import Any

# Before the rest of Daphne: it makes asyncio Twisted's reactor, and the first reactor that anything imports stays.
import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings

_BODY = b'{"error":{"code":"too_large","message":"The request is larger than this server accepts.","request_id":""}}'
_HEADERS = b"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d" % len(_BODY)
_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\n" + _HEADERS + b"\r\n\r\n" + _BODY


class CappedRequest(WebRequest):  # type: ignore[misc]
    _seen = 0

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        super().gotLength(length)
        if length is not None and length > settings.CRUCIBLE_MAX_BODY_BYTES:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        self._seen += len(data)
        if self._seen > settings.CRUCIBLE_MAX_BODY_BYTES:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        transport = self.channel.transport
        transport.write(_TOO_LARGE)
        self.channel.loseConnection()


class CappedFactory(HTTPFactory):  # type: ignore[misc]
    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = CappedRequest
        return protocol


def serve_forever(application: Any, endpoint: str, ready: Any) -> None:
    """Serve until SIGINT or SIGTERM. `endpoint` is Twisted's (`tcp:8000:interface=127.0.0.1`, `fd:fileno=3`)."""
    daphne.server.HTTPFactory = CappedFactory
    daphne.server.Server(application, endpoints=[endpoint], ready_callable=ready, server_name="crucible").run()
