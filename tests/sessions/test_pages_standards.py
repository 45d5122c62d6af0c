"""The pages of a project's standards: making one, changing it into a next version, retiring it."""

import re
from dataclasses import asdict
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.standards import create_standard, find_standard, retire_standard, revise_standard
from sessions.models import Project, StandardVersion
from sessions.queries.standards import criteria_of, retires
from tests import factories
from tests.markup import EVIL, dangers

CRITERIA: list[dict[str, Any]] = [
    {"id": "A-1", "text": "It says who acts.", "mandatory": True, "critical": True},
    {"id": "A-2", "text": "It has a date on it.", "mandatory": False, "guidance": "A year is enough."},
]


@pytest.fixture
def as_member(client: Client, member: User) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def house(owner: User, project: Project) -> StandardVersion:
    return create_standard(Actor(owner), project, "House rules", CRITERIA, "For the house.")


def page_at(project: Project, name: str, *keys: str) -> str:
    return reverse(f"sessions:{name}", args=[project.slug, *keys])


def form(**changes: Any) -> dict[str, Any]:
    """The editor as a browser sends it, with two rows; the boxes send the numbers of their rows."""
    return {
        "go": "save",
        "name": "Release notes",
        "purpose": "Before a release.",
        "criterion_id": ["R-1", "R-2"],
        "criterion_text": ["It names every change.", "It says who to ask."],
        "criterion_guidance": ["", "A team counts."],
        "criterion_mandatory": ["0"],
        "criterion_critical": ["0"],
        **changes,
    }


def saved(project: Project, key: str) -> list[dict[str, Any]]:
    return [asdict(one) for one in criteria_of(find_standard(project, key))]


def ids(page: str) -> list[str]:
    return re.findall(r'name="criterion_id" maxlength="24" value="([^"]*)"', page)


def test_the_list_has_those_that_come_along_and_ones_own(
    as_member: Client, project: Project, house: StandardVersion
) -> None:
    page = as_member.get(page_at(project, "standards")).content.decode()
    assert page.count("comes with Crucible") == 3
    assert page_at(project, "standard", "house-rules") in page
    assert "For the house." in page


def test_how_often_a_standard_was_used_is_counted(client: Client, owner: User, project: Project) -> None:
    factories.certified(owner, project)
    client.force_login(owner)
    page = client.get(page_at(project, "standards")).content.decode()
    assert re.findall(r'data-label="Certifications">(\d+)', page) == ["0", "1", "0", "0"]


def test_a_project_without_standards_is_told_what_one_is(client: Client, owner: User, project: Project) -> None:
    for standard in project.standards.all():
        retire_standard(Actor(owner), standard)
    client.force_login(owner)
    page = client.get(page_at(project, "standards")).content.decode()
    assert "No standard to certify against" in page
    assert "3 retired" in page


def test_a_standard_is_shown_with_its_criteria_weights_and_versions(
    as_member: Client, owner: User, project: Project, house: StandardVersion
) -> None:
    revise_standard(Actor(owner), house.standard, [CRITERIA[0] | {"text": "It says who acts and when."}])
    page = as_member.get(page_at(project, "standard", "house-rules")).content.decode()
    assert "It says who acts and when." in page
    assert "changed A-1; removed A-2" in page
    older = as_member.get(page_at(project, "standard", "house-rules") + "?version=1").content.decode()
    assert "A year is enough." in older
    assert "This is an older version." in older


@pytest.mark.parametrize("query", ["?version=9", "?version=0"])
def test_a_version_that_is_none_is_not_there(
    query: str, as_member: Client, project: Project, house: StandardVersion
) -> None:
    assert as_member.get(page_at(project, "standard", "house-rules") + query).status_code == 404


def test_a_standard_is_made_from_typed_rows(as_member: Client, project: Project) -> None:
    answer = as_member.post(page_at(project, "new_standard"), form())
    assert answer.headers["Location"] == page_at(project, "standard", "release-notes")
    first, second = saved(project, "release-notes")
    assert (first["text"], first["mandatory"], first["critical"]) == ("It names every change.", True, True)
    assert (second["mandatory"], second["critical"], second["guidance"]) == (False, False, "A team counts.")


