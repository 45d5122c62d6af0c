"""Messages that leave together when they come together."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from sessions import outbox
from sessions.models import Outbox
from tests.driving import until

pytestmark = pytest.mark.django_db(transaction=True)


class Recorder:
    """A sender that notes what it was given at a time. It holds back while `open` is not set, and cannot send a `bad`
    message."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.open.set()
        self.tried: list[list[int]] = []

    def __call__(self, payloads: outbox.Payloads) -> None:
        self.tried.append([payload["number"] for payload in payloads])
        self.entered.set()
        assert self.open.wait(10)
        if any(payload.get("bad") for payload in payloads):
            raise ConnectionError


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setitem(outbox.SENDERS, "note", recorder)
    return recorder


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool
        together = threading.Barrier(4)  # or one thread would take several turns
        for closed in [pool.submit(_close, together) for _ in range(4)]:
            closed.result(10)


def _close(together: threading.Barrier) -> None:
    together.wait(10)
    connections.close_all()


def unsent() -> list[int]:
    return sorted(row.payload["number"] for row in Outbox.objects.filter(sent_at=None))


def post(number: int, **more: Any) -> None:
    outbox.post("note", number=number, **more)


def test_a_lone_message_is_sent_before_anybody_goes_on(sender: Recorder) -> None:
    post(1)
    assert (sender.tried, unsent()) == ([[1]], [])


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer: posts come one after the other")
def test_what_comes_while_others_are_sent_leaves_in_one_go(sender: Recorder, threads: ThreadPoolExecutor) -> None:
    sender.open.clear()
    first = threads.submit(post, 1)
    sender.entered.wait(10)
    others = [threads.submit(post, number) for number in (2, 3, 4)]
    until(lambda: len(outbox._waiting) == 3)
    sender.open.set()
    for posted in (first, *others):
        posted.result(10)
    assert [sorted(group) for group in sender.tried] == [[1], [2, 3, 4]]
    assert unsent() == []


def test_a_message_that_cannot_be_sent_takes_no_others_along(sender: Recorder) -> None:
    for number, bad in enumerate([False, True, False], start=1):
        outbox._waiting.append(_stored(number, bad))
    outbox._send()
    assert (sender.tried, unsent()) == ([[1, 2, 3], [1], [2], [3]], [2])


def _stored(number: int, bad: bool) -> outbox.Message:
    payload = {"number": number, "bad": bad}
    return outbox.Message(Outbox.objects.create(kind="note", payload=payload).pk, "note", payload)
