"""`kill -9` at every named point of a step, in a process of its own: nothing recorded is paid again or lost."""

import random
import time

import pytest

from sessions.faultpoints import POINTS
from sessions.invariants import violations
from sessions.models import Attempt, Session, Step
from tests.driving import kinds, lapse, status_of
from tests.faults.workers import drive, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLED = 137


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_costs_at_most_the_calls_in_flight(review: Session, point: str, nth: int) -> None:
    once = {"claimed", "before_close", "closed"}
    assert drive(review.pk, f"{point}:{nth}") == (KILLED if nth == 1 or point not in once else 0)
    paid = set(Step.objects.filter(state="done", kind="call").values_list("pk", flat=True))
    lapse(review)

    assert drive(review.pk) == 0

    assert status_of(review) == "completed"
    assert violations() == []
    assert Attempt.objects.filter(step__in=paid, state="delivered").count() == len(paid)
    assert not Attempt.objects.filter(step__in=paid, ordinal__gt=1, fence__gt=1).exists()
    assert review.findings.exists()


def test_kills_at_random_moments_lose_and_double_nothing(review: Session) -> None:
    moments = random.Random(7)
    for _ in range(8):
        process = start(review.pk, pauses=0.02)
        time.sleep(moments.uniform(0.1, 0.4))
        process.kill()
        process.join(10)
        Session.objects.filter(pk=review.pk).update(recoveries=0)  # it is about luck here, not about poison
        lapse(review)
    assert drive(review.pk) == 0
    assert status_of(review) == "completed"
    assert kinds(review).count("session.completed") == 1
    assert violations() == []


def test_a_step_that_kills_its_worker_three_times_needs_attention(review: Session) -> None:
    for _ in range(3):
        assert drive(review.pk, "attempt_committed") == KILLED
        lapse(review)
    assert drive(review.pk) == 0
    assert status_of(review) == "needs_attention"
    assert Attempt.objects.filter(state="lost").count() == Attempt.objects.count() == 3
    assert violations() == []
