"""The session socket: who gets in, what arrives, and when it ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson
import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client

from crucible_site.asgi import application
from crucible_site.models import User
from sessions import consumers, live
from sessions.access import Actor
from sessions.actions.log import append
from sessions.actions.projects import remove_member, set_member
from sessions.actions.purge import delete_project, delete_session
from sessions.models import Project, Role, Session
from sessions.sockets import same_origin_only
from sessions.writer import Draft
from tests import factories
from tests.threads import in_thread

HOST = "localhost:8000"
ORIGIN = f"http://{HOST}"


# --- the origin


async def status_of(headers: list[tuple[bytes, bytes]], scheme: str = "ws") -> str:
    """`reached` when the application behind the origin check was asked, else `refused`."""
    reached: list[str] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        reached.append("reached")

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        reached.append("refused" if message["type"] == "websocket.close" else "accepted")

    await same_origin_only(behind)({"type": "websocket", "scheme": scheme, "headers": headers}, receive, send)
    assert len(reached) == 1
    return reached[0]


def asking(origin: str | None, host: str | None = HOST) -> list[tuple[bytes, bytes]]:
    headers = [(b"host", host.encode("latin-1"))] if host is not None else []
    return headers + ([(b"origin", origin.encode("latin-1"))] if origin is not None else [])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (ORIGIN, HOST),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://localhost", "localhost"),
        ("http://localhost", "localhost:80"),
        ("http://localhost:80", "localhost"),
        ("http://LOCALHOST:8000", "Localhost:8000"),
    ],
)
async def test_a_page_of_our_own_gets_in(origin: str, host: str) -> None:
    assert await status_of(asking(origin, host)) == "reached"


@pytest.mark.parametrize(
    "origin",
    [
        None, "", "null", "http://evil.example", "http://evil.example:8000", "http://sub.localhost:8000",
        "http://localhost.evil.example:8000", "http://localhost:8001", "http://localhost", "https://localhost:8000",
        "ws://localhost:8000", "file://localhost:8000", "localhost:8000", "//localhost:8000",
        "http://localhost:8000/", "http://localhost:8000/page", "http://localhost:8000?a", "http://localhost:8000#a",
        "http://me@localhost:8000", "http://localhost:8000@evil.example", "http://evil.example#@localhost:8000",
        "http://local\thost:8000", "\x0bhttp://localhost:8000", "http://localhost:8000 ", " http://localhost:8000",
        "http://localhost:8000\r", "http://localhost:port", "http://localhost:", "http://localhost:08000",
        "http://localhost:99999", "http://lócalhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000",
        "http://localhost:8000, http://evil.example",
    ],
)  # fmt: skip
async def test_any_other_page_is_refused(origin: str | None) -> None:
    assert await status_of(asking(origin)) == "refused"


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:8000", "localhost:8000@evil.example", "localhost:8000/x", "[::1",
     "local\thost:8000", "localhost:", "localhost:8000, evil.example", "\xe9"],
)  # fmt: skip
async def test_a_host_that_is_not_ours_is_refused(host: str | None) -> None:
    assert await status_of(asking(ORIGIN, host)) == "refused"
    assert await status_of(asking(f"http://{host}", host)) == "refused"


async def test_two_origins_or_two_hosts_are_refused() -> None:
    assert await status_of([*asking(ORIGIN), (b"origin", b"http://evil.example")]) == "refused"
    assert await status_of([*asking(ORIGIN), (b"Origin", ORIGIN.encode())]) == "refused"
    assert await status_of([*asking(ORIGIN), (b"host", b"evil.example")]) == "refused"


async def test_over_tls_only_https_pages_get_in(settings: Any) -> None:
    assert await status_of(asking("https://localhost:8000"), "wss") == "reached"
    assert await status_of(asking(ORIGIN), "wss") == "refused"
    settings.HTTPS = True  # a proxy in front ends TLS
    assert await status_of(asking("https://localhost:8000")) == "reached"
    assert await status_of(asking(ORIGIN)) == "refused"


async def test_a_wildcard_of_hosts_lets_nobody_in(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert await status_of(asking(ORIGIN)) == "refused"


# --- a socket


class Socket(WebsocketCommunicator):  # type: ignore[misc]
    """A browser's end. `session` is what its cookie says; None: no cookie."""

    def __init__(self, code: Any, client: Client | None, path: str = "/ws/sessions/{}/") -> None:
        headers = [(b"host", HOST.encode()), (b"origin", ORIGIN.encode())]
        if client is not None:
            cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
            headers.append((b"cookie", f"{cookie.key}={cookie.value}".encode()))
        super().__init__(application, path.format(code), headers)

    async def say(self, **frame: Any) -> None:
        await self.send_to(text_data=orjson.dumps(frame).decode())

    async def frames(self, wanted: Callable[[list[dict[str, Any]]], Any], seconds: float = 10) -> list[dict[str, Any]]:
        """What arrives until `wanted` says that it is enough."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(seconds):
            while not wanted(found):
                found.append(orjson.loads(await self.receive_from(seconds)))
        return found

    async def closed_with(self, seconds: float = 10) -> tuple[int, list[dict[str, Any]]]:
        """The close code, and the frames that arrived before."""
        found: list[dict[str, Any]] = []
        while True:
            message = await self.receive_output(seconds)
            if message["type"] == "websocket.close":
                return message["code"], found
            found.append(orjson.loads(message["text"]))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@asynccontextmanager
async def connected(session: Session, client: Client, after: int | None = 0) -> AsyncIterator[Socket]:
    socket = Socket(session.code, client)
    accepted, _ = await socket.connect(10)
    assert accepted
    if after is not None:
        await socket.say(type="hello", after=after)
    try:
        yield socket
    finally:
        await socket.disconnect()


def tell(session: Session, number: int) -> None:
    with transaction.atomic():
        append(session, [Draft("session.claimed", {"fence": number})])


def tell_many(session: Session, count: int) -> None:
    for number in range(count):
        tell(session, number)


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for frame in frames if frame["type"] == "events" for event in frame["events"]]


@pytest.fixture
def session(transactional_db: None, owner: User, project: Project) -> Session:
    return factories.running(owner, project)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that look after themselves more often than every four seconds."""
    monkeypatch.setattr(consumers, "POLL_SECONDS", 0.1)


