"""One effect per Idempotency-Key, whoever comes second and whenever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from crucible_site.models import User
from sessions.actions.errors import Refused
from sessions.actions.idempotency import Answer, Post, once
from sessions.models import IdempotencyKey
from tests import factories


@pytest.fixture
def post(owner: User) -> Post:
    return Post(owner.pk, "/api/v1/sessions", "k1", b"{}")


class Effect:
    """Counts how often it really happened: a row stays only if its transaction did."""

    def __init__(self, hold: threading.Event | None = None) -> None:
        self.hold = hold
        self.entered = threading.Event()

    def __call__(self) -> Answer:
        user = factories.user(f"made-{User.objects.count()}")
        self.entered.set()
        if self.hold:
            self.hold.wait(10)
        return Answer(201, {"made": user.pk})

    @property
    def count(self) -> int:
        return User.objects.filter(email__startswith="made-").count()


def test_without_a_key_every_post_acts(post: Post) -> None:
    effect = Effect()
    for _ in range(2):
        once(Post(post.user_id, post.route, "", post.body), effect)
    assert effect.count == 2


def test_the_second_gets_the_first_reply(post: Post) -> None:
    effect = Effect()
    first, second = once(post, effect), once(post, effect)
    assert (second.status, second.reply, second.replayed) == (first.status, first.reply, True)
    assert effect.count == 1


@pytest.mark.parametrize("key", ["a b", "\u00e9", "x" * 256, "a\n"])
def test_a_key_that_is_none_is_refused(key: str, post: Post) -> None:
    with pytest.raises(Refused, match="bad_idempotency_key"):
        once(Post(post.user_id, post.route, key, b""), Effect())


def test_a_refusal_gives_the_key_back(post: Post) -> None:
    def refuse() -> Answer:
        raise Refused("no_artifact", "There is nothing to review.")

    with pytest.raises(Refused, match="no_artifact"):
        once(post, refuse)
    assert once(post, Effect()).replayed is False


def test_a_crash_between_claim_and_effect_blocks_nobody_for_long(post: Post) -> None:
    minutes_ago = timezone.now() - timedelta(minutes=2)
    IdempotencyKey.objects.create(user_id=post.user_id, route=post.route, key=post.key, body_hash=post.body_hash)
    effect = Effect()
    with pytest.raises(Refused, match="idempotency_in_flight"):
        once(post, effect)
    IdempotencyKey.objects.update(created_at=minutes_ago)
    assert once(post, effect).status == 201
    assert effect.count == 1


def test_who_lost_the_claim_meanwhile_changes_nothing(post: Post) -> None:
    effect = Effect()

    def slow() -> Answer:
        answer = effect()
        IdempotencyKey.objects.update(created_at=timezone.now())  # somebody else took over
        return answer

    with pytest.raises(Refused, match="idempotency_in_flight"):
        once(post, slow)
    assert effect.count == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_twin_in_flight_is_told_so(owner: User, post: Post) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: the twin waits for the first instead")
    hold = threading.Event()
    effect = Effect(hold)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_in_thread, post, effect)
        effect.entered.wait(10)
        with pytest.raises(Refused, match="idempotency_in_flight"):
            once(post, effect)
        hold.set()
        assert first.result(10) == "201"


@pytest.mark.django_db(transaction=True)
def test_many_twins_at_once_have_one_effect(owner: User, post: Post) -> None:
    effect = Effect()
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: _in_thread(post, effect), range(48)))
    assert set(told) <= {"201", "idempotency_in_flight"}
    assert "201" in told
    assert effect.count == 1


def _in_thread(post: Post, effect: Effect) -> str:
    try:
        return str(once(post, effect).status)
    except Refused as refused:
        return refused.code
    finally:
        connection.close()
