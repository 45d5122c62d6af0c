"""Starting a certification on the start page: which standard, who must certify, and nothing lost on the way."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.standards import create_standard, find_standard, retire_standard, revise_standard
from sessions.models import Project, Session
from sessions.reports.certification import rule_sentence
from tests import factories

CRITERIA: list[dict[str, Any]] = [
    {"id": "A-1", "text": "It says who acts.", "critical": True, "guidance": "Look at the verbs."},
    {"id": "A-2", "text": "It has a date on it.", "mandatory": False},
]


@pytest.fixture
def as_member(client: Client, member: User) -> Client:
    client.force_login(member)
    factories.demo_models()
    return client


@pytest.fixture
def address(project: Project) -> str:
    return reverse("sessions:new", args=[project.slug])


@pytest.fixture
def house(owner: User, project: Project) -> str:
    """A standard of the project's own, in its second version; what stands for that in forms."""
    first = create_standard(Actor(owner), project, "House rules", CRITERIA[:1])
    return f"house-rules:{revise_standard(Actor(owner), first.standard, CRITERIA).number}"


def form(**changes: Any) -> dict[str, Any]:
    """A certification as a browser sends it: three seats, one file."""
    return {
        "token": "0123456789abcdef",
        "go": "start",
        "kind": "certification",
        "files": SimpleUploadedFile("pay.py", factories.CODE.encode()),
        "standard": "policy-text:1",
        "rule": "majority",
        "seat_name": ["Ann", "Ben", "Cem"],
        "seat_role": ["reviewer"] * 3,
        "seat_model_id": list(factories.DEMO_IDS),
        "seat_temperature": ["", "", ""],
        "seat_focus": ["", "", ""],
        **changes,
    }


def pressed(page: str) -> list[str]:
    return re.findall(r'value="standard:([^"]+)"[^>]*aria-pressed="true"', page)


def test_certification_is_offered_beside_the_others(as_member: Client, address: str) -> None:
    page = as_member.get(address).content.decode()
    assert 'value="kind:certification"' in page
    assert page.count("not built yet") == 2


def test_it_asks_for_a_standard_and_presets_none(as_member: Client, address: str, house: str) -> None:
    page = as_member.get(f"{address}?kind=certification").content.decode()
    offered = re.findall(r'value="standard:([^"]+)"', page)
    assert offered == ["design-document:1", "house-rules:2", "policy-text:1", "secure-code-change:1"]
    assert pressed(page) == []
    assert "Look at it as" not in page
    assert 'class="problem"' not in page


def test_the_criteria_of_the_standard_are_shown_with_their_weight(as_member: Client, address: str, house: str) -> None:
    page = as_member.get(f"{address}?kind=certification&standard={house}").content.decode()
    assert pressed(page) == [house]
    assert "2 criteria, 1 mandatory, 1 critical for all" in page
    for words in ("It says who acts.", "Look at the verbs.", "Critical for all", "Optional"):
        assert words in page


def test_an_older_version_can_be_chosen(as_member: Client, address: str, house: str) -> None:
    page = as_member.get(f"{address}?kind=certification&standard=house-rules:1").content.decode()
    assert '<option value="house-rules:1" selected>House rules, version 1</option>' in page
    assert "1 criterion, 1 mandatory, 1 critical for all" in page


def test_choosing_another_keeps_what_was_typed(as_member: Client, address: str) -> None:
    sent = form(go="standard:secure-code-change:1", brief="Before the release.", rule="supermajority")
    page = as_member.post(address, sent).content.decode()
    assert pressed(page) == ["secure-code-change:1"]
    assert "Before the release.</textarea>" in page
    assert '<option value="supermajority" selected>' in page


def test_another_kind_keeps_the_standard_for_coming_back(as_member: Client, address: str) -> None:
    page = as_member.post(address, form(go="kind:review")).content.decode()
    assert '<input type="hidden" name="standard" value="policy-text:1">' in page


def test_a_reload_finds_kind_and_standard_again(as_member: Client, address: str) -> None:
    answer = as_member.post(address, form(go="standard:policy-text:1"))
    kept = answer.headers["HX-Replace-Url"]
    assert pressed(as_member.get(kept).content.decode()) == ["policy-text:1"]