# --- who gets in


@pytest.mark.parametrize("path", ["/ws/sessions/{}/", "/ws/sessions/{}", "/ws/{}/", "/ws/sessions/nonsense/", "/"])
async def test_a_stranger_is_refused_as_for_something_that_is_not_there(
    session: Session, stranger: User, path: str
) -> None:
    for client in (await in_thread(lambda: client_of(stranger)), None):
        socket = Socket(session.code, client, path)
        assert await socket.connect(10) == (False, 1000)


@pytest.mark.django_db(transaction=True)
async def test_a_session_that_is_not_there_is_refused(owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    assert await Socket(uuid4(), client).connect(10) == (False, 1000)


async def test_a_deleted_session_is_refused(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    await in_thread(lambda: delete_session(Actor(owner), session))
    assert await Socket(session.code, client).connect(10) == (False, 1000)


async def test_who_may_read_gets_the_log_from_the_cursor_on(session: Session, viewer: User) -> None:
    client = await in_thread(lambda: client_of(viewer))
    for number in range(3):
        await in_thread(lambda number=number: tell(session, number))  # type: ignore[misc]
    async with connected(session, client, after=2) as socket:
        frames = await socket.frames(lambda found: 5 in seqs(found))
    assert seqs(frames) == [3, 4, 5]
    assert frames[-1]["next"] == 5
    event = frames[0]["events"][0]
    assert set(event) == {"seq", "kind", "at", "data"}
    assert (event["kind"], event["data"]) == ("session.claimed", {"fence": 0})


async def test_without_hello_nothing_is_told(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=None) as socket:
        await in_thread(lambda: tell(session, 1))
        live.delta(session.code, "A", "hello")
        assert await socket.receive_nothing(0.2)


async def test_a_socket_that_never_says_hello_is_closed_whatever_else_it_says(
    session: Session, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "HELLO_SECONDS", 0.3)
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=None) as socket:
        await socket.say(type="ping")
        code, frames = await socket.closed_with()
    assert (code, frames) == (4408, [{"type": "pong"}])


async def test_a_socket_that_said_hello_may_be_silent_for_as_long_as_it_likes(
    session: Session, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "HELLO_SECONDS", 0.2)
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        await asyncio.sleep(0.5)
        await in_thread(lambda: tell(session, 1))
        assert seqs(await socket.frames(lambda found: 3 in seqs(found))) == [3]


# --- what arrives


async def test_the_log_arrives_whole_while_it_grows(session: Session, owner: User) -> None:
    """Backlog, live frames and the database meet: no gap, no double, in order."""
    client = await in_thread(lambda: client_of(owner))
    writers = [
        in_thread(lambda: tell_many(session, 40)),
        in_thread(lambda: tell_many(session, 40)),
    ]
    async with connected(session, client) as early:
        await asyncio.sleep(0.05)
        async with connected(session, client, after=2) as late:
            last = 2 + 80
            first = await early.frames(lambda found: last in seqs(found))
            second = await late.frames(lambda found: last in seqs(found))
    await asyncio.gather(*writers)
    assert seqs(first) == list(range(1, last + 1))
    assert seqs(second) == list(range(3, last + 1))


async def test_an_event_reads_the_same_from_the_log_and_live(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as watching:
        await watching.say(type="ping")
        await watching.frames(lambda found: found)
        await in_thread(lambda: tell(session, 7))
        heard = await watching.frames(lambda found: 3 in seqs(found))
    async with connected(session, client, after=2) as reading:
        read = await reading.frames(lambda found: 3 in seqs(found))
    assert heard[-1]["events"] == read[-1]["events"]


@pytest.mark.usefixtures("hasty")
async def test_an_event_nobody_rang_for_arrives_by_polling(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))

    def without_bell() -> None:
        with transaction.atomic():
            append(session, [Draft("session.claimed", {"fence": 1})])
            transaction.get_connection().run_on_commit.clear()

    async with connected(session, client, after=2) as socket:
        await in_thread(without_bell)
        assert seqs(await socket.frames(lambda found: 3 in seqs(found))) == [3]


async def test_a_bell_that_lies_does_no_harm(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        live.ring(session.code, 99)
        live.ring(session.code, 1)
        await in_thread(lambda: tell(session, 1))
        assert seqs(await socket.frames(lambda found: 3 in seqs(found))) == [3]


async def test_deltas_arrive_in_order(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="ping")
        await socket.frames(lambda found: found)
        for number in range(50):
            live.delta(session.code, "AB"[number % 2], f"{number} ")
        live.delta(uuid4(), "A", "of another session")

        def texts(found: list[dict[str, Any]]) -> dict[str, str]:
            heard = {"A": "", "B": ""}
            for frame in found:
                for delta in frame.get("deltas", ()):
                    heard[delta["p"]] += delta["t"]
            return heard

        frames = await socket.frames(lambda found: "49 " in texts(found)["B"])
    assert texts(frames) == {
        "A": "".join(f"{number} " for number in range(0, 50, 2)),
        "B": "".join(f"{number} " for number in range(1, 50, 2)),
    }


async def test_a_ping_is_answered(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=None) as socket:
        await socket.say(type="ping")
        assert await socket.frames(lambda found: found) == [{"type": "pong"}]


# --- frames that are none


@pytest.mark.parametrize(
    "text",
    [
        " ", "hello", "[]", "7", "null", "{}", '{"type": 7}', '{"type": "open"}', '{"type": "hello"}',
        '{"type": "hello", "after": -1}', '{"type": "hello", "after": true}', '{"type": "hello", "after": "1"}',
        '{"type": "hello", "after": 1.5}', '{"type": "hello", "after": 1e99}', '{"type": "ack", "bytes": null}',
        '{"type": "hello", "after": ' + "9" * 30 + "}", "[" * 2_000, '{"type": "ping", "x": "' + "y" * 5_000 + '"}',
        '{"type": ["hello"], "after": 0}', '{"type": "ping"}{', "\ud800".encode("utf-8", "surrogatepass").hex(),
    ],
)  # fmt: skip
async def test_a_frame_that_is_none_closes_the_socket(session: Session, owner: User, text: str) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=None) as socket:
        await socket.send_to(text_data=text)
        assert await socket.closed_with() == (4400, [])


async def test_a_binary_frame_closes_the_socket(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=None) as socket:
        await socket.send_to(bytes_data=b'{"type": "ping"}')
        assert await socket.closed_with() == (4400, [])


async def test_a_second_hello_changes_nothing(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="hello", after=0)
        await in_thread(lambda: tell(session, 1))
        assert seqs(await socket.frames(lambda found: 3 in seqs(found))) == [3]


async def test_a_cursor_from_the_future_waits_for_it(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=3) as socket:
        await in_thread(lambda: tell_many(session, 2))
        assert seqs(await socket.frames(lambda found: 4 in seqs(found))) == [4]


# --- the end of a right


ENDS: dict[str, Callable[[Session, User, User, Client], Any]] = {
    "removed": lambda session, owner, member, client: remove_member(Actor(owner), session.project, member),
    "session deleted": lambda session, owner, member, client: delete_session(Actor(owner), session),
    "project deleted": lambda session, owner, member, client: delete_project(Actor(owner), session.project),
    "signed out": lambda session, owner, member, client: client.logout(),
    "switched off": lambda session, owner, member, client: User.objects.filter(pk=member.pk).update(is_active=False),
    "password changed": lambda session, owner, member, client: new_password(member),
}


def new_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("end", ENDS)
async def test_whose_right_ended_is_told_and_hears_no_more(
    session: Session, owner: User, member: User, end: str
) -> None:
    client = await in_thread(lambda: client_of(member))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="ping")
        await socket.frames(lambda found: found)
        await in_thread(lambda: ENDS[end](session, owner, member, client))
        code, frames = await socket.closed_with(5)
        live.delta(session.code, "A", "secret")
        live.ring(session.code, 99)
        assert await socket.receive_nothing(0.2)
    assert (code, frames[-1]) == (4403, {"type": "bye", "code": "denied"})


