"""The roster library and its editor, as plain forms; YAML in and out."""

from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.actions.errors import Refused
from sessions.actions.rosters import save_roster, seats_of_roster
from sessions.catalog.roster_yaml import from_yaml, to_yaml
from sessions.models import LanguageModel, Project, Roster
from sessions.seats import Seat
from tests import factories

FIELDS = ("name", "role", "model_id", "temperature", "focus")
TEXT = """
name: House
seats:
- model: demo/atlas
  name: Attack
  focus: How it can be attacked
- {model: demo/birch, name: Rest, role: lead, temperature: 0.3}
"""


@pytest.fixture
def as_member(client: Client, member: User) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def roster(project: Project) -> Roster:
    return save_roster(project, "House", factories.seats())


def form(*rows: dict[str, str], **fields: str) -> dict[str, Any]:
    """A posted editor. A row has the fields of a seat; what is left out is empty."""
    columns = {f"seat_{name}": [row.get(name, "") for row in rows] for name in FIELDS}
    columns["seat_role"] = [row.get("role", "reviewer") for row in rows]
    return {**columns, **fields}


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def new(project: Project) -> str:
    return reverse("sessions:new_roster", args=[project.slug])


def test_a_new_roster_begins_with_the_best_there_is(as_member: Client, project: Project) -> None:
    factories.demo_models()
    page = as_member.get(new(project)).content.decode()
    assert page.count('name="seat_model_id"') == 3


def test_the_same_model_sits_several_times_under_names_of_its_own(as_member: Client, project: Project) -> None:
    factories.demo_models()
    rows = [{"model_id": "demo/atlas", "focus": focus} for focus in ("", "security", "wording")]
    assert as_member.post(new(project), form(*rows, roster_name="Thrice", go="save")).status_code == 302
    seats = seats_of_roster(Roster.objects.get(name="Thrice"))
    assert [(seat.name, seat.focus) for seat in seats] == [
        ("atlas", ""),
        ("atlas 2", "security"),
        ("atlas 3", "wording"),
    ]


@pytest.mark.parametrize(
    ("go", "left"),
    [
        ("add", ["demo/atlas", "demo/birch", ""]),
        ("remove:0", ["demo/birch"]),
        ("duplicate:0", ["demo/atlas", "demo/atlas", "demo/birch"]),
        ("raise:1", ["demo/birch", "demo/atlas"]),
        ("raise:0", ["demo/atlas", "demo/birch"]),
        ("remove:99", ["demo/atlas", "demo/birch"]),
    ],
)
def test_the_editors_buttons_change_the_form_alone(
    go: str, left: list[str], as_member: Client, project: Project
) -> None:
    factories.demo_models()
    rows = [{"model_id": "demo/atlas", "name": "One"}, {"model_id": "demo/birch", "name": "Two"}]
    answer = as_member.post(new(project), form(*rows, go=go))
    assert [row.model_id for row, _ in answer.context["rows"]] == left
    assert not Roster.objects.exists()


def test_what_has_to_be_corrected_is_said_and_kept(as_member: Client, project: Project) -> None:
    factories.demo_models()
    row = {"model_id": "demo/atlas", "temperature": "hot", "focus": "keep me"}
    answer = as_member.post(new(project), form(row, roster_name="House", go="save"))
    assert answer.status_code == 422
    assert "The temperature is a number" in words(answer)
    assert "keep me" in words(answer)


def test_a_saved_roster_is_renamed_and_not_doubled(as_member: Client, roster: Roster) -> None:
    page = reverse("sessions:roster", args=[roster.code])
    as_member.post(page, form({"model_id": "demo/atlas"}, roster_name="Home", go="save"))
    assert [row.name for row in Roster.objects.all()] == ["Home"]


def test_the_name_of_another_roster_is_refused(as_member: Client, roster: Roster, project: Project) -> None:
    save_roster(project, "Other", factories.seats())
    page = reverse("sessions:roster", args=[roster.code])
    answer = as_member.post(page, form({"model_id": "demo/atlas"}, roster_name="Other", go="save"))
    assert answer.status_code == 409
    assert "another roster called" in words(answer)


