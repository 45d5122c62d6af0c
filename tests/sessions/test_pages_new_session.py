"""The form that makes a review: nothing typed is lost, nothing is made twice."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.models import Artifact, Project, Provider, Roster, Session
from tests import factories
from tests.markup import EVIL, dangers


@pytest.fixture
def as_member(client: Client, member: User) -> Client:
    client.force_login(member)
    factories.demo_models()
    return client


@pytest.fixture
def address(project: Project) -> str:
    return reverse("sessions:new", args=[project.slug])


def form(**changes: Any) -> dict[str, Any]:
    """A form as a browser sends it: three seats, one file."""
    return {
        "token": "0123456789abcdef",
        "go": "draft",
        "files": SimpleUploadedFile("pay.py", factories.CODE.encode()),
        "title": "Payment",
        "brief": "Before the release.",
        "focus": "",
        "severity_floor": "minor",
        "soft_cap": "",
        "hard_cap": "2.50",
        "seat_name": ["Ann", "Ben", "Cem"],
        "seat_role": ["lead", "reviewer", "synthesizer"],
        "seat_model_id": list(factories.DEMO_IDS),
        "seat_temperature": ["", "0.3", ""],
        "seat_focus": ["", "money", ""],
        **changes,
    }


def test_the_form_is_filled_with_three_demo_models(as_member: Client, address: str) -> None:
    page = as_member.get(address).content.decode()
    assert page.count('name="seat_name" value=""') == 1  # the blank row that a script copies
    assert page.count("(simulated)") >= 9


def test_a_model_without_a_key_cannot_be_chosen(as_member: Client, address: str) -> None:
    factories.real_model()
    Provider.objects.filter(adapter="openai_wire").update(sealed_key=None)
    assert "disabled>lab/large (no key)" in as_member.get(address).content.decode()


def test_an_artifact_comes_chosen_from_its_own_page(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    code = factories.artifact(owner, project).artifact.code
    page = as_member.get(f"{address}?artifact={code}").content.decode()
    assert '<option value="review" selected>' in page


def test_a_draft_holds_what_was_typed(as_member: Client, address: str) -> None:
    answer = as_member.post(address, form())
    session = Session.objects.get()
    seats = [(seat.name, seat.role, seat.focus) for seat in session.participants.all()]
    assert answer.headers["Location"] == reverse("sessions:detail", args=[session.code])
    assert (session.status, session.title, session.params["severity_floor"]) == ("draft", "Payment", "minor")
    assert (session.soft_cap_microcredits, session.hard_cap_microcredits) == (None, 2_500_000_000)
    assert seats == [("Ann", "lead", ""), ("Ben", "reviewer", "money"), ("Cem", "synthesizer", "")]


def test_start_starts(as_member: Client, address: str) -> None:
    as_member.post(address, form(go="start"))
    assert Session.objects.get().status == "queued"


def test_chosen_artifacts_are_reviewed_or_only_read(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    judged = factories.artifact(owner, project, "a.py", "a = 1\n").artifact.code
    read = factories.artifact(owner, project, "b.py", "b = 1\n").artifact.code
    as_member.post(address, form(**{"files": "", f"use:{judged}": "review", f"use:{read}": "context"}))
    sources = [(source.version.artifact.name, source.context) for source in Session.objects.get().sources.all()]
    assert sources == [("a.py", False), ("b.py", True)]


def test_a_form_that_was_sent_twice_makes_one_review(as_member: Client, address: str) -> None:
    first = as_member.post(address, form(go="start"))
    second = as_member.post(address, form(go="start"))
    assert first.headers["Location"] == second.headers["Location"]
    assert Session.objects.count() == 1


def test_going_back_and_changing_something_makes_another(as_member: Client, address: str) -> None:
    as_member.post(address, form())
    as_member.post(address, form(title="Payment, again"))
    assert Session.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"files": ""}, "There is nothing to review."),
        ({"seat_name": ["Ann", "", "Cem"]}, "Give this instance a name"),
        ({"seat_name": ["Ann", "ann", "Cem"]}, "Two instances are called"),
        ({"seat_model_id": ["", *factories.DEMO_IDS[1:]]}, "Choose a model."),
        ({"seat_model_id": ["no/such", *factories.DEMO_IDS[1:]]}, "is not in the registry"),
        ({"seat_temperature": ["2", "", ""]}, "a number from 0 to 1"),
        ({"seat_temperature": ["nan", "", ""]}, "a number from 0 to 1"),
        ({"seat_role": ["king", "reviewer", "reviewer"]}, "Choose a role."),
        ({"hard_cap": "-1"}, "greater than or equal to 0"),
        ({"hard_cap": "much"}, "Enter a number."),
        ({"severity_floor": "all"}, "Select a valid choice."),
        ({"seat_name": [], "seat_role": [], "seat_model_id": []}, "at least one instance"),
        ({"files": SimpleUploadedFile("x.pdf", b"%PDF-1.7 x")}, "A PDF file cannot be read here yet."),
        ({"use:nonsense": "review", "files": ""}, "There is nothing to review."),
    ],
)
def test_what_has_to_be_corrected_is_said_and_everything_typed_is_kept(
    changes: dict[str, Any], words: str, as_member: Client, address: str
) -> None:
    answer = as_member.post(address, form(brief="Words to keep", **changes))
    page = answer.content.decode()
    assert 400 <= answer.status_code < 500
    assert words in page
    assert "Words to keep</textarea>" in page
    assert not Session.objects.exists()


def test_a_file_is_kept_and_chosen_when_something_else_is_wrong(as_member: Client, address: str) -> None:
    page = as_member.post(address, form(hard_cap="-1")).content.decode()
    assert f'name="use:{Artifact.objects.get().code}"' in page
    assert '<option value="review" selected>' in page


def test_somebody_elses_artifact_is_not_there(as_member: Client, stranger: User, address: str) -> None:
    foreign = factories.artifact(stranger, stranger.projects.get()).artifact.code
    answer = as_member.post(address, form(**{"files": "", f"use:{foreign}": "review"}))
    assert (answer.status_code, Session.objects.exists()) == (404, False)


def test_a_row_is_added_without_a_script(as_member: Client, address: str) -> None:
    answer = as_member.post(address, form(go="add_seat"))
    assert (answer.status_code, answer.content.decode().count('<li class="seat-row')) == (200, 5)


def test_a_row_is_removed_without_a_script(as_member: Client, address: str) -> None:
    page = as_member.post(address, form(go="remove_seat:1")).content.decode()
    assert 'value="Ben"' not in page
    assert 'value="Cem"' in page


def test_a_roster_is_saved_and_used(as_member: Client, address: str) -> None:
    as_member.post(address, form(go="save_roster", roster_name="House"))
    saved = Roster.objects.get()
    page = as_member.post(
        address, form(go="use_roster", roster=str(saved.code), seat_name=["X"], seat_role=["reviewer"])
    ).content.decode()
    assert 'value="Ben"' in page


@pytest.mark.parametrize("words", EVIL)
def test_what_was_typed_comes_back_inert(words: str, as_member: Client, address: str) -> None:
    page = as_member.post(
        address, form(title=words, brief=words, seat_name=[words, words, words], hard_cap=words, text=words)
    ).content.decode()
    assert dangers(page) == []
