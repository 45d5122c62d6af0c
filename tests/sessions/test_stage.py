"""What pictures show could have happened: the stage is set by the product's own rules."""

from string import Formatter

import pytest
from django.urls import resolve

from sessions.invariants import violations
from sessions.models import Session
from tools.shots import SHOTS
from tools.stage import set_stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def addresses() -> dict[str, str]:
    return set_stage()


def shown(address: str) -> Session:
    return Session.objects.get(code=address.split("/")[2])


def test_every_shot_leads_to_a_page(addresses: dict[str, str]) -> None:
    paths = [shot.path.format_map(addresses).partition("?")[0] for shot in SHOTS]
    assert [path for path in paths if resolve(path).url_name is None] == []


def test_every_address_of_the_stage_is_in_a_shot(addresses: dict[str, str]) -> None:
    named = {name for shot in SHOTS for _, name, _, _ in Formatter().parse(shot.path) if name}
    assert named == addresses.keys()


def test_sessions_on_the_stage_keep_the_invariants(addresses: dict[str, str]) -> None:
    assert list(violations()) == []


def test_the_running_review_has_heard_one_instance_of_three(addresses: dict[str, str]) -> None:
    session = shown(addresses["running"])
    states = dict(session.participants.values_list("letter", "state"))
    assert (session.status, states) == ("running", {"A": "thinking", "B": "thinking", "C": "done"})
    assert set(session.reports.values_list("letter", flat=True)) == {"C"}
    assert not session.findings.exists()


def test_the_failed_review_lost_every_instance(addresses: dict[str, str]) -> None:
    session = shown(addresses["failed"])
    assert (session.status, session.reason) == ("failed", "no_answers")
    assert set(session.participants.values_list("state", flat=True)) == {"missing"}
