"""Processes that die, stop and come back in the middle of sessions: nothing is lost, and nothing is paid twice."""

import os
import signal
import time

import pytest

from tests.e2e.client import Client, eventually
from tests.e2e.stack import Scaled, Stack, serve

ARTIFACT = "\n".join(f"def step_{number}(value):\n    return value / {number}\n" for number in range(40))
# Answers that take about a second and a half, so that a fault finds them in the middle.
SLOW = "latency=300:interval=60"
LEASE_SECONDS = 10.0
RECOVERY_SECONDS = 15.0
SESSIONS = 6

pytestmark = pytest.mark.slow


def under_way(client: Client, models: list[str]) -> list[str]:
    """Sessions whose brief is written and whose reviews are being answered."""
    artifact = client.artifact("steps.py", ARTIFACT)
    seats = [{"name": model, "role": "reviewer", "model_id": model} for model in models]
    seats[0]["role"] = "lead"
    codes = [client.review(models, artifact, roster=seats) for _ in range(SESSIONS)]
    eventually(lambda: all(client.told(code, "brief.written") for code in codes))
    return codes


def holders(stack: Stack, codes: list[str]) -> dict[str, int]:
    """The process that holds each session."""
    held: dict[str, int] = stack.console("holders", codes=codes)
    return held


def test_kill_9_of_a_worker_costs_only_the_calls_in_flight(scaled: Scaled) -> None:
    client = scaled.client
    models = [scaled.model(f"killed-{name}:{SLOW}") for name in "abc"]
    codes = under_way(client, models)
    held = holders(scaled, codes)
    victim = held[codes[0]]
    assert len(set(held.values())) == 2
    scaled.kill(scaled.worker_of(victim))
    killed_at = time.monotonic()
    for code in codes:
        client.completed(code)
    took = time.monotonic() - killed_at
    scaled.add_worker("worker-after-kill")

    orphans = [code for code in codes if held[code] == victim]
    assert took < LEASE_SECONDS + RECOVERY_SECONDS
    assert all(len(client.told(code, "session.recovered")) == (code in orphans) for code in codes)
    assert scaled.requests(*models) == scaled.attempts(*models)
    assert [client.paid_twice(code) for code in codes] == [[]] * SESSIONS


def test_a_stopped_worker_is_overtaken_and_writes_nothing_when_it_wakes(scaled: Scaled) -> None:
    client = scaled.client
    models = [scaled.model(f"stopped-{name}:{SLOW}") for name in "abc"]
    codes = under_way(client, models)
    held = holders(scaled, codes)
    sleeper = held[codes[0]]
    os.kill(sleeper, signal.SIGSTOP)
    try:
        for code in codes:
            client.completed(code)
        told = [client.events(code) for code in codes]
    finally:
        os.kill(sleeper, signal.SIGCONT)
    time.sleep(2)

    assert [client.events(code) for code in codes] == told
    assert scaled.requests(*models) == scaled.attempts(*models)
    assert [client.paid_twice(code) for code in codes] == [[]] * SESSIONS
    assert sleeper not in [process.pid for process in scaled.processes.values() if process.poll() is not None]


def test_the_embedded_process_goes_on_after_kill_9_and_shows_the_same_everywhere(embedded: Stack) -> None:
    client = embedded.client
    models = [embedded.model(f"embedded-{name}:{SLOW}") for name in "abc"]
    codes = under_way(client, models)
    embedded.kill("serve")
    serve(embedded)
    for code in codes:
        client.completed(code)

    assert embedded.requests(*models) == embedded.attempts(*models)
    assert [client.paid_twice(code) for code in codes] == [[]] * SESSIONS
    for code in codes:
        findings = client.get(f"/api/v1/sessions/{code}/findings")
        page = client.page(f"/sessions/{code}/")
        assert findings["findings"]
        assert findings["who_answered"] in page
        assert all(finding["id"] in page for finding in findings["findings"])
