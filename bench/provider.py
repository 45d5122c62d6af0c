"""The provider of the benches: cheap enough that what is measured is Crucible. OpenAI's format, streamed.

The model's name says how it behaves. `review-L` answers after L ms: with findings on the bench's artifact (steps 1, 3
and 5, or every Kth from I to before J with `-of-I-to-J-by-K`), with a position on every finding it is asked about (it
agrees; with `-against` not, with `-wavers` in every second round), or with a sentence when a summary is asked for.
`tokens-N-every-M-after-D` gives the same answers with N chunks before them, one each M ms, after D ms; each says when
it was sent (CLOCK_MONOTONIC, nanoseconds), so that any process of this machine can tell how long it took.
"""

import asyncio
import json
import re
import time
from functools import cache
from typing import Any

MAX_SECONDS = 900
CHUNKS = 4
REVIEW = re.compile(rb'"model": ?"review-([0-9]+)')
TOKENS = re.compile(rb'"model": ?"tokens-([0-9]+)-every-([0-9]+)-after-([0-9]+)')
STEPS = re.compile(rb'"model": ?"[^"]*-of-([0-9]+)-to-([0-9]+)-by-([0-9]+)')
STANCE = re.compile(rb'"model": ?"[^"]*-(against|wavers)"')
ROUND = re.compile(rb"Round: ([0-9]+)")
LISTED = re.compile(rb"(F-[0-9]{3,}) [a-z]+: ")
# What the prompts of Crucible say that ask for something else than findings.
ASKS_POSITIONS = b"Take a position on every listed finding"
ASKS_WORDS = re.compile(rb"the (?:summary of a finished review|synthesis of )")
LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
TOKEN = b'{"choices":[{"index":0,"delta":{"content":"<%d:%d>"},"finish_reason":null}]}'
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


def position(label: str, stance: str) -> dict[str, Any]:
    return {
        "finding": label,
        "rationale": "The quoted line divides by a value that the caller chooses, and nothing before it looks at that.",
        "new_evidence": "",
        "changed_because": "evidence",
        "same_as": None,
        "amend_field": "none",
        "amend_value": "",
        "confidence": 0.8,
        "stance": stance,
    }


WORDS = "Begin with F-001: the divisor of step 3 can be zero. F-002 and F-003 are the same defect elsewhere."
GRADES = ("major", "critical", "minor")


@cache
def report(steps: tuple[int, ...]) -> str:
    """The rest of an answer with findings, behind its analysis."""
    findings = [finding(step, GRADES[at % len(GRADES)]) for at, step in enumerate(steps)]
    said = {"findings": findings, "coverage": "All of it.", "not_examined": []}
    return '", ' + json.dumps(said)[1:]


@cache
def assessment(labels: tuple[str, ...], stance: str) -> str:
    """The rest of an answer with positions, behind its analysis."""
    return '", ' + json.dumps({"positions": [position(label, stance) for label in labels], "findings": []})[1:]


def answer_to(body: bytes) -> tuple[str, str]:
    """What the answer begins with and how it goes on; chunks may be said in between."""
    if ASKS_WORDS.search(body):
        return "", WORDS
    if ASKS_POSITIONS in body:
        labels = tuple(sorted({label.decode() for label in LISTED.findall(body)}))
        return '{"analysis": "', assessment(labels, _stance(body))
    steps = STEPS.search(body)
    chosen = tuple(range(*map(int, steps.groups()))) if steps else (1, 3, 5)
    return '{"analysis": "', report(chosen)


def _stance(body: bytes) -> str:
    named, number = STANCE.search(body), ROUND.search(body)
    against = named and (named[1] == b"against" or bool(number and int(number[1]) % 2))
    return "disagree" if against else "agree"


@cache
def whole(text: str) -> bytes:
    """An answer of four chunks."""
    size = -(-len(text) // CHUNKS)
    pieces = b"".join(delta(text[start : start + size]) for start in range(0, len(text), size))
    return HEAD + pieces + event(USAGE % CHUNKS) + DONE


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
        begin, end = answer_to(body)
        if found := REVIEW.search(body):
            self._loop.call_later(int(found[1]) / 1000, self._write, whole(begin + end))
        elif found := TOKENS.search(body):
            count, interval, delay = int(found[1]), int(found[2]) / 1000, int(found[3]) / 1000
            last = delta(end) + event(USAGE % count) + DONE
            self._write(HEAD)
            self._loop.call_later(delay, self._write, delta(begin))
            self._loop.call_later(delay, self._token, 0, count, interval, self._loop.time() + delay, last)

    def _token(self, number: int, count: int, interval: float, begun: float, last: bytes) -> None:
        if number == count:
            self._write(last)
            return
        self._write(event(TOKEN % (number, time.monotonic_ns())))
        self._loop.call_at(begun + (number + 1) * interval, self._token, number + 1, count, interval, begun, last)

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(MAX_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
