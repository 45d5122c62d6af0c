"""Review templates: those that come along, a project's own, and what begins with them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.templates import find_template, save_template, seats_of_template
from sessions.catalog.review_templates import REVIEW_TEMPLATES
from sessions.models import Project, SavedTemplate, Session
from sessions.seats import MAX_SEATS
from sessions.specs import ReviewParams
from tests import factories


@pytest.fixture
def api(member: User) -> Client:
    factories.demo_models()
    return factories.client(member)


@pytest.fixture
def saved(owner: User, reviewed: Session) -> SavedTemplate:
    return save_template(Actor(owner), reviewed, "House style")


@pytest.mark.parametrize("key", REVIEW_TEMPLATES)
def test_every_template_gives_three_instances_something_of_their_own(key: str) -> None:
    template = REVIEW_TEMPLATES[key]
    focuses = {seat.focus for seat in template.seats}
    assert 3 <= len(focuses) == len(template.seats) <= MAX_SEATS
    assert all(100 < len(focus) <= 2_000 for focus in focuses)
    assert ReviewParams.model_validate(template.params)


def test_a_template_takes_the_models_it_is_given_in_turn(project: Project) -> None:
    seats = seats_of_template(REVIEW_TEMPLATES["contract"], project, ["one", "two"])
    assert [seat.model_id for seat in seats] == ["one", "two", "one"]


def test_a_template_takes_the_best_there_is(project: Project) -> None:
    factories.demo_models()
    seats = seats_of_template(REVIEW_TEMPLATES["spec"], project)
    assert {seat.model_id for seat in seats} == set(factories.DEMO_IDS)


def test_without_any_model_a_template_has_no_seats(project: Project) -> None:
    with pytest.raises(Refused) as refused:
        seats_of_template(REVIEW_TEMPLATES["spec"], project)
    assert "Connect one first" in refused.value.sentence


def test_a_finished_review_is_kept_as_a_template(project: Project, reviewed: Session, saved: SavedTemplate) -> None:
    template = find_template(project, str(saved.code))
    told = [(seat.name, seat.role, seat.model_id) for seat in template.seats]
    assert told == [(seat.name, seat.role, seat.language_model_id) for seat in reviewed.participants.all()]
    assert template.params == reviewed.params


def test_a_draft_is_no_template(owner: User, project: Project) -> None:
    with pytest.raises(Refused) as refused:
        save_template(Actor(owner), factories.draft(owner, project), "Too early")
    assert "has ended" in refused.value.sentence


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_template_needs_a_name(name: str, owner: User, reviewed: Session) -> None:
    with pytest.raises(Refused) as refused:
        save_template(Actor(owner), reviewed, name)
    assert "needs a name" in refused.value.sentence


def test_two_templates_have_two_names(owner: User, reviewed: Session, saved: SavedTemplate) -> None:
    with pytest.raises(Refused) as refused:
        save_template(Actor(owner), reviewed, " House  style ")
    assert "another template" in refused.value.sentence


def test_the_template_of_another_project_is_not_there(stranger: User, saved: SavedTemplate) -> None:
    with pytest.raises(Refused) as refused:
        find_template(stranger.projects.get(), str(saved.code))
    assert refused.value.status == 404


def test_the_api_lists_the_projects_own_first(api: Client, project: Project, saved: SavedTemplate) -> None:
    listed = api.get(f"/api/v1/templates?project={project.slug}").json()["templates"]
    assert [(row["label"], row["own"]) for row in listed[:2]] == [("House style", True), ("Code change", False)]
    assert len(listed) == 7


def test_the_api_saves_renames_and_deletes(api: Client, project: Project, reviewed: Session) -> None:
    made = _send(api.post, "/api/v1/templates", session=str(reviewed.code), name="Ours").json()
    renamed = _send(api.patch, f"/api/v1/templates/{made['key']}", name="Theirs").json()
    gone = api.delete(f"/api/v1/templates/{made['key']}")
    assert (made["own"], renamed["label"], gone.status_code) == (True, "Theirs", 204)
    assert not SavedTemplate.objects.exists()


def test_a_session_begins_with_a_template(api: Client, owner: User, project: Project) -> None:
    code = str(factories.artifact(owner, project).artifact.code)
    body = {"project": project.slug, "kind": "review", "template": "security", "artifacts": [code]}
    assert _send(api.post, "/api/v1/sessions", **body).status_code == 201
    session = Session.objects.get()
    assert session.participants.first().focus == REVIEW_TEMPLATES["security"].seats[0].focus  # type: ignore[union-attr]
    assert session.params["second_opinion"] == "lone_critical"


def test_parameters_that_are_given_stand_before_those_of_the_template(
    api: Client, owner: User, project: Project
) -> None:
    code = str(factories.artifact(owner, project).artifact.code)
    body = {"project": project.slug, "kind": "review", "template": "security", "artifacts": [code]}
    _send(api.post, "/api/v1/sessions", **body, params={"second_opinion": "off"})
    assert Session.objects.get().params["second_opinion"] == "off"


def test_a_template_that_nobody_knows_is_404(api: Client, owner: User, project: Project) -> None:
    code = str(factories.artifact(owner, project).artifact.code)
    body = {"project": project.slug, "kind": "review", "template": "nonsense", "artifacts": [code]}
    assert _send(api.post, "/api/v1/sessions", **body).status_code == 404


def test_a_reader_saves_and_changes_nothing(client: Client, viewer: User, saved: SavedTemplate) -> None:
    client.force_login(viewer)
    session = Session.objects.get()
    answers = [
        client.get(reverse("sessions:save_template", args=[session.code])),
        client.post(reverse("sessions:rename_template", args=[saved.code]), {"name": "Mine"}),
        client.post(reverse("sessions:delete_template", args=[saved.code])),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_a_stranger_finds_no_template(client: Client, stranger: User, saved: SavedTemplate) -> None:
    client.force_login(stranger)
    assert client.post(reverse("sessions:delete_template", args=[saved.code])).status_code == 404


def test_the_pages_save_rename_and_delete(client: Client, member: User, project: Project, reviewed: Session) -> None:
    client.force_login(member)
    listing = reverse("sessions:templates", args=[project.slug])
    assert "Seat 2" in client.get(reverse("sessions:save_template", args=[reviewed.code])).content.decode()
    client.post(reverse("sessions:save_template", args=[reviewed.code]), {"name": "Ours"})
    code = SavedTemplate.objects.get().code
    client.post(reverse("sessions:rename_template", args=[code]), {"name": "Theirs"})
    assert "Theirs" in client.get(listing).content.decode()
    client.post(reverse("sessions:delete_template", args=[code]))
    assert "Theirs" in client.get(listing).content.decode()  # the message that it is gone
    assert not SavedTemplate.objects.exists()


def test_a_name_that_is_taken_is_said_and_kept(
    client: Client, member: User, reviewed: Session, saved: SavedTemplate
) -> None:
    client.force_login(member)
    answer = client.post(reverse("sessions:save_template", args=[reviewed.code]), {"name": "House style"})
    assert answer.status_code == 409
    assert 'value="House style"' in answer.content.decode()


def _send(method: Any, path: str, **body: Any) -> Any:
    return method(path, body, content_type="application/json")
