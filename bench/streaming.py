"""Row b: how many deliberations of five instances in three rounds stream at once, with what they take within a tenth
of the critical path and each chunk at a reader within 100 ms.

An answer begins after 200 ms and streams 100 chunks, one each 20 ms, five answers at a time. One session of ten has a
socket, on which the chunks are timed; scaled mode. From MUST upwards until it does not hold, downwards if it does not
hold there.
"""

import asyncio
import re
import statistics
import time
from typing import Any

import aiohttp

from bench.load import bare, deliberation, sessions
from bench.stack import Client, Stack, crucible, mock_provider

FIRST_MS, CHUNKS, INTERVAL_MS = 200, 100, 20
STREAM = f"tokens-{CHUNKS}-every-{INTERVAL_MS}-after-{FIRST_MS}"
ROUTES = [STREAM, STREAM, STREAM, f"{STREAM}-against", f"{STREAM}-against"]
WORK = deliberation(ROUTES, (FIRST_MS + CHUNKS * INTERVAL_MS) / 1000)
MUST = 150
MORE, FEWER = (200, 300, 400), (100, 50, 25)
MOST_RATIO, MOST_MS = 1.10, 100.0
WATCHED = 10
STAMP = re.compile(r"<\d+:(\d+)>")


def run() -> list[dict[str, Any]]:
    with mock_provider() as provider, crucible(ROUTES, provider, scaled=True) as stack:
        return asyncio.run(_measure(stack, provider))


async def _measure(stack: Stack, provider: str) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(stack, http)
        artifact = await client.artifact()
        await sessions(client, WORK, artifact, 4)
        floor = statistics.median(await bare(http, provider, WORK, MUST)) / WORK.critical_path
        tried = [await _at_once(client, artifact, MUST)]
        for count in MORE if tried[0]["holds"] else FEWER:
            tried.append(await _at_once(client, artifact, count))
            if tried[-1]["holds"] != tried[0]["holds"]:
                break
    held = max((one["count"] for one in tried if one["holds"]), default=0)
    told = [one for one in tried if one["count"] in {MUST, held}]
    return [_held(held), *(row for one in told for row in _rows(one, floor))]


def _held(count: int) -> dict[str, Any]:
    what = f"deliberations that stream at once, {MUST} asked for"
    return {"row": "b", "what": what, "figure": max(MUST - count, 0), "must": 0, "unit": "too few", "held": count}


def _rows(one: dict[str, Any], floor: float) -> list[dict[str, Any]]:
    what = f"{one['count']} deliberations streaming"
    wall = {"figure": one["ratio"], "must": MOST_RATIO, "unit": "wall / critical path, p50", "max": one["max"]}
    beside = {f"bare_at_{MUST}": round(floor, 3), "cores": one["cores"]}
    chunks = {"figure": one["p99"], "must": MOST_MS, "unit": "ms, p99", "p50": one["p50"]}
    return [
        {"row": "b", "what": what, **wall, **beside},
        {"row": "b", "what": f"{what}, chunk to socket", **chunks},
    ]


async def _at_once(client: Client, artifact: str, count: int) -> dict[str, Any]:
    delays: list[float] = []

    def heard(frame: dict[str, Any]) -> None:
        now = time.monotonic_ns()
        for delta in frame.get("deltas", ()):
            delays.extend((now - int(sent)) / 1e6 for sent in STAMP.findall(delta["t"]))

    walls, spent = await sessions(client, WORK, artifact, count, heard, WATCHED)
    ratio = statistics.median(walls) / WORK.critical_path
    p99 = statistics.quantiles(delays, n=100)[98]
    return {
        "count": count,
        "holds": ratio <= MOST_RATIO and p99 <= MOST_MS,
        "ratio": round(ratio, 3),
        "max": round(max(walls) / WORK.critical_path, 3),
        "p50": round(statistics.median(delays), 1),
        "p99": round(p99, 1),
        "cores": round(spent / 1000 / max(walls), 2),  # of our processes
    }