@pytest.mark.parametrize(
    ("go", "expected"),
    [
        ("add", ["R-1", "R-2", "C-1"]),
        ("remove:0", ["R-2"]),
        ("up:1", ["R-2", "R-1"]),
        ("down:0", ["R-2", "R-1"]),
        ("up:0", ["R-1", "R-2"]),
        ("down:9", ["R-1", "R-2"]),
        ("remove:nine", ["R-2"]),
    ],
)
def test_rows_are_added_removed_and_moved_without_losing_a_word(
    go: str, expected: list[str], as_member: Client, project: Project
) -> None:
    answer = as_member.post(page_at(project, "new_standard"), form(go=go))
    page = answer.content.decode()
    assert (answer.status_code, ids(page)) == (200, expected)
    assert 'value="Release notes"' in page
    assert not project.standards.filter(key="release-notes").exists()


def test_the_marks_move_with_their_row(as_member: Client, project: Project) -> None:
    page = as_member.post(page_at(project, "new_standard"), form(go="up:1")).content.decode()
    assert re.findall(r'name="criterion_critical" value="(\d)"( checked)?', page) == [("0", ""), ("1", " checked")]
    assert re.findall(r'aria-label="Move R-2 (\w+)" autofocus', page) == ["down"]


def test_a_criterion_without_an_id_gets_the_next_free_one(as_member: Client, project: Project) -> None:
    as_member.post(page_at(project, "new_standard"), form(criterion_id=["C-1", ""]))
    assert [one["id"] for one in saved(project, "release-notes")] == ["C-1", "C-2"]


def test_a_row_that_was_left_empty_is_no_criterion(as_member: Client, project: Project) -> None:
    preset = ids(as_member.get(page_at(project, "new_standard")).content.decode())
    texts = ["It names every change.", " ", "It says who to ask."]
    sent = form(criterion_id=preset, criterion_text=texts, criterion_guidance=[""] * 3, criterion_mandatory=[*"012"])
    assert as_member.post(page_at(project, "new_standard"), sent).status_code == 302
    assert [one["id"] for one in saved(project, "release-notes")] == ["C-1", "C-3"]


@pytest.mark.parametrize(
    "half", [{"id": "SAFE-1"}, {"guidance": "A year is enough."}, {"critical": "2"}], ids=["id", "guidance", "mark"]
)
def test_a_half_filled_row_is_refused_beside_its_field(
    half: dict[str, str], as_member: Client, project: Project
) -> None:
    sent = form(
        criterion_id=["R-1", "R-2", half.get("id", "C-3")],
        criterion_text=["It names every change.", "It says who to ask.", ""],
        criterion_guidance=["", "", half.get("guidance", "")],
        criterion_mandatory=[*"012"],
        criterion_critical=[*half.get("critical", "")],
    )
    page = as_member.post(page_at(project, "new_standard"), sent).content.decode()
    assert re.findall(r'<p class="problem" id="([\w-]+)">([^<]+)', page) == [
        ("text-2-problem", "This row has no criterion yet. Write it in 8 to 600 characters, or remove the row.")
    ]
    assert not project.standards.filter(key="release-notes").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "A standard needs a name"),
        ({"name": "Policy text"}, "There is a standard"),
        ({"criterion_text": ["short", "It says who to ask."]}, "Write the criterion in 8 to 600 characters."),
        ({"criterion_id": ["R 1", "R-2"]}, "An ID has at most 24 letters"),
        ({"criterion_id": ["R-1", "r-1"]}, "Another criterion has this ID too."),
        ({"criterion_guidance": ["x" * 601, ""]}, "Guidance has at most 600 characters."),
        ({"criterion_mandatory": []}, "One criterion at least must be mandatory"),
        ({"criterion_id": [], "criterion_text": [], "criterion_guidance": []}, "needs at least one criterion."),
        (
            {
                "criterion_id": ["C-1", "C-2"],
                "criterion_text": ["", ""],
                "criterion_guidance": ["", ""],
                "criterion_mandatory": ["0", "1"],
                "criterion_critical": [],
            },
            "needs at least one criterion.",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    changes: dict[str, Any], words: str, as_member: Client, project: Project
) -> None:
    before = StandardVersion.objects.count()
    answer = as_member.post(page_at(project, "new_standard"), form(**changes))
    page = answer.content.decode()
    assert answer.status_code in (409, 422)
    assert words in page
    assert 'value="Before a release."' in page
    assert StandardVersion.objects.count() == before