async def test_a_removed_member_is_out_at_once_when_the_bell_rings(session: Session, owner: User, member: User) -> None:
    client = await in_thread(lambda: client_of(member))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="ping")
        await socket.frames(lambda found: found)
        await in_thread(lambda: remove_member(Actor(owner), session.project, member))
        code, _ = await socket.closed_with(2)
    assert code == 4403


def test_without_any_bell_a_lost_right_is_noticed_within_five_seconds() -> None:
    assert consumers.POLL_SECONDS < 5


@pytest.mark.usefixtures("hasty")
async def test_a_smaller_role_that_may_still_read_keeps_the_socket(session: Session, owner: User, member: User) -> None:
    client = await in_thread(lambda: client_of(member))
    async with connected(session, client, after=2) as socket:
        await in_thread(lambda: set_member(Actor(owner), session.project, member, Role.VIEWER))
        await in_thread(lambda: tell(session, 1))
        assert seqs(await socket.frames(lambda found: 3 in seqs(found))) == [3]


# --- slow readers and failures


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can reach."""
    monkeypatch.setattr(consumers, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(consumers, "UNACKED_LIMIT", 20_000)
    monkeypatch.setattr(consumers, "SLOW_SECONDS", 0.4)


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_never_acknowledges_is_closed_and_holds_no_memory(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="ping")
        await socket.frames(lambda found: found)
        stop = threading.Event()

        def flood() -> None:
            while not stop.wait(0.001):
                live.delta(session.code, "A", "x" * 500)

        flooding = in_thread(flood)
        code, frames = await socket.closed_with(10)
        stop.set()
        await flooding
    assert code == 4008
    sent = sum(len(orjson.dumps(frame)) for frame in frames)
    assert sent <= 20_000 + live.Mailbox.LIMIT + 5_000


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_catches_up_is_told_that_it_missed_something(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="ping")
        await socket.frames(lambda found: found)
        live.delta(session.code, "A", "x" * 30_000)
        received = await socket.frames(lambda found: found)
        live.delta(session.code, "A", "missed")
        await in_thread(lambda: tell(session, 1))
        await asyncio.sleep(0.1)
        await socket.say(type="ack", bytes=sum(len(orjson.dumps(frame)) for frame in received) + 20)
        frames = await socket.frames(lambda found: 3 in seqs(found) and {"type": "behind"} in found)
    assert not any("missed" in delta["t"] for frame in frames for delta in frame.get("deltas", ()))


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_acknowledges_is_never_closed(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    async with connected(session, client, after=2) as socket:
        await socket.say(type="ping")
        await socket.frames(lambda found: found)
        for _ in range(20):
            live.delta(session.code, "A", "x" * 5_000)
            frames = await socket.frames(lambda found: found)
            await socket.say(type="ack", bytes=sum(len(orjson.dumps(frame)) for frame in frames))
            await asyncio.sleep(0.03)
        await socket.say(type="ping")
        assert {"type": "pong"} in await socket.frames(lambda found: {"type": "pong"} in found)


async def test_a_socket_that_fails_closes_so_that_the_reader_comes_back(
    session: Session, owner: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> bool:
        raise RuntimeError("no database")

    client = await in_thread(lambda: client_of(owner))
    monkeypatch.setattr(consumers, "still_signed_in", broken)
    async with connected(session, client, after=2) as socket:
        assert (await socket.closed_with())[0] == 1011


async def test_who_leaves_is_forgotten(session: Session, owner: User) -> None:
    client = await in_thread(lambda: client_of(owner))
    hub = live.bus.hub()
    async with connected(session, client):
        assert hub._rooms[str(session.code)]
    for _ in range(100):
        if str(session.code) not in hub._rooms:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the room is still there")
