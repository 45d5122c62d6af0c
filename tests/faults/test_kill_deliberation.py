"""`kill -9` in the middle of a deliberation: rounds are published once, whole, and nothing recorded is paid again."""

import pytest

from crucible_site.models import User
from sessions.demo.deliberation import arc_of
from sessions.invariants import violations
from sessions.models import Attempt, Project, Session, Step
from tests.driving import kinds, lapse, queued, status_of
from tests.faults.workers import drive

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLED = 137
SETTLES_IN_3 = next(f"{at:02x}" * 32 for at in range(40) if arc_of(f"{at:02x}" * 32) == "settles_in_3")


@pytest.fixture
def deliberation(owner: User, project: Project) -> Session:
    """A queued deliberation by three demo models, which settles in round 3."""
    return queued(owner, project, kind="deliberation", nonce_seed=SETTLES_IN_3)


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


@pytest.mark.parametrize(("number", "heard"), [(1, "reports"), (2, "positions"), (3, "positions")])
def test_a_worker_killed_between_the_last_position_and_the_publication_of_a_round_leaves_it_to_the_next(
    deliberation: Session, number: int, heard: str
) -> None:
    assert drive(deliberation.pk, f"round.published:{number}") == KILLED
    before = list(deliberation.rounds.order_by("number").values())
    assert kinds(deliberation).count(f"{heard}.submitted") == 3 * max(number - 1, 1)
    assert (len(before), status_of(deliberation)) == (number - 1, "running")
    lapse(deliberation)

    assert drive(deliberation.pk) == 0

    assert status_of(deliberation) == "completed"
    assert violations() == []
    assert list(deliberation.rounds.order_by("number").values())[: number - 1] == before
    published = deliberation.events.filter(kind="round.published").order_by("seq")
    assert [event.data["round"] for event in published] == [1, 2, 3]
    asked_again = Attempt.objects.filter(session=deliberation, fence__gt=1, ordinal__gt=1)
    assert not asked_again.exclude(step__path__startswith="synthesis/").exists()
