"""The socket of "Needs you": it says that something changed, only to whom it changed, and nothing more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions import live
from sessions.access import Actor
from sessions.actions import gates
from sessions.actions.projects import remove_member
from sessions.db import db
from sessions.inbox_socket import project_rooms
from sessions.models import Project, Role, Session
from sessions.queries.gates import gate_of
from sessions.queries.inbox import inbox_of
from tests import factories
from tests.driving import until
from tests.sessions.test_sockets import Socket, client_of
from tests.threads import in_thread

pytestmark = pytest.mark.django_db(transaction=True)
BEHIND = [{"type": "behind"}]


@pytest.fixture
def approver(project: Project) -> User:
    found = factories.user("approver")
    factories.join(found, project, Role.APPROVER)
    return found


@pytest.fixture
def waiting(reviewed: Session, owner: User) -> Session:
    gates.judge_session(Actor(owner), reviewed, "standard")
    return reviewed


def stamp_of(user: User) -> int:
    return inbox_of(Actor(user)).stamp


@asynccontextmanager
async def watching(user: User) -> AsyncIterator[Socket]:
    """The page as it is now is open."""
    socket = Socket("", await in_thread(lambda: client_of(user)), "/ws/inbox/")
    accepted, _ = await socket.connect(10)
    assert accepted
    await socket.say(type="hello", after=await in_thread(lambda: stamp_of(user)))
    try:
        yield socket
    finally:
        await socket.disconnect()


async def one(socket: Socket) -> list[dict[str, Any]]:
    return await socket.frames(lambda found: found)


async def test_who_is_not_signed_in_is_refused() -> None:
    socket = Socket("", None, "/ws/inbox/")
    assert (await socket.connect(10))[0] is False


async def test_a_gate_that_begins_to_wait_and_one_that_was_decided_are_told(
    reviewed: Session, owner: User, approver: User
) -> None:
    async with watching(approver) as socket:
        await in_thread(lambda: gates.judge_session(Actor(owner), reviewed, "standard"))
        assert await one(socket) == BEHIND
        shown = (await in_thread(lambda: gate_of(reviewed))).shown
        await in_thread(lambda: gates.approve(Actor(owner), reviewed, shown))
        assert await one(socket) == BEHIND


async def test_a_session_that_stops_is_told_to_its_owner_alone(owner: User, approver: User, project: Project) -> None:
    session = await in_thread(lambda: factories.running(owner, project))
    async with watching(owner) as mine, watching(approver) as other:
        await in_thread(lambda: Session.objects.filter(pk=session.pk).update(status="waiting", waiting_for="cap"))
        live.needs_changed(project.pk)
        assert await one(mine) == BEHIND
        assert await other.receive_nothing(1)


async def test_what_changes_nothing_for_this_person_is_not_told(
    waiting: Session, viewer: User, stranger: User, project: Project
) -> None:
    async with watching(viewer) as reading, watching(stranger) as outside:
        live.needs_changed(project.pk)
        assert await reading.receive_nothing(1)
        assert await outside.receive_nothing(0.1)


async def test_what_changed_before_the_socket_stood_is_told_at_once(waiting: Session, approver: User) -> None:
    socket = Socket("", await in_thread(lambda: client_of(approver)), "/ws/inbox/")
    await socket.connect(10)
    await socket.say(type="hello", after=0)
    assert await one(socket) == BEHIND
    await socket.disconnect()


async def test_who_leaves_a_project_hears_of_it_no_more(
    waiting: Session, owner: User, approver: User, project: Project
) -> None:
    async with watching(approver) as socket:
        await in_thread(lambda: remove_member(Actor(owner), project, approver))
        assert await one(socket) == BEHIND  # its gates are gone from the page
        hub, room = live.bus.hub(), live.project_room(project.pk)
        await in_thread(lambda: until(lambda: room not in hub._rooms))
    assert await db(project_rooms, approver) == frozenset()


async def test_a_bell_that_was_lost_is_made_up_for(
    reviewed: Session, owner: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.inbox_socket.LOOK_SECONDS", 0.2)
    monkeypatch.setattr("sessions.inbox_socket.CHECK_SECONDS", 0.1)
    async with watching(approver) as socket:
        monkeypatch.setattr(live, "needs_changed", lambda project_id: None)
        await in_thread(lambda: gates.judge_session(Actor(owner), reviewed, "standard"))
        assert await one(socket) == BEHIND


@pytest.mark.django_db
def test_the_parts_of_the_gate_come_when_the_log_went_on_and_say_who_moved_it(
    waiting: Session, owner: User, approver: User
) -> None:
    browser = client_of(approver)
    url, seq = f"/sessions/{waiting.code}/gate/live/", waiting.next_seq
    after = Session.objects.values_list("next_seq", flat=True).get(pk=waiting.pk) - 1
    assert browser.get(url, {"after": after}).status_code == 304
    gates.approve(Actor(owner), waiting, gate_of(waiting).shown)
    answer = browser.get(url, {"after": after})
    page = answer.content.decode()
    assert (answer.status_code, answer["ETag"]) == (200, f'"{after + 1}"')
    assert [f'hx-target="#{part}"' in page for part in ("gate-head", "gate-main", "gate-box", "announcer")] == [
        True
    ] * 4
    assert "Changed while you looked." in page
    assert "Approved the gate: fail, in effect in ten minutes, by Owner" in " ".join(page.split())
    assert seq <= after + 1


def test_who_may_not_read_the_session_gets_no_part_of_its_gate(waiting: Session, stranger: User) -> None:
    assert client_of(stranger).get(f"/sessions/{waiting.code}/gate/live/").status_code == 404


def test_the_list_comes_when_it_is_another(waiting: Session, owner: User, approver: User) -> None:
    browser: Client = client_of(approver)
    stamp = stamp_of(approver)
    assert browser.get("/inbox/live/", {"after": stamp}).status_code == 304
    gates.approve(Actor(owner), waiting, gate_of(waiting).shown)
    answer = browser.get("/inbox/live/", {"after": stamp})
    assert (answer.status_code, answer["ETag"]) == (200, f'"{stamp_of(approver)}"')
    assert "Nothing waits for you now." in answer.content.decode()
