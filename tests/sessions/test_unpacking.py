"""Archives: the request keeps them, a worker unpacks them, page and program ask how it went."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import unpacking
from sessions.actions.purge import delete_project
from sessions.actions.unpacking import MAX_WAITING, MOST_TRIES, bring_many, unpack_due
from sessions.models import Artifact, Project, Unpacking
from sessions.reading import several
from tests import factories
from tests.files import archive, pdf

pytestmark = pytest.mark.django_db(transaction=True)

ALL = archive({"a.py": "a = 1\n", "offer.pdf": pdf("Words")})
DAMAGED = b"PK\x03\x04 x"
Keep = Callable[..., Unpacking]


@pytest.fixture
def keep(member: User, project: Project) -> Keep:
    def kept(data: bytes = ALL, name: str = "all.zip") -> Unpacking:
        return bring_many(Actor(member), project, [(name, data)]).unpackings[0]

    return kept


@pytest.fixture
def browser(member: User, client: Client) -> Client:
    client.force_login(member)
    return client


def work() -> None:
    asyncio.run(unpack_due())


def names() -> list[str]:
    return sorted(Artifact.objects.values_list("name", flat=True))


def test_the_request_opens_no_archive(member: User, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(several, "parse_apart", lambda form, data: opened.append(form))
    brought = bring_many(Actor(member), project, [("all.zip", ALL), ("b.py", b"b = 1\n")])
    assert (opened, names()) == ([], ["b.py"])
    assert [row.state for row in brought.unpackings] == ["waiting"]


def test_a_worker_unpacks_it_and_lets_the_archive_go(keep: Keep) -> None:
    row = keep()
    work()
    row.refresh_from_db()
    assert (names(), row.state, bytes(row.data)) == (["a.py", "offer.pdf"], "done", b"")


def test_one_that_cannot_be_read_says_why(keep: Keep) -> None:
    row = keep(DAMAGED)
    work()
    row.refresh_from_db()
    assert (row.state, [one["code"] for one in row.unread]) == ("failed", ["damaged"])


def test_what_a_dead_worker_held_is_taken_up_again(keep: Keep) -> None:
    row = keep()
    Unpacking.objects.update(tries=1, lease_until=timezone.now() - timedelta(seconds=1))
    work()
    row.refresh_from_db()
    assert (row.state, row.tries) == ("done", 2)


def test_what_a_living_worker_holds_is_left_to_it(keep: Keep) -> None:
    keep()
    Unpacking.objects.update(tries=1, lease_until=timezone.now() + timedelta(seconds=60))
    work()
    assert names() == []


def test_a_worker_that_takes_its_time_keeps_it(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    row = keep()
    leases: list[Any] = []

    def slow(*taken: int) -> None:
        for _ in range(2):
            time.sleep(0.3)
            leases.append(Unpacking.objects.get(pk=row.pk).lease_until)
        connection.close()

    monkeypatch.setattr(unpacking, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(unpacking, "_unpack", slow)
    monkeypatch.setattr(unpacking, "_claim", iter([unpacking._claim(), None]).__next__)
    work()
    assert leases[0] < leases[1]


def test_it_is_given_up_after_the_last_try(keep: Keep) -> None:
    row = keep()
    Unpacking.objects.update(tries=MOST_TRIES, lease_until=timezone.now() - timedelta(seconds=1))
    work()
    row.refresh_from_db()
    assert (row.state, [one["code"] for one in row.unread]) == ("failed", ["unpacking_broke"])


def test_who_was_overtaken_writes_nothing(keep: Keep) -> None:
    row = keep()
    Unpacking.objects.update(tries=2)
    unpacking._unpack(row.pk, 1)
    assert (names(), Unpacking.objects.get().state) == ([], "waiting")


@pytest.mark.parametrize(("size", "code"), [(20_000_001, "too_large"), (12_000_000, "total_too_large")])
def test_more_than_may_be_brought_is_refused_at_once(size: int, code: str, member: User, project: Project) -> None:
    large = DAMAGED + bytes(size - len(DAMAGED))
    brought = bring_many(Actor(member), project, [("a.zip", large), ("b.zip", large)])
    assert brought.unread[-1].code == code


def test_a_project_keeps_so_many_and_no_more(member: User, project: Project) -> None:
    brought = bring_many(Actor(member), project, [(f"{number}.zip", DAMAGED) for number in range(MAX_WAITING + 1)])
    assert (len(brought.unpackings), [one.code for one in brought.unread]) == (MAX_WAITING, ["busy"])


def test_it_goes_with_its_project(keep: Keep, owner: User, project: Project) -> None:
    keep()
    delete_project(Actor(owner), project)
    assert not Unpacking.objects.exists()


# --- for programs --------------------------------------------------------------------------------------------------


def test_a_program_asks_until_it_is_done(member: User, project: Project) -> None:
    program = factories.client(member)
    sent = {"project": project.slug, "file": SimpleUploadedFile("all.zip", ALL)}
    reply = program.post("/api/v1/artifacts/upload", sent)
    (waiting,) = reply.json()["unpacking"]
    address = f"/api/v1/projects/{project.slug}/unpackings/{waiting['code']}"
    before = program.get(address).json()
    work()
    after = program.get(address).json()
    assert (reply.status_code, before["state"], before["artifacts"]) == (202, "waiting", [])
    assert (after["state"], [row["name"] for row in after["artifacts"]]) == ("done", ["a.py", "offer.pdf"])


# --- the pages -----------------------------------------------------------------------------------------------------


def drop(browser: Client, project: Project, data: bytes = ALL, **typed: str) -> Any:
    sent = {"files": SimpleUploadedFile("all.zip", data), "go": "drop", **typed}
    return browser.post(f"/projects/{project.slug}/new/", sent)


def test_the_start_page_waits_and_then_takes_what_was_in_it(browser: Client, project: Project) -> None:
    address = drop(browser, project).headers["Location"]
    waiting = browser.get(address).content.decode()
    work()
    found = browser.get(address).content.decode()
    assert ("unpacking…" in waiting, "offer.pdf" in waiting) == (True, False)
    assert ("unpacking…" in found, "offer.pdf" in found) == (False, True)


def test_the_start_page_says_what_was_wrong_with_it(browser: Client, project: Project) -> None:
    address = drop(browser, project, DAMAGED).headers["Location"]
    work()
    assert "all.zip: This ZIP is damaged or not what its name says." in browser.get(address).content.decode()


def test_nothing_starts_while_it_is_waited_for(browser: Client, project: Project, keep: Keep) -> None:
    code = keep().code
    typed = {"go": "start", "unpacking": f"review:{code}", "kind": "review"}
    answer = browser.post(f"/projects/{project.slug}/new/", typed)
    assert (answer.status_code, "all.zip is still being unpacked" in answer.content.decode()) == (409, True)


def test_the_page_asks_again_and_then_takes_it(browser: Client, project: Project, keep: Keep) -> None:
    address = f"/projects/{project.slug}/unpacking/?unpacking=review:{keep().code}"
    before = browser.get(address).content.decode()
    work()
    after = browser.get(address).content.decode()
    assert ('hx-trigger="every 1s"' in before, 'hx-trigger="load"' in after) == (True, True)


def test_the_list_of_artifacts_waits_and_then_shows_them(browser: Client, project: Project) -> None:
    sent = {"files": SimpleUploadedFile("all.zip", ALL)}
    address = browser.post(f"/projects/{project.slug}/artifacts/", sent).headers["Location"]
    waiting = browser.get(address).content.decode()
    work()
    found = browser.get(address).content.decode()
    assert ("unpacking…" in waiting, "2 files kept." in found, "offer.pdf" in found) == (True, True, True)


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404)])
def test_nobody_else_sees_how_far_it_is(
    who: str, status: int, project: Project, keep: Keep, client: Client, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.get(f"/projects/{project.slug}/unpacking/?unpacking=review:{keep().code}").status_code == status
