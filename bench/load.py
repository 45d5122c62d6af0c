"""Many sessions at once, and a bare aiohttp client that makes the same calls against the same mock.

Drafts exist before. All sessions are started at once through the public API; a session counts from the event of its
start to the event of its completion. `waves` say how many calls go out together, one wave after the other: the critical
path is one answer of a model for each wave.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import orjson

from bench.provider import ASKS_POSITIONS
from bench.stack import REST, Client

LONGEST = 120
# What a prompt of each wave weighs; its first words tell the mock what to answer.
LISTED = b"F-001 major: a\nF-002 critical: b\nF-003 minor: c\n"
PROMPTS = {
    "review": "x" * 4_000,
    "positions": f"{ASKS_POSITIONS.decode()} {LISTED.decode()}" + "x" * 7_000,
    "words": "Write the synthesis of " + "x" * 3_000,
}


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of session over `routes`, one for each instance. `answer` is what a model takes, in seconds."""

    kind: str
    routes: tuple[str, ...]
    waves: tuple[str, ...]
    answer: float
    params: dict[str, Any]

    @property
    def critical_path(self) -> float:
        return len(self.waves) * self.answer

    @property
    def calls(self) -> int:
        return sum(1 if wave == "words" else len(self.routes) for wave in self.waves)


def review(routes: list[str], answer: float) -> Work:
    return Work("review", tuple(routes), ("review", "words"), answer, {})


def deliberation(routes: list[str], answer: float, rounds: int = 3) -> Work:
    """Each round has a synthesis, and the end has one. The routes must not agree."""
    waves = ("review", "words", *("positions", "words") * (rounds - 1), "words")
    return Work("deliberation", tuple(routes), waves, answer, {"max_rounds": rounds})


async def bare(http: aiohttp.ClientSession, provider: str, work: Work, count: int) -> list[float]:
    """Seconds of each of `count` sessions."""

    async def call(route: str, prompt: str) -> None:
        body = {"model": route, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        headers = {"Authorization": "Bearer bench"}
        async with http.post(f"{provider}/chat/completions", json=body, headers=headers) as response:
            async for _ in response.content:
                pass

    async def session() -> float:
        begun = time.perf_counter()
        for wave in work.waves:
            routes = work.routes[:1] if wave == "words" else work.routes
            await asyncio.gather(*(call(route, PROMPTS[wave]) for route in routes))
        return time.perf_counter() - begun

    return await asyncio.gather(*(session() for _ in range(count)))


Heard = Callable[[dict[str, Any]], None]


async def sessions(
    client: Client, work: Work, artifact: str, count: int, heard: Heard | None = None, every: int = 1
) -> tuple[list[float], float]:
    """(seconds of each of `count` sessions, milliseconds that our processes computed meanwhile). The client asks the
    API to be told when they rest. With `heard` one session of `every` has a socket, and `heard` is told its frames."""
    codes = [await client.draft(len(work.routes), artifact, work.kind, work.params) for _ in range(count)]
    watching = [asyncio.ensure_future(_watch(client, code, heard)) for code in codes[::every] if heard]
    await asyncio.sleep(0.5)
    before = client.stack.cpu_ms()
    await asyncio.gather(*(_start(client, code) for code in codes))
    await asyncio.wait_for(asyncio.gather(*(_rest(client, code) for code in codes), *watching), LONGEST)
    spent = client.stack.cpu_ms() - before
    return [await _taken(client, code, work) for code in codes], spent


async def logs_after(
    client: Client,
    work: Work,
    artifact: str,
    count: int,
    happened: Callable[[dict[str, Any]], bool],
    then: Callable[[], None],
) -> list[list[dict[str, Any]]]:
    """The logs of `count` sessions that have come to rest; `then` is called once, when `happened` is true of an event
    of the first of them."""  # fmt: skip
    codes = [await client.draft(len(work.routes), artifact, work.kind, work.params) for _ in range(count)]
    seen = asyncio.Event()

    def heard(frame: dict[str, Any]) -> None:
        if not seen.is_set() and any(map(happened, frame.get("events", ()))):
            seen.set()
            then()

    watching = asyncio.ensure_future(_watch(client, codes[0], heard))
    await asyncio.sleep(0.5)
    await asyncio.gather(*(_start(client, code) for code in codes))
    await asyncio.wait_for(asyncio.gather(watching, *(_rest(client, code) for code in codes)), LONGEST)
    assert seen.is_set()
    return [await client.log(code) for code in codes]


async def _start(client: Client, code: str) -> None:
    await client.post(f"/api/v1/sessions/{code}/start?fresh=true")


async def _watch(client: Client, code: str, heard: Heard) -> None:
    """Read the session's socket until it rests."""
    stack = client.stack
    headers = {"Cookie": stack.cookie, "Origin": stack.base}
    async with client.http.ws_connect(f"{stack.base}/ws/sessions/{code}/", headers=headers, max_msg_size=0) as ws:
        await ws.send_str('{"type":"hello","after":0}')
        async for message in ws:
            frame = orjson.loads(message.data)
            await ws.send_str(orjson.dumps({"type": "ack", "bytes": len(message.data)}).decode())
            heard(frame)
            if any(event["kind"].removeprefix("session.") in REST for event in frame.get("events", ())):
                return
    raise AssertionError(f"the socket of {code} closed early")


async def _rest(client: Client, code: str) -> None:
    while (await client.get(f"/api/v1/sessions/{code}?wait=60"))["status"] not in REST:
        pass


async def _taken(client: Client, code: str, work: Work) -> float:
    events = await client.log(code)
    calls = sum(event["kind"] == "call.started" for event in events)
    assert calls == work.calls, f"{calls} calls instead of {work.calls}"
    return _seconds_taken(events)


def _seconds_taken(events: list[dict[str, Any]]) -> float:
    at = {event["kind"]: datetime.fromisoformat(event["at"]).timestamp() for event in events}
    assert "session.completed" in at, events[-1]
    return at["session.completed"] - at["session.started"]


@dataclass(slots=True)
class Measured:
    """Medians over the repeats of a run, as multiples of the critical path; CPU in ms for each call of a model."""

    p50: float
    worst: float
    floor: float
    cpu: float
    bare_cpu: float


async def measure(client: Client, provider: str, work: Work, artifact: str, count: int, repeats: int) -> Measured:
    """Ours and the bare client's in turn."""
    ours, floor, cpu, bare_cpu = [], [], [], []
    for _ in range(repeats):
        before = time.process_time()
        floor.append(await bare(client.http, provider, work, count))
        bare_cpu.append(1000 * (time.process_time() - before))
        walls, spent = await sessions(client, work, artifact, count)
        ours.append(walls)
        cpu.append(spent)
    calls, path = count * work.calls, work.critical_path
    return Measured(
        p50=statistics.median(map(statistics.median, ours)) / path,
        worst=statistics.median(map(max, ours)) / path,
        floor=statistics.median(map(statistics.median, floor)) / path,
        cpu=statistics.median(cpu) / calls,
        bare_cpu=statistics.median(bare_cpu) / calls,
    )
