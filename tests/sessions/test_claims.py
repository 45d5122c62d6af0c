"""Taking many leases at once: together, each for itself, and in reason while the loop is behind."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from crucible_site.models import User
from sessions import claims
from sessions.access import Actor
from sessions.actions.purge import delete_artifact
from sessions.claims import Claims, Taken
from sessions.models import ModelPrice, Project, Session
from tests.driving import queued

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _close_connections() -> Iterator[None]:
    yield
    connections.close_all()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sessions were claimed at a time."""
    sizes: list[int] = []

    def counted(session_ids: list[int], owner: str) -> Any:
        sizes.append(len(session_ids))
        return claim(session_ids, owner)

    claim = claims.claim
    monkeypatch.setattr(claims, "claim", counted)
    return sizes


def take(*session_ids: int, busy: bool = False) -> list[Taken | None]:
    """What one worker gets when all are asked for at once; `busy`: while its loop has other work in every turn."""

    async def ask() -> list[Taken | None]:
        one = Claims("one")
        asked = asyncio.gather(*(one.take(key) for key in session_ids))
        while busy and not asked.done():
            time.sleep(0.02)  # noqa: ASYNC251 - this is the point
            await asyncio.sleep(0)
        return await asked

    return asyncio.run(ask())


def test_sessions_asked_for_at_once_are_claimed_together(owner: User, project: Project, batches: list[int]) -> None:
    keys = [queued(owner, project).pk for _ in range(5)]
    taken = take(*keys)
    assert [lease.session.pk for lease, _ in filter(None, taken)] == keys
    assert batches == [5]


def test_each_gets_its_own_texts_and_models(owner: User, project: Project) -> None:
    one, two = queued(owner, project), queued(owner, project)
    for _, material in filter(None, take(one.pk, two.pk)):
        assert material.sources
        assert set(material.routes) == {"demo/atlas", "demo/birch", "demo/cedar"}


def test_what_is_not_to_be_had_takes_nothing_from_the_others(owner: User, project: Project) -> None:
    free, gone = queued(owner, project), queued(owner, project)
    Session.objects.filter(pk=gone.pk).update(status="cancelled")
    assert [bool(taken) for taken in take(gone.pk, free.pk, 0)] == [False, True, False]


def test_a_session_whose_text_was_erased_has_no_sources(owner: User, project: Project) -> None:
    session = queued(owner, project)
    Session.objects.filter(pk=session.pk).update(status="draft")
    delete_artifact(Actor(owner), session.sources.get().version.artifact)
    Session.objects.filter(pk=session.pk).update(status="queued", deleted_at=None)
    taken = take(session.pk)[0]
    assert taken is not None
    assert taken[1].sources is None


def test_whoever_asked_hears_that_the_database_is_away(
    owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(session_ids: list[int], owner: str) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(claims, "claim", away)
    with pytest.raises(OperationalError):
        take(queued(owner, project).pk)


@pytest.mark.parametrize("step", ["claim", "read_material"])
def test_a_database_that_refuses_once_keeps_nobody_waiting(
    owner: User, project: Project, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    asked, answers = [], getattr(claims, step)

    def busy_at_first(*args: Any) -> Any:
        asked.append(args)
        if len(asked) == 1:
            raise OperationalError("database is locked")
        return answers(*args)

    monkeypatch.setattr(claims, step, busy_at_first)
    assert all(take(queued(owner, project).pk))
    assert len(asked) == 2


def test_a_worker_that_is_behind_takes_a_few_at_a_time(
    owner: User, project: Project, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "PUT_OFF_SECONDS", 0.02)
    keys = [queued(owner, project).pk for _ in range(claims.FEW + 2)]
    assert all(take(*keys, busy=True))
    assert batches == [claims.FEW, 2]


def test_prices_are_those_in_force_now(owner: User, project: Project) -> None:
    queued(owner, project)  # brings the demo models, and their price
    ModelPrice.objects.all().delete()
    now = timezone.now()
    for days, microcredits in ((-2, 1), (-1, 2), (1, 3)):
        ModelPrice.objects.create(
            language_model_id="demo/atlas",
            since=now + timedelta(days=days),
            input_microcredits=microcredits,
            output_microcredits=microcredits,
        )
    assert claims.prices_of(["demo/atlas"])["demo/atlas"].input == 2
