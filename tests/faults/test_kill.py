"""`kill -9` at every named point of a step, in a process of its own: nothing recorded is paid again, nothing is lost."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from sessions.faultpoints import POINTS
from sessions.invariants import violations
from sessions.models import Attempt, Session, Step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

DRIVE = textwrap.dedent("""
    import django
    django.setup()
    from django.db import connections
    connections.databases["default"]["NAME"] = {name!r}
    from sessions.models import Session
    from sessions.worker import worker, stop_worker
    worker().submit(Session.objects.get().pk).result()
    stop_worker()
""")


def drive(crash_at: str = "") -> int:
    """Drive the one session in a new process, as a worker does; the exit code."""
    name = str(connection.settings_dict["NAME"])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "crucible_site.settings", "CRUCIBLE_CRASH_AT": crash_at}
    root = Path(settings.BASE_DIR)
    done = subprocess.run([sys.executable, "-c", DRIVE.format(name=name)], cwd=root, env=environment, timeout=60)
    return done.returncode


def lapse() -> None:
    """Let the lease of the dead run out now."""
    Session.objects.filter(status="running").update(lease_until="2020-01-01T00:00:00Z")


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_costs_at_most_the_call_in_flight(review: Session, point: str, nth: int) -> None:
    crashed = drive(f"{point}:{nth}")
    assert crashed in (0, 137)
    paid = set(Step.objects.filter(state="done", kind="call").values_list("path", flat=True))
    lapse()

    assert drive() == 0

    review.refresh_from_db()
    assert review.status == "completed"
    assert violations() == []
    again = Attempt.objects.filter(step__path__in=paid, state="delivered").count()
    assert again == len(paid)
    assert review.findings.exists()


def test_a_step_that_kills_its_worker_three_times_needs_attention(review: Session) -> None:
    for _ in range(3):
        assert drive("attempt_committed") == 137
        lapse()
    assert drive() == 0
    review.refresh_from_db()
    assert review.status == "needs_attention"
    assert violations() == []
