"""The log through the API: pages, the stream of events, and waiting."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any

import orjson
import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import gates
from sessions.db import db
from sessions.models import ApiKey, Project, Session
from tests import factories

Frames = AsyncGenerator[dict[str, Any], None]
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def program(viewer: User) -> Client:
    return factories.client(viewer)


def test_events_are_read_page_by_page(program: Client, reviewed: Session) -> None:
    seen: list[int] = []
    after = 0
    while page := program.get(f"/api/v1/sessions/{reviewed.code}/events?after={after}&limit=3").json()["events"]:
        seen += [event["seq"] for event in page]
        after = page[-1]["seq"]
    assert seen == list(range(1, reviewed.next_seq))


def test_next_is_the_cursor_also_when_nothing_is_new(program: Client, reviewed: Session) -> None:
    reply = program.get(f"/api/v1/sessions/{reviewed.code}/events?after=999").json()
    assert reply == {"events": [], "next": 999}


def test_an_event_has_number_kind_time_and_data(program: Client, reviewed: Session) -> None:
    event = program.get(f"/api/v1/sessions/{reviewed.code}/events?limit=1").json()["events"][0]
    assert set(event) == {"seq", "kind", "at", "data"}
    assert (event["seq"], event["kind"]) == (1, "session.created")


def test_events_hold_no_words(program: Client, reviewed: Session) -> None:
    text = program.get(f"/api/v1/sessions/{reviewed.code}/events").content.decode()
    assert "Float money" not in text
    assert "Fix F-001 first" not in text


# --- from here on requests run beside one another: rows must be committed

concurrent = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(transactional_db: None, owner: User, project: Project) -> Session:
    return factories.running(owner, project)


class Reader:
    """Asks beside others, with a key or as somebody signed in."""

    def __init__(self, key: str = "") -> None:
        self.client = AsyncClient()
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def get(self, path: str, **headers: str) -> Any:
        return await apart(self.client.get(path, headers=self.headers | headers))


async def apart(act: Awaitable[Any]) -> Any:
    """In a thread of its own, as the real server handles every request; leaves no connection behind."""
    async with ThreadSensitiveContext():
        try:
            return await act
        finally:
            await sync_to_async(connections.close_all)()


@pytest.fixture
def reader(transactional_db: None, viewer: User, project: Project) -> Reader:
    return Reader(factories.api_key(viewer, project))


@contextlib.asynccontextmanager
async def stream(reader: Reader, session: Session, **headers: str) -> AsyncIterator[Frames]:
    """The frames of a stream, as dicts of their fields; comments as `{"comment": ...}`."""
    reply = await reader.get(f"/api/v1/sessions/{session.code}/events", **STREAM, **headers)
    assert reply.headers["Content-Type"] == "text/event-stream"
    body = reply.streaming_content

    async def frames() -> Frames:
        async for chunk in body:
            lines = [line.partition(b":") for line in chunk.strip().split(b"\n")]
            yield {name.decode() or "comment": value.strip() for name, _, value in lines}

    async with asyncio.timeout(20), contextlib.aclosing(frames()) as found:
        yield found


async def numbered(frames: Frames, count: int) -> list[dict[str, Any]]:
    found = []
    async for frame in frames:
        if "id" in frame:
            found.append(frame)
        if len(found) == count:
            break
    return found


@concurrent
async def test_the_stream_of_a_finished_session_is_the_whole_log_and_ends(
    reader: Reader, owner: User, project: Project
) -> None:
    session = await db(factories.reviewed, owner, project)
    async with stream(reader, session) as frames:
        found = [frame async for frame in frames]
    numbers = [int(frame["id"]) for frame in found if "id" in frame]
    assert numbers == list(range(1, session.next_seq))
    assert found[-1]["event"] == b"end"
    assert orjson.loads(found[1]["data"])["kind"] == "session.created"


@concurrent
async def test_the_stream_ends_when_the_gate_is_judged(reader: Reader, owner: User, project: Project) -> None:
    session = await db(factories.running, owner, project)
    await db(gates.judge_session, Actor(owner), session, "ci")
    await db(factories.finish, session)
    asked = {"Last-Event-ID": str(session.next_seq - 1)}
    async with stream(reader, session, **asked) as frames:
        assert await anext(frames) == {"retry": b"2000"}
        assert await anext(frames) == {"comment": b"still here"}
        await db(gates.settle_due)
        found = [frame async for frame in frames]
    assert orjson.loads(found[0]["data"])["kind"] == "gate.proposed"
    assert found[-1]["event"] == b"end"
    gate = (await reader.get(f"/api/v1/sessions/{session.code}/gate")).json()
    assert (gate["state"], gate["why"]) == ("effective", "")


@concurrent
async def test_the_stream_resumes_after_the_last_event_id(reader: Reader, owner: User, project: Project) -> None:
    session = await db(factories.reviewed, owner, project)
    async with stream(reader, session, **{"Last-Event-ID": "3"}) as frames:
        assert (await numbered(frames, 1))[0]["id"] == b"4"


@concurrent
async def test_who_has_everything_of_a_finished_session_is_told_to_stay_away(
    reader: Reader, owner: User, project: Project
) -> None:
    session = await db(factories.reviewed, owner, project)
    last = {"Last-Event-ID": str(session.next_seq - 1)}
    reply = await reader.get(f"/api/v1/sessions/{session.code}/events", **STREAM, **last)
    assert reply.status_code == 204


@concurrent
async def test_the_stream_brings_an_event_soon_after_it_is_appended(reader: Reader, running: Session) -> None:
    async with stream(reader, running) as frames:
        await numbered(frames, 2)
        asked = time.monotonic()
        await db(factories.submit, running, "A", factories.report())
        frame = (await numbered(frames, 1))[0]
    assert orjson.loads(frame["data"])["kind"] == "reports.submitted"
    assert time.monotonic() - asked < 2


@concurrent
async def test_a_silent_stream_shows_that_it_is_alive(reader: Reader, running: Session) -> None:
    async with stream(reader, running, **{"Last-Event-ID": "2"}) as frames:
        assert await anext(frames) == {"retry": b"2000"}
        assert await anext(frames) == {"comment": b"still here"}


@concurrent
@pytest.mark.parametrize("loss", ["membership", "key", "person", "session"])
async def test_the_stream_ends_when_its_reader_loses_access(
    loss: str, reader: Reader, running: Session, viewer: User
) -> None:
    take = {
        "membership": lambda: viewer.memberships.all().delete(),
        "key": lambda: ApiKey.objects.update(revoked_at="2026-01-01T00:00:00Z"),
        "person": lambda: User.objects.filter(pk=viewer.pk).update(is_active=False),
        "session": lambda: Session.objects.filter(pk=running.pk).update(deleted_at="2026-01-01T00:00:00Z"),
    }[loss]
    async with stream(reader, running) as frames:
        await numbered(frames, 2)
        await db(take)
        await db(factories.submit, running, "A", factories.report())
        rest = [frame async for frame in frames if "comment" not in frame]
    assert [frame.get("event") for frame in rest] == [b"bye"]


@concurrent
async def test_the_stream_of_a_browser_ends_when_it_signs_out(running: Session, viewer: User) -> None:
    browser = Reader()
    await apart(browser.client.aforce_login(viewer))
    async with stream(browser, running) as frames:
        await numbered(frames, 2)
        await apart(browser.client.alogout())
        await db(factories.submit, running, "A", factories.report())
        rest = [frame async for frame in frames if "comment" not in frame]
    assert [frame.get("event") for frame in rest] == [b"bye"]


@concurrent
async def test_waiting_answers_when_the_session_comes_to_rest(reader: Reader, running: Session) -> None:
    asked = asyncio.ensure_future(reader.get(f"/api/v1/sessions/{running.code}?wait=30"))
    await asyncio.sleep(0.2)
    assert not asked.done()
    await db(factories.finish, running)
    async with asyncio.timeout(10):
        assert (await asked).json()["status"] == "completed"


@concurrent
async def test_what_happens_on_the_way_does_not_end_the_waiting(reader: Reader, running: Session) -> None:
    asked = asyncio.ensure_future(reader.get(f"/api/v1/sessions/{running.code}?wait=30"))
    await asyncio.sleep(0.2)
    for letter in "AB":
        await db(factories.submit, running, letter, factories.report())
    await asyncio.sleep(0.2)
    assert not asked.done()
    await db(factories.finish, running, reason="internal", status="failed")
    async with asyncio.timeout(10):
        assert (await asked).json()["status"] == "failed"


@concurrent
async def test_waiting_ends_when_its_time_is_over(reader: Reader, running: Session) -> None:
    asked = time.monotonic()
    reply = await reader.get(f"/api/v1/sessions/{running.code}?wait=1")
    assert reply.json()["status"] == "running"
    assert 0.9 < time.monotonic() - asked < 5


@concurrent
async def test_many_can_wait_while_others_are_answered(reader: Reader, running: Session) -> None:
    path = f"/api/v1/sessions/{running.code}"
    waiting = [asyncio.ensure_future(reader.get(f"{path}?wait=30")) for _ in range(20)]
    await asyncio.sleep(0.2)
    async with asyncio.timeout(5):
        assert (await reader.get(path)).status_code == 200
    await db(factories.finish, running)
    async with asyncio.timeout(20):
        assert {reply.json()["status"] for reply in await asyncio.gather(*waiting)} == {"completed"}


@concurrent
async def test_who_loses_access_while_waiting_gets_a_404(reader: Reader, running: Session, viewer: User) -> None:
    asked = asyncio.ensure_future(reader.get(f"/api/v1/sessions/{running.code}?wait=30"))
    await asyncio.sleep(0.2)
    await db(viewer.memberships.all().delete)
    await db(factories.finish, running)
    async with asyncio.timeout(10):
        assert (await asked).status_code == 404
