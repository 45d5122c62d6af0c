"""PostgreSQL and Redis restarted, emptied and away: sessions complete, and the web answers."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from tests.e2e.client import Client, eventually
from tests.e2e.stack import Provider, Scaled, Stack, environment
from tools.scale import WORKER

pytestmark = pytest.mark.slow
SLOW = "latency=200:interval=40"
FALLEN_BACK = "The task queue could not be reached, so this server runs the review itself."


@pytest.fixture
def running(scaled: Scaled) -> list[str]:
    """Sessions in the middle of their reviews."""
    models = [scaled.model(f"running-{name}:{SLOW}") for name in "abc"]
    artifact = scaled.client.artifact("steps.py", "def step(value):\n    return value / 3\n")
    codes = [scaled.client.review([model], artifact) for model in models]
    eventually(lambda: all(scaled.client.told(code, "call.started") for code in codes))
    return codes


def assert_all_whole(client: Client, codes: list[str]) -> None:
    for code in codes:
        client.completed(code)
        assert client.paid_twice(code) == []


def test_sessions_complete_when_redis_is_flushed_in_the_middle(scaled: Scaled, running: list[str]) -> None:
    with Redis.from_url(scaled.redis.url) as broker:
        broker.flushall()
    assert_all_whole(scaled.client, running)


def test_sessions_complete_when_redis_is_restarted_in_the_middle(scaled: Scaled, running: list[str]) -> None:
    scaled.redis.restart()
    assert_all_whole(scaled.client, running)
    assert [name for name, process in scaled.processes.items() if process.poll() is not None] == []


def test_sessions_complete_when_postgresql_was_away_and_the_web_says_503_meanwhile(
    scaled: Scaled, running: list[str]
) -> None:
    client = scaled.client
    scaled.postgres.stop()
    try:
        told = client.ask("GET", f"/api/v1/sessions/{running[0]}")
        shown = client.look("/projects/demo/")
    finally:
        scaled.postgres.start()
    assert told.error == (503, "unavailable")
    assert shown.status == 503
    assert told.headers["retry-after"] == shown.headers["retry-after"] == "5"
    eventually(client.answers, 10)
    assert_all_whole(client, running)


def test_without_redis_the_web_process_carries_a_session_and_says_so(scaled: Scaled) -> None:
    client = scaled.client
    artifact = client.artifact("steps.py", "def step(value):\n    return value / 3\n")
    scaled.redis.stop()
    try:
        code = client.review([scaled.model("without-redis")], artifact)
        found = client.completed(code)
        page = client.page(f"/sessions/{code}/")
    finally:
        scaled.redis.start()
    assert found["engine"] == "direct"
    assert client.told(code, "session.fell_back") == [{"engine": "direct", "why": "redis_unreachable"}]
    assert FALLEN_BACK in page
    again = client.review([scaled.model("redis-is-back")], artifact)
    assert client.completed(again)["engine"] == "celery"
    assert client.told(again, "session.fell_back") == []


def test_a_password_is_checked_while_redis_is_away(scaled: Scaled) -> None:
    client = Client(scaled.port)
    scaled.redis.stop()
    try:
        answer = client.submit("/accounts/login/", login="owner@localhost", password="wrong")
    finally:
        scaled.redis.start()
    assert answer.status == 200
    assert "not correct" in answer.text


@pytest.fixture(scope="module", autouse=True)
def lone_worker(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Future[Stack]]":
    """A worker process that has never reached its Redis, beside a database with a review that is due. Begun with the
    module, because it takes a while."""

    def start(home: Path) -> Stack:
        stack = Stack(home, 0, environment(home, REDIS_URL="redis://127.0.0.1:1/0"), provider)
        stack.console("prepare")
        stack.spawn("worker", WORKER)
        return stack

    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(start, tmp_path_factory.mktemp("lone"))
        yield started
        started.result(60).stop()


def test_a_worker_that_never_reached_redis_carries_what_is_due(lone_worker: "Future[Stack]") -> None:
    stack = lone_worker.result(60)
    code = stack.console("queue")
    eventually(lambda: stack.console("status", code=code) == "completed")
    assert "Cannot connect to redis" in stack.logs()
    assert stack.console("violations") == []
