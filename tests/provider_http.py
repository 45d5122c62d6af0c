"""A small HTTP/1.1 server on asyncio's own protocol class: fast enough to stand for a provider in a bench."""

import asyncio
import socket
import struct
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


class HttpConnection(asyncio.Protocol, ABC):
    """One client connection with keep-alive. Requests are answered one after the other, by `respond`."""

    def __init__(self) -> None:
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.may_write.set()
        if self.task:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.task is None:
            self.next_request()

    def next_request(self) -> None:
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, path, _ = first.split(" ")
        self.task = asyncio.get_running_loop().create_task(self.respond(Request(method, path, headers, rest[:length])))
        self.task.add_done_callback(self.responded)

    def responded(self, task: asyncio.Task[None]) -> None:
        self.task = None
        if not task.cancelled() and task.exception():
            print(repr(task.exception()), file=sys.stderr, flush=True)
            self.transport.abort()
        elif not self.transport.is_closing():
            self.next_request()

    @abstractmethod
    async def respond(self, request: Request) -> None:
        """Answer one request, by `send` or otherwise."""

    def send_json(self, status: int, document: Any, extra: str = "") -> None:
        self.send(status, orjson.dumps(document), "application/json", extra)

    def send(self, status: int, body: bytes, kind: str, extra: str = "") -> None:
        head = f"HTTP/1.1 {status} Mock\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self.transport.write(head.encode("latin-1") + body)

    def reset_connection(self) -> None:
        linger = struct.pack("ii", 1, 0)  # closing then sends RST
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


def framed(events: list[bytes]) -> bytes:
    """Each event as one HTTP chunk."""
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)
