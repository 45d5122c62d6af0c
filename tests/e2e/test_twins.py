"""Two people, or one person twice, at the same moment: one effect, and the other is told."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.e2e.client import Answer, review_of
from tests.e2e.stack import Stack

pytestmark = pytest.mark.slow

ROUNDS = 5
CODE = "def step(value):\n    return value / 3\n"


def at_once(stack: Stack, times: int, path: str, body: Any, **headers: str) -> list[Answer]:
    """The same POST from `times` connections that are let go together."""
    barrier = Barrier(times)

    def send() -> Answer:
        barrier.wait(10)
        return stack.client.ask("POST", path, body, **headers)

    with ThreadPoolExecutor(times) as pool:
        return [sent.result(60) for sent in [pool.submit(send) for _ in range(times)]]


def test_of_two_people_who_press_start_one_starts_and_one_is_told(stack: Stack) -> None:
    client = stack.client
    artifact = client.artifact("steps.py", CODE)
    for _ in range(ROUNDS):
        code = client.draft(["demo/atlas"], artifact)
        won, lost = sorted(at_once(stack, 2, f"/api/v1/sessions/{code}/start", {}), key=lambda answer: answer.status)
        assert (won.status, lost.error) == (200, (409, "wrong_state"))
        client.completed(code)
        assert client.kinds(code).count("session.started") == 1


def test_on_the_page_the_second_start_shows_the_session_as_it_is(stack: Stack) -> None:
    client = stack.client
    code = client.draft(["demo/atlas"], client.artifact("steps.py", CODE))
    assert client.submit(f"/sessions/{code}/", f"/sessions/{code}/start/").status == 302
    second = client.submit(f"/sessions/{code}/", f"/sessions/{code}/start/")
    assert second.status == 409
    assert "cannot start now" in second.text
    client.completed(code)


def test_one_key_makes_one_session_however_often_it_is_sent(stack: Stack) -> None:
    client = stack.client
    body = review_of(["demo/atlas"], client.artifact("steps.py", CODE), title="sent again and again", start=True)
    sent = at_once(stack, 8, "/api/v1/sessions", body, Idempotency_Key="again-and-again")
    made = {answer.json["code"] for answer in sent if answer.status == 201}
    refused = {answer.error for answer in sent if answer.status != 201}
    listed = [row for row in client.get("/api/v1/sessions?project=demo")["sessions"] if row["title"] == body["title"]]
    assert len(made) == len(listed) == 1
    assert refused <= {(409, "idempotency_in_flight")}
    client.completed(made.pop())


def test_a_key_replays_its_reply_and_refuses_another_body(stack: Stack) -> None:
    client = stack.client
    body = review_of(["demo/atlas"], client.artifact("steps.py", CODE))
    first = client.ask("POST", "/api/v1/sessions", body, Idempotency_Key="kept")
    again = client.ask("POST", "/api/v1/sessions", body, Idempotency_Key="kept")
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    other = client.ask("POST", "/api/v1/sessions", body | {"title": "other"}, Idempotency_Key="kept")
    assert other.error == (422, "idempotency_mismatch")


def test_a_refusal_is_not_kept_under_its_key(stack: Stack) -> None:
    client = stack.client
    body = review_of(["no/such"], client.artifact("steps.py", CODE))
    refused = client.ask("POST", "/api/v1/sessions", body, Idempotency_Key="refused-first")
    mended = body | {"roster": review_of(["demo/atlas"], "")["roster"]}
    assert refused.error == (400, "model_unknown")
    assert client.ask("POST", "/api/v1/sessions", mended, Idempotency_Key="refused-first").status == 201
