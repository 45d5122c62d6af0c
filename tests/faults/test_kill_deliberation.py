"""`kill -9` in the middle of a deliberation: rounds are published once, whole, and nothing recorded is paid again."""

import pytest

from crucible_site.models import User
from sessions.invariants import violations
from sessions.models import Attempt, Project, Session, Step
from tests.driving import kinds, lapse, queued, status_of
from tests.faults.workers import drive

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLED = 137


@pytest.fixture
def deliberation(owner: User, project: Project) -> Session:
    """A queued deliberation by three demo models, which settles in round 3."""
    return queued(owner, project, kind="deliberation", nonce_seed="ab" * 32)


@pytest.mark.parametrize(
    "where", ["last_byte:8", "last_byte:9", "after_commit:5", "after_commit:8", "before_commit:7", "before_close"]
)
def test_a_killed_worker_loses_no_round_and_pays_nothing_twice(deliberation: Session, where: str) -> None:
    assert drive(deliberation.pk, where) == KILLED
    before = list(deliberation.rounds.values())
    paid = set(Step.objects.filter(state="done", kind="call").values_list("pk", flat=True))
    lapse(deliberation)

    assert drive(deliberation.pk) == 0

    assert status_of(deliberation) == "completed"
    assert violations() == []
    assert Attempt.objects.filter(step__in=paid, state="delivered").count() == len(paid)
    assert not Attempt.objects.filter(step__in=paid, ordinal__gt=1, fence__gt=1).exists()
    assert list(deliberation.rounds.values())[: len(before)] == before
    assert kinds(deliberation).count("round.published") == deliberation.rounds.count()
