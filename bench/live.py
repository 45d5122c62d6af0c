"""Row c: from a provider's chunk to a subscribed socket, in milliseconds; and whether any chunk was lost.

A review of one instance streams stamped chunks, 50 a second; the socket of each session reads them back. 1 and 100
sessions at once, scaled mode.
"""

import asyncio
import re
import statistics
import time
from typing import Any

import aiohttp
import orjson

from bench.stack import Client, Stack, crucible, mock_provider

CHUNKS = 150
START_MS = 3_000  # all sessions have started by then: what is measured is streaming
MUST = {1: (5.0, 20.0), 100: (15.0, 60.0)}
STAMP = re.compile(r"<(\d+):(\d+)>")
REPEATS = {1: 3, 100: 3}


def run() -> list[dict[str, Any]]:
    with (
        mock_provider() as provider,
        crucible([f"tokens-{CHUNKS}-every-20-after-{START_MS}"], provider, scaled=True) as stack,
    ):
        return asyncio.run(_measure(stack))


async def _measure(stack: Stack) -> list[dict[str, Any]]:
    rows = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(stack, http)
        artifact = await client.artifact()
        await _rooms(client, http, artifact, 2)
        for count, (must_p50, must_p99) in MUST.items():
            runs = [await _rooms(client, http, artifact, count) for _ in range(REPEATS[count])]
            p50 = statistics.median(statistics.median(delays) for delays, _ in runs)
            p99 = statistics.median(statistics.quantiles(delays, n=100)[98] for delays, _ in runs)
            rows.append(
                {
                    "row": "c",
                    "what": f"chunk to socket, {count} rooms, {CHUNKS} chunks each at 50 per second",
                    "figure": round(p50, 2),
                    "must": must_p50,
                    "p99": round(p99, 2),
                    "must_p99": must_p99,
                    "lost": sum(lost for _, lost in runs),
                    "unit": "ms, p50",
                }
            )
    return rows


async def _rooms(client: Client, http: aiohttp.ClientSession, artifact: str, count: int) -> tuple[list[float], int]:
    codes = [await client.draft(1, artifact) for _ in range(count)]
    watching = [asyncio.ensure_future(_watch(client.stack, http, code)) for code in codes]
    await asyncio.sleep(0.5)
    await asyncio.gather(*(client.post(f"/api/v1/sessions/{code}/start?fresh=true") for code in codes))
    seen = await asyncio.wait_for(asyncio.gather(*watching), 120)
    delays = [delay for room, _ in seen for delay in room]
    return delays, sum(lost for _, lost in seen)


async def _watch(stack: Stack, http: aiohttp.ClientSession, code: str) -> tuple[list[float], int]:
    headers = {"Cookie": stack.cookie, "Origin": stack.base}
    delays: list[float] = []
    numbers: list[int] = []
    async with http.ws_connect(f"{stack.base}/ws/sessions/{code}/", headers=headers, max_msg_size=0) as ws:
        await ws.send_str('{"type":"hello","after":0}')
        async for message in ws:
            now = time.monotonic_ns()
            frame = orjson.loads(message.data)
            await ws.send_str(orjson.dumps({"type": "ack", "bytes": len(message.data)}).decode())
            for delta in frame.get("deltas", ()):
                for number, sent in STAMP.findall(delta["t"]):
                    delays.append((now - int(sent)) / 1e6)
                    numbers.append(int(number))
            # The first answer alone counts; the summary streams, too.
            if len(numbers) >= CHUNKS or any(event["kind"] == "call.finished" for event in frame.get("events", ())):
                break
    first = numbers[:CHUNKS]
    assert first == sorted(first), "chunks were reordered"
    return delays[:CHUNKS], CHUNKS - len(first)
