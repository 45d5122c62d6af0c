"""Processes that die, stop and come back in the middle of sessions: nothing is lost, and nothing is paid twice."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.e2e.client import Client, eventually
from tests.e2e.stack import Console, Scaled, Stack, serve

ARTIFACT = "\n".join(f"def step_{number}(value):\n    return value / {number}\n" for number in range(40))
# Answers that take about a second, so that a fault finds them in the middle.
SLOW = "latency=200:interval=40"
LEASE_SECONDS = 10.0
RECOVERY_SECONDS = 15.0
HANDED_OVER_SECONDS = 1.0
SESSIONS = 4

pytestmark = pytest.mark.slow


def under_way(client: Client, models: list[str]) -> list[str]:
    """Sessions whose brief is written and whose reviews are being answered."""
    artifact = client.artifact("steps.py", ARTIFACT)
    seats = [{"name": model, "role": "reviewer", "model_id": model} for model in models]
    seats[0]["role"] = "lead"
    codes = [client.review(models, artifact, roster=seats) for _ in range(SESSIONS)]
    eventually(lambda: all(client.told(code, "brief.written") for code in codes))
    return codes


def held_by_workers(stack: Scaled, codes: list[str]) -> dict[str, str]:
    """The sessions that worker processes hold, and by which. (A web process may stand in for one of them.)"""
    names = {process.pid: name for name, process in stack.processes.items()}
    held: dict[str, int] = stack.console("holders", codes=codes)
    return {code: names[pid] for code, pid in held.items() if names[pid].startswith("worker")}


def test_kill_9_of_a_worker_costs_only_the_calls_in_flight(scaled: Scaled) -> None:
    client = scaled.client
    models = [scaled.model(f"killed-{name}:{SLOW}") for name in "ab"]
    codes = under_way(client, models)
    held = held_by_workers(scaled, codes)
    victim = next(iter(held.values()))
    scaled.kill(victim)
    killed_at = time.monotonic()
    for code in codes:
        client.completed(code)
    took = time.monotonic() - killed_at
    scaled.add_worker(f"{victim}-again")

    orphans = [code for code in codes if held.get(code) == victim]
    assert took < LEASE_SECONDS + RECOVERY_SECONDS
    assert [code for code in codes if client.told(code, "session.recovered")] == orphans
    assert scaled.requests(*models) == scaled.attempts(*models)
    assert [client.paid_twice(code) for code in codes] == [[]] * SESSIONS


def handed_over(client: Client, code: str) -> float | None:
    """Seconds between the moment a session was given back and the one it was taken again; None when it never was."""
    at = {event["kind"]: datetime.fromisoformat(event["at"]) for event in client.events(code)}
    released, claimed = at.get("session.released"), at["session.claimed"]
    return (claimed - released).total_seconds() if released else None


def test_a_worker_that_is_stopped_hands_its_sessions_over_within_a_second(scaled: Scaled) -> None:
    client = scaled.client
    models = [scaled.model(f"drained-{name}:{SLOW}") for name in "ab"]
    codes = under_way(client, models)
    held = held_by_workers(scaled, codes)
    victim = next(iter(held.values()))
    scaled.end(victim)
    scaled.add_worker(f"{victim}-again")
    for code in codes:
        client.completed(code)

    took = [handed_over(client, code) for code in codes if held.get(code) == victim]
    assert all(seconds is not None and seconds < HANDED_OVER_SECONDS for seconds in took), took
    assert not any(client.told(code, "session.recovered") for code in codes)
    assert scaled.requests(*models) <= scaled.attempts(*models)  # a stop may come before the request leaves
    assert [client.paid_twice(code) for code in codes] == [[]] * SESSIONS


def test_a_worker_stopped_in_a_transaction_is_overtaken_and_writes_nothing_when_it_wakes(scaled: Scaled) -> None:
    client, locker = scaled.client, Console(scaled.variables)
    models = [scaled.model(f"stopped-{name}:{SLOW}") for name in "ab"]
    codes = under_way(client, models)
    held = held_by_workers(scaled, codes)
    locked, sleeper = next(iter(held.items()))
    pid = scaled.processes[sleeper].pid
    os.kill(pid, signal.SIGSTOP)
    stopped_at = time.monotonic()
    locker.tell("hold", code=locked)
    try:
        for code in codes:
            client.completed(code)
        took = time.monotonic() - stopped_at
        told = [client.events(code) for code in codes]
    finally:
        os.kill(pid, signal.SIGCONT)
        locker.kill()
    time.sleep(2)

    assert took < LEASE_SECONDS + RECOVERY_SECONDS
    assert [client.events(code) for code in codes] == told
    assert scaled.requests(*models) == scaled.attempts(*models)
    assert [client.paid_twice(code) for code in codes] == [[]] * SESSIONS
    assert scaled.processes[sleeper].poll() is None


@dataclass(frozen=True)
class Orphans:
    """Sessions of an embedded process that was killed and started again, and their models."""

    codes: list[str]
    models: list[str]


@pytest.fixture(scope="module", autouse=True)
def orphans(embedded_stack: Stack) -> "Iterator[Future[Orphans]]":
    """Begun with the module: what has to wait for its lease to lapse may as well wait beside the others."""

    def kill() -> Orphans:
        models = [embedded_stack.model(f"embedded-{name}:{SLOW}") for name in "ab"]
        codes = under_way(embedded_stack.client, models)
        embedded_stack.kill("serve")
        serve(embedded_stack)
        return Orphans(codes, models)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(kill)


def test_the_embedded_process_goes_on_after_kill_9_and_shows_the_same_everywhere(
    embedded: Stack, orphans: "Future[Orphans]"
) -> None:
    client, left = embedded.client, orphans.result(60)
    for code in left.codes:
        client.completed(code)
        assert client.told(code, "session.recovered")
        assert client.paid_twice(code) == []
        findings = client.get(f"/api/v1/sessions/{code}/findings")
        page = client.page(f"/sessions/{code}/")
        assert findings["findings"]
        assert findings["who_answered"] in page
        assert all(finding["id"] in page for finding in findings["findings"])
    assert embedded.requests(*left.models) == embedded.attempts(*left.models)


def test_the_embedded_process_goes_on_at_once_after_it_was_stopped_and_started_again(
    embedded: Stack, orphans: "Future[Orphans]"
) -> None:
    client = embedded.client
    for code in orphans.result(60).codes:
        client.completed(code)
    models = [embedded.model(f"ended-{name}:{SLOW}") for name in "ab"]
    codes = under_way(client, models)
    embedded.end("serve")
    serve(embedded)
    for code in codes:
        client.completed(code)
        assert [client.told(code, kind) for kind in ("session.recovered", "session.gave_up")] == [[], []]
        assert len(client.told(code, "session.released")) == 1
        assert client.paid_twice(code) == []
    assert embedded.requests(*models) <= embedded.attempts(*models)
