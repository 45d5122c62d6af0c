"""How long a deliberation of five instances in five rounds, with forty findings, takes to be where it was when its
worker was killed: from the event that says so to the event of the next call. Everything until there comes from the
journal; no model is asked."""

import asyncio
import os
import signal
import statistics
from datetime import datetime
from typing import Any

import aiohttp

from bench.load import deliberation, logs_after
from bench.stack import Client, Stack, crucible, mock_provider

ROUNDS, FINDINGS = 5, 40
ANSWER_MS = 500
# Each raises findings of its own; one changes sides in every round, so that nobody stalls.
STANCES = ("", "", "-wavers", "-against", "-against")
EACH, APART = 8, 8  # findings, and steps between them: what is close together may be one defect
STARTS = range(1, FINDINGS * APART + 1, EACH * APART)
ROUTES = [
    f"review-{ANSWER_MS}-of-{start}-to-{start + EACH * APART}-by-{APART}{stance}"
    for start, stance in zip(STARTS, STANCES, strict=True)
]
WORK = deliberation(ROUTES, ANSWER_MS / 1000, ROUNDS)
# So many that the worker that is killed has some of them, whoever took which.
SESSIONS = 4
MUST = 1.0


def run() -> list[dict[str, Any]]:
    with mock_provider() as provider, crucible(ROUTES, provider, scaled=True) as stack:
        return asyncio.run(_measure(stack))


async def _measure(stack: Stack) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        client = Client(stack, http)
        artifact = await client.artifact(FINDINGS * APART + 1)
        logs = await logs_after(client, WORK, artifact, SESSIONS, _is_last, lambda: _kill(stack))
    replays = [_replay(log) for log in logs if any(event["kind"] == "session.recovered" for event in log)]
    assert replays, "nobody was carried by the worker that was killed"
    return [
        {
            "row": "a",
            "what": f"replay of 5 x {ROUNDS} with {FINDINGS} findings after a kill",
            "figure": round(statistics.median(replays), 3),
            "must": MUST,
            "unit": "s",
            "sessions": len(replays),
            "max": round(max(replays), 3),
        }
    ]


def _is_last(event: dict[str, Any]) -> bool:
    return bool(event["kind"] == "round.published" and event["data"]["round"] == ROUNDS)


def _kill(stack: Stack) -> None:
    """One of the two workers."""
    os.kill(stack.pids[1], signal.SIGKILL)


def _replay(log: list[dict[str, Any]]) -> float:
    kinds = [event["kind"] for event in log]
    found = next(event for event in log if event["kind"] == "findings.ranked")
    assert len(found["data"]["findings"]) == FINDINGS, len(found["data"]["findings"])
    recovered = kinds.index("session.recovered")
    going_on = recovered + kinds[recovered:].index("call.started")
    return _seconds(log[going_on]) - _seconds(log[recovered])


def _seconds(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()
