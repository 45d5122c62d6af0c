"""The provider of the benches: cheap enough that what is measured is Crucible. OpenAI's format, streamed.

The model's name says how it behaves. `review-L` answers after L ms with three findings on the bench's artifact, or with
a sentence when a summary is asked for. `tokens-N-every-M-after-D` streams N chunks, one each M ms, after D ms; each
says when it was sent (CLOCK_MONOTONIC, nanoseconds), so that any process of this machine can tell how long it took.
"""

import asyncio
import json
import re
import time
from typing import Any

MAX_SECONDS = 900
CHUNKS = 4
REVIEW = re.compile(rb'"model": ?"review-(\d+)')
TOKENS = re.compile(rb'"model": ?"tokens-(\d+)-every-(\d+)-after-(\d+)')
LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = (
    b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":900,"completion_tokens":%d}}'
)


def finding(number: int, severity: str) -> dict[str, Any]:
    return {
        "title": f"Division by zero in step {number}",
        "claim": f"Nothing keeps the divisor of step {number} from being zero, so the call fails at run time.",
        "evidence": f"return value / {number}",
        "location": {"path": "steps.py", "start_line": 3 * number + 2, "end_line": 3 * number + 2, "anchor": None},
        "suggestion": "Check the divisor first.",
        "category": "arithmetic",
        "family": "correctness",
        "confidence": 0.8,
        "severity": severity,
    }


def event(data: bytes) -> bytes:
    line = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(line), line)


def delta(text: str) -> bytes:
    content = json.dumps(text).encode()
    return event(b'{"choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]}' % content)


def whole(text: str) -> bytes:
    size = -(-len(text) // CHUNKS)
    pieces = b"".join(delta(text[start : start + size]) for start in range(0, len(text), size))
    return HEAD + pieces + event(USAGE % CHUNKS) + event(b"[DONE]") + b"0\r\n\r\n"


REPORT = whole(
    json.dumps(
        {
            "analysis": "Read every step.",
            "findings": [
                finding(number, severity) for number, severity in ((1, "major"), (3, "critical"), (5, "minor"))
            ],
            "coverage": "All of it.",
            "not_examined": [],
        }
    )
)
SUMMARY = whole("Begin with F-001: the divisor of step 3 can be zero. F-002 and F-003 are the same defect elsewhere.")


class Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = LENGTH.search(self._buffer, 0, end)
        size = end + (int(length[1]) if length else 0)
        if len(self._buffer) >= size:
            body = bytes(self._buffer[end:size])
            del self._buffer[:size]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        if found := REVIEW.search(body):
            answer = SUMMARY if b"summary of a finished review" in body else REPORT
            self._loop.call_later(int(found[1]) / 1000, self._write, answer)
        elif found := TOKENS.search(body):
            count, interval, delay = int(found[1]), int(found[2]) / 1000, int(found[3]) / 1000
            self.transport.write(HEAD)
            self._loop.call_later(delay, self._token, 0, count, interval, self._loop.time() + delay)

    def _token(self, number: int, count: int, interval: float, begun: float) -> None:
        if number == count:
            self._write(event(USAGE % count) + event(b"[DONE]") + b"0\r\n\r\n")
            return
        self._write(delta(f"<{number}:{time.monotonic_ns()}>"))
        self._loop.call_at(begun + (number + 1) * interval, self._token, number + 1, count, interval, begun)

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(MAX_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
