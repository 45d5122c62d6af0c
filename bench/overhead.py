"""Row a: what Crucible adds to the models' own time, for a review of five instances and a summary.

Drafts exist before. All sessions are started at once through the public API, each with a socket subscribed; a session
counts from the event of its start to the event of its completion. The critical path is two answers of 200 ms. A bare
aiohttp client makes the same calls against the same mock in the same run.
"""

import asyncio
import statistics
import time
from typing import Any

import aiohttp
import orjson

from bench.stack import REST, Client, Stack, crucible, mock_provider

INSTANCES = 5
LATENCY = 0.2
CRITICAL_PATH = 2 * LATENCY
MUST = {True: {1: 1.08, 50: 1.4, 200: 2.2}, False: {1: 1.1, 50: 2.5}}
REPEATS = {1: 7, 50: 3, 200: 3}


def run() -> list[dict[str, Any]]:
    routes = ["review-200" for _ in range(INSTANCES)]
    rows = []
    with mock_provider() as provider:
        for scaled in (True, False):
            with crucible(routes, provider, scaled=scaled) as stack:
                rows += asyncio.run(_measure(stack, provider, routes, scaled))
    return rows


async def _measure(stack: Stack, provider: str, routes: list[str], scaled: bool) -> list[dict[str, Any]]:
    rows = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(stack, http)
        artifact = await client.artifact()
        await _sessions(client, http, artifact, 4)
        for count, must in MUST[scaled].items():
            ours: list[list[float]] = []
            bare: list[list[float]] = []
            for _ in range(REPEATS[count]):
                bare.append(await _bare(http, provider, routes, count))
                ours.append(await _sessions(client, http, artifact, count))
            p50 = statistics.median(statistics.median(walls) for walls in ours)
            worst = statistics.median(max(walls) for walls in ours)
            floor = statistics.median(statistics.median(walls) for walls in bare)
            rows.append(
                {
                    "row": "a",
                    "what": f"{count} reviews at once, {'PostgreSQL, 2 workers' if scaled else 'SQLite embedded'}",
                    "figure": round(p50 / CRITICAL_PATH, 3),
                    "must": must,
                    "max": round(worst / CRITICAL_PATH, 3),
                    "bare": round(floor / CRITICAL_PATH, 3),
                    "ratio_to_bare": round(p50 / floor, 3),
                    "unit": "wall / critical path, p50",
                }
            )
    return rows


async def _bare(http: aiohttp.ClientSession, provider: str, routes: list[str], count: int) -> list[float]:
    async def call(route: str) -> None:
        body = {"model": route, "stream": True, "messages": [{"role": "user", "content": "x" * 4_000}]}
        headers = {"Authorization": "Bearer bench"}
        async with http.post(f"{provider}/chat/completions", json=body, headers=headers) as response:
            async for _ in response.content:
                pass

    async def session() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(call(route) for route in routes))
        await call(routes[0])
        return time.perf_counter() - begun

    return await asyncio.gather(*(session() for _ in range(count)))


async def _sessions(client: Client, http: aiohttp.ClientSession, artifact: str, count: int) -> list[float]:
    codes = [await client.draft(INSTANCES, artifact) for _ in range(count)]
    sockets = [asyncio.ensure_future(_watch(client.stack, http, code)) for code in codes]
    await asyncio.sleep(0.5)
    await asyncio.gather(*(client.post(f"/api/v1/sessions/{code}/start?fresh=true") for code in codes))
    return await asyncio.wait_for(asyncio.gather(*sockets), 120)


async def _watch(stack: Stack, http: aiohttp.ClientSession, code: str) -> float:
    """Seconds from the start's event to the completion's, read from the session's own socket."""
    headers = {"Cookie": stack.cookie, "Origin": stack.base}
    at: dict[str, float] = {}
    async with http.ws_connect(f"{stack.base}/ws/sessions/{code}/", headers=headers, max_msg_size=0) as ws:
        await ws.send_str('{"type":"hello","after":0}')
        async for message in ws:
            frame = orjson.loads(message.data)
            await ws.send_str(orjson.dumps({"type": "ack", "bytes": len(message.data)}).decode())
            for event in frame.get("events", ()):
                at[event["kind"]] = _seconds(event["at"])
                ended = event["kind"].removeprefix("session.")
                if ended in REST:
                    assert ended == "completed", event
                    return at["session.completed"] - at["session.started"]
    raise AssertionError(f"the socket of {code} closed early")


def _seconds(at: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()