def test_a_seat_without_a_key_offers_a_key_and_the_nearest_model(client: Client, owner: User, project: Project) -> None:
    client.force_login(owner)
    for pk in ("lab/large", "lab/small"):
        factories.real_model(pk, base_url=f"http://127.0.0.1:{9 if pk == 'lab/large' else 10}/v1")
    lost = LanguageModel.objects.get(pk="lab/large").provider
    type(lost).objects.filter(pk=lost.pk).update(sealed_key=None)
    saved = save_roster(project, "House", factories.seats("lab/large"))
    page = client.get(reverse("sessions:roster", args=[saved.code])).content.decode()
    assert f'href="{reverse("sessions:provider", args=[lost.name])}"' in page
    assert 'value="nearest:0"' in page
    rows = form({"model_id": "lab/large", "name": "Seat 1"}, roster_name="House", go="nearest:0")
    answer = client.post(reverse("sessions:roster", args=[saved.code]), rows)
    assert [row.model_id for row, _ in answer.context["rows"]] == ["lab/small"]


def test_a_reader_looks_and_changes_nothing(client: Client, viewer: User, roster: Roster, project: Project) -> None:
    client.force_login(viewer)
    page = reverse("sessions:roster", args=[roster.code])
    assert client.get(page).status_code == 200
    assert client.post(page, form({"model_id": "demo/atlas"}, roster_name="X", go="save")).status_code == 403
    assert client.get(new(project)).status_code == 403
    assert client.post(reverse("sessions:delete_roster", args=[roster.code])).status_code == 403


def test_a_stranger_finds_no_roster(client: Client, stranger: User, roster: Roster) -> None:
    client.force_login(stranger)
    for name in ("roster", "roster_yaml"):
        assert client.get(reverse(f"sessions:{name}", args=[roster.code])).status_code == 404


def test_a_roster_is_deleted(as_member: Client, roster: Roster) -> None:
    as_member.post(reverse("sessions:delete_roster", args=[roster.code]))
    assert not Roster.objects.exists()


def test_many_rosters_cost_no_more_queries_than_one(
    as_member: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        save_roster(project, f"House {number}", factories.seats())
    with django_assert_max_num_queries(12):
        as_member.get(reverse("sessions:rosters", args=[project.slug]))


def test_yaml_goes_out_and_comes_back_the_same(as_member: Client, roster: Roster) -> None:
    text = as_member.get(reverse("sessions:roster_yaml", args=[roster.code])).content.decode()
    assert from_yaml(text) == ("House", seats_of_roster(roster))


def test_yaml_opens_in_the_editor_and_says_what_would_change(
    as_member: Client, roster: Roster, project: Project
) -> None:
    upload = SimpleUploadedFile("house.yaml", TEXT.encode())
    answer = as_member.post(reverse("sessions:import_roster", args=[project.slug]), {"file": upload})
    assert [row.model_id for row, _ in answer.context["rows"]] == ["demo/atlas", "demo/birch"]
    assert "Saving replaces" in words(answer)
    assert "New: Attack, Rest." in words(answer)
    assert len(seats_of_roster(Roster.objects.get())) == 3


def test_a_model_that_is_not_here_is_shown_as_a_seat_without_one(as_member: Client, project: Project) -> None:
    factories.demo_models()
    text = "name: X\nseats: [{model: far/away, name: Far}]"
    answer = as_member.post(reverse("sessions:import_roster", args=[project.slug]), {"text": text})
    assert "far/away (not available)" in words(answer)
    assert "not in the registry" in words(answer)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: [", "This is not YAML at line 1."),
        ("just words", "has a name and seats"),
        ("name: X", "seats: "),
        ("name: X\nseats: []", "seats: "),
        ("name: X\nseats: [{model: a, name: A, role: judge}]", "seats.1.role: "),
        ("name: X\nseats: [{name: A}]", "seats.1.model: "),
        ("name: X\nseats: [{model: a, name: A, key: sk-1}]", "seats.1.key: "),
        ("name: X\nseats: [&a {model: a, name: A}, *a]", "no anchors and references"),
        ("!!python/object/apply:os.system ['true']", "This is not YAML at line 1."),
        ("x" * 100_001, "at most 100,000 characters"),
    ],
)
def test_what_is_no_roster_says_where(text: str, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        from_yaml(text)
    assert sentence in refused.value.sentence


def test_yaml_holds_only_what_was_set() -> None:
    text = to_yaml("House", [Seat(name="One", model_id="a/b"), Seat(name="Two", model_id="c", temperature=0.2)])
    assert yaml.safe_load(text) == {
        "name": "House",
        "seats": [
            {"name": "One", "role": "reviewer", "model": "a/b"},
            {"name": "Two", "role": "reviewer", "model": "c", "temperature": 0.2},
        ],
    }
