"""`kill -9` when a certification has its answers and no result yet: verdict and certificate come once, and nothing that
was recorded is paid again."""

import pytest

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.standards import create_standard
from sessions.invariants import violations
from sessions.models import Attempt, Certificate, Project, Session, Step
from tests import factories
from tests.driving import kinds, lapse, queued, status_of
from tests.faults.workers import drive

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KILLED = 137


@pytest.fixture
def certification(owner: User, project: Project) -> Session:
    """A queued certification by three demo models, which give certificates in a demo project only."""
    Project.objects.filter(pk=project.pk).update(is_demo=True)
    create_standard(Actor(owner), project, "Payment code", factories.CRITERIA)
    params = {"standard": "payment-code", "rule": "majority"}
    return queued(owner, project, kind="certification", params=params, nonce_seed="ab" * 32)


@pytest.mark.parametrize("where", ["verdict.reached", "certificate.issued", "before_close"])
def test_a_worker_killed_before_the_result_leaves_it_to_the_next(certification: Session, where: str) -> None:
    assert drive(certification.pk, where) == KILLED
    paid = set(Step.objects.filter(state="done", kind="call").values_list("pk", flat=True))
    assert status_of(certification) == "running"
    lapse(certification)

    assert drive(certification.pk) == 0

    assert status_of(certification) == "completed"
    assert violations() == []
    told = kinds(certification)
    assert [told.count(what) for what in ("verdict.reached", "certificate.issued")] == [1, 1]
    assert Certificate.objects.filter(session=certification).count() == 1
    assert not Attempt.objects.filter(step__in=paid, fence__gt=1).exists()