def test_the_first_wrong_field_gets_the_focus(as_member: Client, project: Project) -> None:
    sent = form(criterion_id=["R-1", "R 2"])
    page = as_member.post(page_at(project, "new_standard"), sent).content.decode()
    assert re.findall(r'id="id-(\d)"[^>]*autofocus aria-invalid="true"', page) == ["1"]


def test_changing_a_standard_makes_its_next_version(
    as_member: Client, project: Project, house: StandardVersion
) -> None:
    address = page_at(project, "edit_standard", "house-rules")
    assert ids(as_member.get(address).content.decode()) == ["A-1", "A-2"]
    as_member.post(address, form(seen="1"))
    assert [one["id"] for one in saved(project, "house-rules")] == ["R-1", "R-2"]
    assert len(criteria_of(find_standard(project, "house-rules", 1))) == 2


def test_who_comes_second_is_told_and_keeps_what_was_typed(
    as_member: Client, owner: User, project: Project, house: StandardVersion
) -> None:
    revise_standard(Actor(owner), house.standard, CRITERIA[:1])
    answer = as_member.post(page_at(project, "edit_standard", "house-rules"), form(seen="1"))
    page = answer.content.decode()
    assert (answer.status_code, find_standard(project, "house-rules").number) == (409, 2)
    assert "Somebody saved version 2 meanwhile." in page
    assert ids(page) == ["R-1", "R-2"]
    assert 'name="seen" value="2"' in page


def test_retiring_says_first_what_stays_and_can_be_taken_back(as_member: Client, owner: User, project: Project) -> None:
    factories.certified(owner, project)
    address = page_at(project, "retire_standard", "payment-code")
    page = as_member.get(address).content.decode()
    assert "1 certification and its certificate stay as they are." in page
    assert not retires(find_standard(project, "payment-code"))
    as_member.post(address)
    assert retires(find_standard(project, "payment-code"))
    shown = as_member.get(page_at(project, "standard", "payment-code")).content.decode()
    assert "No new certification can be made against it." in shown
    assert "Bring it back" in shown
    assert ids(as_member.get(page_at(project, "edit_standard", "payment-code")).content.decode()) == ["A-1", "A-2"]


@pytest.mark.parametrize("name", ["edit_standard", "retire_standard"])
def test_a_viewer_reads_and_changes_nothing(
    name: str, client: Client, project: Project, house: StandardVersion
) -> None:
    viewer = factories.user("vera")
    factories.join(viewer, project, "viewer")
    client.force_login(viewer)
    page = client.get(page_at(project, "standard", "house-rules")).content.decode()
    assert "It says who acts." in page
    assert page_at(project, name, "house-rules") not in page
    assert client.post(page_at(project, name, "house-rules"), form(seen="1")).status_code == 403
    assert client.get(page_at(project, "new_standard")).status_code == 403


@pytest.mark.parametrize("name", ["standards", "new_standard"])
def test_a_stranger_finds_nothing(name: str, client: Client, stranger: User, project: Project) -> None:
    client.force_login(stranger)
    assert client.get(page_at(project, name)).status_code == 404


@pytest.mark.parametrize("words", EVIL)
def test_words_of_a_standard_are_inert(words: str, as_member: Client, project: Project) -> None:
    sent = form(criterion_text=[words, words], criterion_guidance=[words, words], criterion_id=[words, "R-2"])
    assert dangers(as_member.post(page_at(project, "new_standard"), sent).content.decode()) == []


def test_the_settings_lead_to_standards_and_policies(as_member: Client, project: Project) -> None:
    page = as_member.get(page_at(project, "settings")).content.decode()
    assert page_at(project, "standards") in page
    assert page_at(project, "gate_policies") in page