def test_start_starts_it_against_that_version(as_member: Client, address: str, house: str) -> None:
    answer = as_member.post(address, form(standard=house, focus="money", soft_cap="", hard_cap="2.50"))
    session = Session.objects.get()
    assert answer.headers["Location"] == reverse("sessions:detail", args=[session.code])
    assert (session.kind, session.status, session.title) == ("certification", "queued", "Certification of pay.py")
    assert session.params == {
        "standard": "house-rules",
        "version": 2,
        "rule": "majority",
        "allow_single": False,
        "focus": "money",
    }
    assert session.hard_cap_microcredits == 2_500_000_000


def test_one_instance_may_be_allowed_to_decide(as_member: Client, address: str) -> None:
    as_member.post(address, form(allow_single="on"))
    assert Session.objects.get().params["allow_single"] is True


@pytest.mark.parametrize("go", ["start", "draft"])
def test_without_a_standard_nothing_starts_and_it_says_so_where_one_chooses(
    go: str, as_member: Client, address: str
) -> None:
    answer = as_member.post(address, form(go=go, standard="", title="Keep me"))
    page = answer.content.decode()
    assert (answer.status_code, Session.objects.exists()) == (422, False)
    assert '<p class="problem">Choose a standard.</p>' in page
    assert 'value="Keep me"' in page


@pytest.mark.parametrize("standard", ["nope:1", "policy-text:9", "policy-text", "x" * 90])
def test_a_standard_that_is_not_offered_is_refused(standard: str, as_member: Client, address: str) -> None:
    answer = as_member.post(address, form(standard=standard))
    assert (answer.status_code, Session.objects.exists()) == (422, False)
    assert 'class="problem"' in answer.content.decode()


def test_a_retired_standard_is_offered_no_more(as_member: Client, owner: User, project: Project, address: str) -> None:
    retire_standard(Actor(owner), find_standard(project, "policy-text").standard)
    page = as_member.get(f"{address}?kind=certification&standard=policy-text:1").content.decode()
    assert 'value="standard:policy-text' not in page
    assert as_member.post(address, form()).status_code == 422


def test_run_again_says_when_its_standard_was_retired_meanwhile(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    session = factories.certified(owner, project)
    retire_standard(Actor(owner), find_standard(project, "payment-code").standard)
    answer = as_member.get(f"{address}?from={session.code}")
    assert answer.status_code == 200
    assert "This standard is not offered any more. Choose another." in answer.content.decode()


def test_a_project_without_standards_leads_to_making_one(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    for standard in project.standards.all():
        retire_standard(Actor(owner), standard)
    page = as_member.get(f"{address}?kind=certification").content.decode()
    assert reverse("sessions:new_standard", args=[project.slug]) in page


def test_the_line_beside_start_says_what_is_missing_then_what_is_sent(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    code = factories.artifact(owner, project).artifact.code
    chosen = f"{address}?kind=certification&artifact={code}"
    assert "Choose a standard first." in as_member.get(chosen).content.decode()
    page = as_member.get(f"{chosen}&standard=policy-text:1").content.decode()
    assert "Sends pay.py (5 lines) nowhere" in page
    assert "At least 2 of 3 must take a side, and all of those must certify." in page


@pytest.mark.parametrize(
    ("seats", "rule", "alone", "words"),
    [
        (5, "supermajority", False, "At least 4 of 5 must take a side, and two thirds of those must certify."),
        (2, "majority", False, "At least 2 of 2 must take a side, and more than half of those must certify."),
        (1, "unanimous", False, "One instance alone ends as inconclusive. Seat another, or let it decide."),
        (1, "unanimous", True, "One instance alone decides, with low confidence."),
    ],
)
def test_who_must_agree_is_said_in_numbers(seats: int, rule: str, alone: bool, words: str) -> None:
    assert rule_sentence(seats, rule, alone) == words


def test_artifact_and_session_lead_to_certifying_them(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    session = factories.reviewed(owner, project)
    code = session.sources.get().version.artifact.code
    shown = as_member.get(reverse("sessions:artifact", args=[code])).content.decode()
    assert f"{address}?artifact={code}&amp;kind=certification" in shown
    shown = as_member.get(reverse("sessions:detail", args=[session.code])).content.decode()
    assert f"{address}?from={session.code}&amp;kind=certification" in shown
    page = as_member.get(f"{address}?from={session.code}&kind=certification").content.decode()
    assert "New certification" in page
    assert '<option value="review" selected>' in page
    assert "Seat 2" in page
