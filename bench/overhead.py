"""Row a: what Crucible adds to the models' own time, for deliberations of five instances in three rounds, and for
reviews of five instances with their summary.

All answers take 200 ms. The critical path of a deliberation is seven of them: three rounds, the synthesis of each, and
the final one; a review's is two.
"""

import asyncio
from typing import Any

import aiohttp

from bench.load import Work, deliberation, measure, review, sessions
from bench.stack import Client, Stack, crucible, mock_provider

LATENCY = 0.2
# Nobody can make them agree.
ROUTES = ["review-200", "review-200", "review-200", "review-200-against", "review-200-against"]
WORKS = {"deliberations": deliberation(ROUTES, LATENCY), "reviews": review(ROUTES, LATENCY)}
# (kind, scaled) -> sessions at once -> what the 50th percentile must reach
MUST = {
    ("deliberations", True): {1: 1.05, 50: 1.3, 200: 2.0},
    ("deliberations", False): {1: 1.05, 50: 2.0},
    ("reviews", True): {1: 1.08, 50: 1.4, 200: 2.2},
    ("reviews", False): {1: 1.1, 50: 2.5},
}
REPEATS = {1: 5, 50: 3, 200: 3}


def run() -> list[dict[str, Any]]:
    rows = []
    with mock_provider() as provider:
        for scaled in (True, False):
            with crucible(ROUTES, provider, scaled=scaled) as stack:
                for name, work in WORKS.items():
                    rows += asyncio.run(_measure(stack, provider, name, work, scaled))
    return rows


async def _measure(stack: Stack, provider: str, name: str, work: Work, scaled: bool) -> list[dict[str, Any]]:
    rows = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(stack, http)
        artifact = await client.artifact()
        await sessions(client, work, artifact, 4)
        for count, must in MUST[name, scaled].items():
            found = await measure(client, provider, work, artifact, count, REPEATS[count])
            rows.append(
                {
                    "row": "a",
                    "what": f"{count} {name} at once, {'PostgreSQL, 2 workers' if scaled else 'SQLite embedded'}",
                    "figure": round(found.p50, 3),
                    "must": must,
                    "max": round(found.worst, 3),
                    "bare": round(found.floor, 3),
                    "ratio_to_bare": round(found.p50 / found.floor, 3),
                    "cpu_ms_per_call": round(found.cpu, 2),
                    "bare_cpu_ms_per_call": round(found.bare_cpu, 2),
                    "unit": "wall / critical path, p50",
                }
            )
    return rows
