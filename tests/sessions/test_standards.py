"""Standards of a project: those it begins with, its own, and versions that nobody changes."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.purge import delete_project
from sessions.actions.standard_versions import seed_standards
from sessions.actions.standards import create_standard, find_standard, pin_standard, retire_standard, revise_standard
from sessions.catalog.standards import shipped_standards
from sessions.models import Content, Project, Standard, StandardVersion
from sessions.queries.standards import criteria_of, newest_standards, retires, usable_standards
from tests import factories

CRITERIA: list[dict[str, Any]] = [
    {"id": "A-1", "text": "It says who acts.", "mandatory": True, "critical": True},
    {"id": "A-2", "text": "It has a date on it.", "mandatory": False},
]


@pytest.fixture
def actor(owner: User) -> Actor:
    return Actor(owner)


def test_three_standards_of_six_to_twelve_criteria_come_along() -> None:
    assert [one.key for one in shipped_standards()] == ["secure-code-change", "design-document", "policy-text"]
    for one in shipped_standards():
        assert 6 <= len(one.criteria) <= 12
        assert any(row["critical"] for row in one.criteria)
        assert any(not row["mandatory"] for row in one.criteria)
        assert all(row["mandatory"] for row in one.criteria if row["critical"])


def test_a_project_begins_with_them(project: Project) -> None:
    found = {version.standard.key: version for version in newest_standards(project.pk)}
    assert set(found) == {one.key for one in shipped_standards()}
    assert [criterion.id for criterion in criteria_of(found["policy-text"])][:2] == ["PT-1", "PT-2"]


def test_seeding_again_changes_nothing_and_keeps_what_people_changed(actor: Actor, project: Project) -> None:
    revise_standard(actor, find_standard(project, "policy-text").standard, CRITERIA)
    before = list(StandardVersion.objects.order_by("pk").values_list("pk", "number", "digest"))
    seed_standards(project)
    assert list(StandardVersion.objects.order_by("pk").values_list("pk", "number", "digest")) == before


def test_a_project_without_standards_gets_them_on_the_next_start(project: Project, db: Any) -> None:
    from sessions.append_only import purge
    from sessions.seeding import seed

    with purge():
        StandardVersion.objects.all().delete()
        Standard.objects.all().delete()
    seed()
    assert project.standards.count() == 3


def test_an_own_standard_is_named_by_its_key(actor: Actor, project: Project) -> None:
    made = create_standard(actor, project, "  House   rules ", CRITERIA)
    assert (made.standard.key, made.standard.name, made.number) == ("house-rules", "House rules", 1)
    assert find_standard(project, "house-rules").pk == made.pk


def test_a_new_version_leaves_the_old_one(actor: Actor, project: Project) -> None:
    first = create_standard(actor, project, "House rules", CRITERIA)
    second = revise_standard(actor, first.standard, CRITERIA[:1])
    assert (second.number, len(criteria_of(second))) == (2, 1)
    assert len(criteria_of(find_standard(project, "house-rules", 1))) == 2
    assert find_standard(project, "house-rules").number == 2


def test_the_same_criteria_are_the_same_version(actor: Actor, project: Project) -> None:
    first = create_standard(actor, project, "House rules", CRITERIA)
    assert revise_standard(actor, first.standard, CRITERIA).pk == first.pk


def test_nobody_changes_a_version(actor: Actor, project: Project) -> None:
    made = create_standard(actor, project, "House rules", CRITERIA)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StandardVersion.objects.filter(pk=made.pk).update(digest="0" * 64)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StandardVersion.objects.filter(pk=made.pk).delete()


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ([], "bad_criteria"),
        ([{"id": "A 1", "text": "It says who acts."}], "bad_criteria"),
        ([{"id": "A-1", "text": "short"}], "bad_criteria"),
        ([{"id": "A-1", "text": "x" * 601}], "bad_criteria"),
        ([{"id": "A-1", "text": "It says who acts.", "weight": 2}], "bad_criteria"),
        ([{"id": f"A-{number}", "text": "It says who acts."} for number in range(41)], "bad_criteria"),
        ([CRITERIA[0], CRITERIA[0] | {"id": "a-1"}], "criterion_twice"),
        ([CRITERIA[1]], "nothing_mandatory"),
    ],
)
def test_bad_criteria_are_refused(actor: Actor, project: Project, criteria: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        create_standard(actor, project, "House rules", criteria)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("name", "code"), [("", "bad_name"), ("!!!", "bad_name"), ("x" * 81, "bad_name"), ("Policy text", "name_taken")]
)
def test_a_name_that_is_none_or_taken_is_refused(actor: Actor, project: Project, name: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        create_standard(actor, project, name, CRITERIA)
    assert refusal.value.code == code


def test_the_version_that_is_meant_is_written_down(actor: Actor, project: Project) -> None:
    revise_standard(actor, find_standard(project, "policy-text").standard, CRITERIA)
    assert pin_standard(project, {"standard": "policy-text", "version": None})["version"] == 2
    assert pin_standard(project, {"standard": "policy-text", "version": 1})["version"] == 1


@pytest.mark.parametrize(("key", "version"), [("nope", None), ("policy-text", 7), ("\0", None)])
def test_an_unknown_standard_is_refused_and_the_known_ones_are_named(
    project: Project, key: str, version: int | None
) -> None:
    with pytest.raises(Refused) as refusal:
        find_standard(project, key, version)
    assert refusal.value.code == "standard_unknown"
    assert "Known: design-document, policy-text, secure-code-change." in refusal.value.sentence


def test_a_retired_standard_is_offered_no_more_and_its_versions_stay(actor: Actor, project: Project) -> None:
    made = create_standard(actor, project, "House rules", CRITERIA)
    retired = retire_standard(actor, made.standard)
    assert (retired.number, retires(retired), criteria_of(retired)) == (2, True, ())
    assert "house-rules" not in {one.standard.key for one in usable_standards(project.pk)}
    assert len(criteria_of(find_standard(project, "house-rules", 1))) == 2
    for version in (None, 1):
        with pytest.raises(Refused) as refusal:
            pin_standard(project, {"standard": "house-rules", "version": version})
        assert refusal.value.code == "standard_retired"


def test_the_next_version_brings_a_retired_standard_back(actor: Actor, project: Project) -> None:
    standard = create_standard(actor, project, "House rules", CRITERIA).standard
    retire_standard(actor, standard)
    assert retire_standard(actor, standard).number == 2
    assert revise_standard(actor, standard, CRITERIA).number == 3
    offered = [one.number for one in usable_standards(project.pk) if one.standard.key == "house-rules"]
    assert offered == [3, 1]


def test_of_two_who_change_a_standard_the_later_is_told(actor: Actor, project: Project) -> None:
    standard = create_standard(actor, project, "House rules", CRITERIA).standard
    revise_standard(actor, standard, CRITERIA[:1], after=1)
    other = [CRITERIA[0] | {"text": "It says who acts and when."}]
    with pytest.raises(Refused, match="changed_meanwhile"):
        revise_standard(actor, standard, other, after=1)
    assert find_standard(project, "house-rules").number == 2


def test_guidance_is_kept_and_a_standard_without_is_stored_as_before(actor: Actor, project: Project) -> None:
    guided = create_standard(actor, project, "Guided", [CRITERIA[0] | {"guidance": "  Look at the verbs. "}])
    plain = create_standard(actor, project, "Plain", [CRITERIA[0]])
    assert criteria_of(guided)[0].guidance == "Look at the verbs."
    assert "guidance" not in plain.content.text


def test_a_deleted_project_leaves_no_words_of_its_standards(actor: Actor, project: Project) -> None:
    create_standard(actor, project, "House rules", CRITERIA, "For the house.")
    delete_project(actor, project)
    assert set(Standard.objects.filter(project=project).values_list("name", "purpose")) == {("(deleted)", "")}
    assert not Content.objects.filter(project=project, kind="standard").exclude(text="").exists()


# --- the API


def test_the_api_lists_shows_makes_and_revises_standards(owner: User, project: Project) -> None:
    client, address = factories.client(owner), f"/api/v1/projects/{project.slug}/standards"
    made = client.post(address, {"name": "House rules", "criteria": CRITERIA}, "application/json")
    assert (made.status_code, made.json()["version"]) == (201, 1)
    revised = client.post(f"{address}/house-rules/versions", {"criteria": CRITERIA[:1]}, "application/json")
    assert (revised.status_code, revised.json()["version"]) == (201, 2)
    listed = client.get(address).json()["standards"]
    assert [(one["key"], one["version"]) for one in listed][1] == ("house-rules", 2)
    assert client.get(f"{address}/house-rules?version=1").json()["criteria"][0] == CRITERIA[0] | {"guidance": ""}


def test_the_api_retires_a_standard(owner: User, project: Project) -> None:
    client, address = factories.client(owner), f"/api/v1/projects/{project.slug}/standards"
    retired = client.post(f"{address}/policy-text/retire", {}, "application/json")
    assert (retired.status_code, retired.json()["retired"], retired.json()["criteria"]) == (200, True, [])
    assert client.get(f"{address}/policy-text?version=1").json()["retired"] is False


def test_a_viewer_retires_nothing(project: Project) -> None:
    viewer = factories.user("vera")
    factories.join(viewer, project, "viewer")
    address = f"/api/v1/projects/{project.slug}/standards/policy-text/retire"
    assert factories.client(viewer).post(address, {}, "application/json").status_code == 403
    assert find_standard(project, "policy-text").number == 1


@pytest.mark.parametrize("version", ["0", "-1", "x", "99"])
def test_a_version_that_is_none_is_refused(owner: User, project: Project, version: str) -> None:
    address = f"/api/v1/projects/{project.slug}/standards/policy-text?version={version}"
    assert factories.client(owner).get(address).status_code in (400, 404)
