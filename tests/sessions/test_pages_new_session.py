"""The form that makes a review: nothing typed is lost, nothing is made twice."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import rosters
from sessions.catalog.best import best_seats, registry
from sessions.models import Artifact, LanguageModel, Project, Provider, Repository, Roster, Session
from sessions.views.drafting import usual_seats
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


def test_everything_is_preset_but_the_file(as_member: Client, address: str) -> None:
    page = as_member.get(address).content.decode()
    assert page.count('<li class="roster-seat') == 3
    assert 'aria-pressed="true">Best of what you have' in page
    assert 'aria-pressed="true">Everything' in page
    assert "Bring a file first." in page


def test_types_that_are_not_built_are_shown_and_cannot_be_chosen(as_member: Client, address: str) -> None:
    page = as_member.get(address).content.decode()
    assert page.count("not built yet") == 2
    assert page.count('name="kind"') == 5
    assert re.findall(r'name="kind" value="(\w+)" checked', page) == ["review"]


def test_a_model_without_a_key_is_offered_with_what_is_missing(as_member: Client, address: str) -> None:
    factories.real_model()
    Provider.objects.filter(adapter="openai_wire").update(sealed_key=None)
    assert "lab/large (no key)" in as_member.get(address).content.decode()


def test_a_seat_without_a_working_model_is_said_with_a_way_out_and_never_started(
    as_member: Client, address: str
) -> None:
    factories.real_model()
    Provider.objects.filter(adapter="openai_wire").update(sealed_key=None)
    answer = as_member.post(address, form(go="start", seat_model_id=["lab/large", *factories.DEMO_IDS[1:]]))
    page = answer.content.decode()
    assert (answer.status_code, Session.objects.exists()) == (400, False)
    assert "cannot answer" in page
    assert "has no key" in page


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
        ({"seat_name": ["Ann", "x" * 81, "Cem"]}, "Give this instance a name"),
        ({"seat_name": ["Ann", "ann", "Cem"]}, "Two instances are called"),
        ({"seat_model_id": ["", *factories.DEMO_IDS[1:]]}, "Choose a model."),
        ({"seat_model_id": ["no/such", *factories.DEMO_IDS[1:]]}, "is not in the registry"),
        ({"seat_temperature": ["2", "", ""]}, "a number from 0 to 1"),
        ({"seat_temperature": ["nan", "", ""]}, "a number from 0 to 1"),
        ({"seat_role": ["king", "reviewer", "reviewer"]}, "Choose a role."),
        *[({"hard_cap": typed}, "Enter an amount from 0 to 100,000 dollars") for typed in ("-1", "much", "100001")],
        ({"hard_cap": "0.00001"}, "Enter at most four decimals."),
        *[({"max_findings": typed}, "Enter a whole number of findings, from 1 to 50.") for typed in ("0", "51", "x")],
        ({"severity_floor": "all"}, "Select a valid choice."),
        ({"seat_name": [], "seat_role": [], "seat_model_id": []}, "at least one instance"),
        ({"files": SimpleUploadedFile("x.pdf", b"%PDF-1.7 x")}, "This PDF is damaged"),
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


def test_a_seat_is_added_without_a_script(as_member: Client, address: str) -> None:
    answer = as_member.post(address, form(go="add"))
    assert (answer.status_code, answer.content.decode().count('<li class="roster-seat')) == (200, 4)


def test_a_seat_is_removed_without_a_script(as_member: Client, address: str) -> None:
    page = as_member.post(address, form(go="remove:1")).content.decode()
    assert 'value="Ben"' not in page
    assert 'value="Cem"' in page


def test_a_seat_without_a_name_is_called_after_its_model(as_member: Client, address: str) -> None:
    as_member.post(address, form(seat_name=["Ann", "", "Cem"]))
    assert [seat.name for seat in Session.objects.get().participants.all()] == ["Ann", "birch", "Cem"]


def test_a_seat_does_not_keep_the_name_of_a_model_that_sat_there(as_member: Client, address: str) -> None:
    as_member.post(address, form(seat_name=["birch", "cedar 2", "Cem"]))
    assert [seat.name for seat in Session.objects.get().participants.all()] == ["atlas", "birch", "Cem"]


def test_a_roster_is_saved_and_used(as_member: Client, address: str) -> None:
    as_member.post(address, form(go="save_roster", roster_name="House"))
    saved = Roster.objects.get()
    page = as_member.post(
        address,
        form(go=f"roster:{saved.code}", seat_name=["X"], seat_role=["reviewer"], seat_model_id=[factories.DEMO_IDS[0]]),
    ).content.decode()
    assert 'value="Ben"' in page
    assert 'aria-pressed="true">House' in page


def test_what_is_dropped_leads_to_an_address_that_can_be_reloaded(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"go": "drop", "files": SimpleUploadedFile("pay.py", factories.CODE.encode())})
    code = Artifact.objects.get().code
    assert answer.headers["Location"] == f"{address}?artifact={code}"
    assert "pay.py" in as_member.get(answer.headers["Location"]).content.decode()


def test_a_dropped_folder_names_what_it_passed_over(as_member: Client, address: str) -> None:
    files = [SimpleUploadedFile("pay.py", b"a = 1\n"), SimpleUploadedFile("package-lock.json", b"{}")]
    paths = ["app/pay.py", "app/package-lock.json"]
    dropped = {"go": "drop", "files": files, "files_path": paths, "files_skipped": ["app/node_modules"]}
    page = as_member.post(address, dropped, follow=True).content.decode()
    assert "2 passed over, not sent" in page
    assert "app/package-lock.json" in page
    assert "app/node_modules" in page


def test_nothing_readable_is_said_with_its_reason(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"go": "drop", "files": SimpleUploadedFile("x.bin", b"\x00\x01\x02" * 99)})
    assert answer.status_code == 422
    assert "x.bin: It holds binary data, not text." in answer.content.decode()


def test_pasted_text_is_reviewed(as_member: Client, address: str) -> None:
    answer = as_member.post(address, {"go": "drop", "text": "def f():\n    return 1\n"})
    assert "?artifact=" in answer.headers["Location"]
    assert Artifact.objects.get().name == "pasted.txt"


def test_a_script_is_sent_to_the_session_as_a_browser_is(as_member: Client, address: str) -> None:
    answer = as_member.post(address, form(go="start"), headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == reverse("sessions:detail", args=[Session.objects.get().code])


def test_an_edit_keeps_the_address_true(as_member: Client, owner: User, project: Project, address: str) -> None:
    code = factories.artifact(owner, project).artifact.code
    edited = form(**{"files": "", f"use:{code}": "review", "go": "add"})
    answer = as_member.post(address, edited, headers={"HX-Request": "true"})
    assert answer.headers["HX-Replace-Url"] == f"{address}?artifact={code}"


def test_start_says_who_receives_what(as_member: Client, owner: User, project: Project, address: str) -> None:
    factories.real_model(input_price=Decimal(1), output_price=Decimal(2))
    code = factories.artifact(owner, project).artifact.code
    page = as_member.post(
        address,
        form(**{"files": "", f"use:{code}": "review", "go": "", "seat_model_id": ["lab/large"], "seat_name": ["L"]}),
    ).content.decode()
    assert "Sends pay.py (5 lines) to 127.0.0.1:9" in page


def test_likely_secrets_are_agreed_to_before_they_are_sent(as_member: Client, address: str) -> None:
    factories.real_model()
    key = "AKIA" + "ABCDEFGH12345678"
    sent = {
        "files": SimpleUploadedFile("conf.py", f'KEY = "{key}"\n'.encode()),
        "hard_cap": "",
        "seat_model_id": ["lab/large", *factories.DEMO_IDS[1:]],
    }
    first = as_member.post(address, form(go="start", **sent))
    page = first.content.decode()
    assert (first.status_code, Session.objects.exists()) == (422, False)
    assert "conf.py:1</code> AWS access key" in page
    assert key not in page
    agreed = re.findall(r'name="agreed" value="(\w+)"', page)[0]
    sent["files"] = SimpleUploadedFile("conf.py", f'KEY = "{key}"\n'.encode())
    as_member.post(address, form(go="start", agreed=agreed, **sent))
    assert Session.objects.get().status == "queued"


def test_demo_models_send_no_secret_anywhere(as_member: Client, address: str) -> None:
    secret = SimpleUploadedFile("conf.py", b'KEY = "AKIAABCDEFGH12345678"\n')
    as_member.post(address, form(go="start", files=secret))
    assert Session.objects.get().status == "queued"


def test_a_template_gives_each_seat_its_focus_and_keeps_what_was_typed(as_member: Client, address: str) -> None:
    page = as_member.post(address, form(go="template:security", brief="Keep this")).content.decode()
    assert "Untrusted input" in page
    assert "Keep this</textarea>" in page
    assert 'value="lone_critical" selected' in page
    assert re.search(r'aria-pressed="true">\s*Security', page)


def test_a_template_that_is_not_there_is_refused(as_member: Client, address: str) -> None:
    assert as_member.get(f"{address}?template=nonsense").status_code == 404


def test_again_is_filled_with_what_that_review_had(
    as_member: Client, project: Project, reviewed: Session, address: str
) -> None:
    page = as_member.get(f"{address}?from={reviewed.code}").content.decode()
    assert page.count('<li class="roster-seat') == 3
    assert "Seat 2" in page
    assert '<option value="review" selected>' in page
    assert 'value="Payment"' in page


def test_a_new_version_asks_for_the_file_and_goes_on_from_the_review(
    as_member: Client, reviewed: Session, address: str
) -> None:
    page = as_member.get(f"{address}?previous={reviewed.code}").content.decode()
    assert "Drop the new version" in page
    changed = SimpleUploadedFile("pay.py", b"def pay(amount):\n    return charge(amount)\n")
    as_member.post(address, form(files=changed, previous=str(reviewed.code)))
    assert Session.objects.get(status="draft").previous == reviewed


def test_a_review_of_another_project_is_not_there(as_member: Client, stranger: User, address: str) -> None:
    foreign = factories.reviewed(stranger, stranger.projects.get())
    assert as_member.get(f"{address}?from={foreign.code}").status_code == 404
    assert as_member.get(f"{address}?previous={foreign.code}").status_code == 404


def test_the_recorded_result_is_offered_and_can_be_asked_afresh(
    as_member: Client, reviewed: Session, address: str
) -> None:
    page = as_member.get(f"{address}?from={reviewed.code}").content.decode()
    assert "The same input was answered" in page
    assert "nothing is sent, nothing is paid" in page
    code = Artifact.objects.get().code
    again = {
        "token": "t",
        "files": "",
        f"use:{code}": "review",
        "title": "Payment",
        "seat_name": ["Seat 1", "Seat 2", "Seat 3"],
        "seat_role": ["lead", "reviewer", "synthesizer"],
        "seat_model_id": list(factories.DEMO_IDS),
        "seat_temperature": ["", "", ""],
        "seat_focus": ["", "", ""],
    }
    as_member.post(address, {**again, "go": "start"})
    as_member.post(address, {**again, "go": "start", "fresh": "on"})
    reused = [session.reuses for session in Session.objects.exclude(pk=reviewed.pk).order_by("pk")]
    assert reused == [reviewed, None]


def test_one_maker_alone_is_warned_of(as_member: Client, address: str) -> None:
    factories.real_model(family="lab")
    factories.real_model("lab/small", family="lab")
    sent = form(go="", seat_name=["A", "B"], seat_role=["reviewer"] * 2, seat_model_id=["lab/large", "lab/small"],
                seat_temperature=["", ""], seat_focus=["", ""])  # fmt: skip
    assert "they tend to miss the same things" in as_member.post(address, sent).content.decode()


def test_a_model_that_was_removed_while_it_sat_in_a_roster_is_said(
    as_member: Client, project: Project, address: str
) -> None:
    model = factories.real_model()
    saved = rosters.save_roster(project, "Lab", factories.seats("lab/large"))
    LanguageModel.objects.filter(pk=model.pk).update(removed_at=timezone.now())
    page = as_member.post(address, form(go=f"roster:{saved.code}")).content.decode()
    assert "lab/large (not available)" in page
    assert "cannot answer" in page


def test_where_files_may_go_is_said_and_kept(as_member: Client, project: Project, address: str) -> None:
    factories.real_model(base_url="https://api.lab.example/v1")
    Project.objects.filter(pk=project.pk).update(local_only=True)
    sent = form(go="start", seat_model_id=["lab/large", *factories.DEMO_IDS[1:]], hard_cap="")
    answer = as_member.post(address, sent)
    page = answer.content.decode()
    assert (answer.status_code, Session.objects.exists()) == (400, False)
    assert "its files stay on servers of your own" in page


def test_what_was_guessed_in_reading_a_file_is_said_before_it_is_sent(as_member: Client, project: Project) -> None:
    page = as_member.post(
        reverse("sessions:new", args=[project.slug]),
        {"files": SimpleUploadedFile("latin.py", "café = 1".encode("latin-1")), "go": "drop"},
        follow=True,
    ).content.decode()
    assert "</strong>: It was read as Windows-1252." in page


def test_the_page_reads_the_registry_once(
    as_member: Client, member: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    factories.running(member, project)
    with django_assert_max_num_queries(15) as asked:
        as_member.get(reverse("sessions:new", args=[project.slug]))
    assert sum('FROM "crucible_sessions_modelprice"' in query["sql"] for query in asked.captured_queries) == 1


def test_the_roster_of_last_time_is_taken_while_it_is_as_good(
    as_member: Client, member: User, project: Project
) -> None:
    for maker in ("east", "west"):
        factories.real_model(f"{maker}/large", family=maker)
    LanguageModel.objects.filter(provider__adapter="openai_wire").update(checked_at=timezone.now())
    last = factories.seats("east/large", "west/large")
    factories.running(member, project, seats=last)
    assert usual_seats(Actor(member), project, registry()) == last


def test_the_best_there_is_takes_the_place_of_a_roster_with_fewer_makers(
    as_member: Client, member: User, project: Project
) -> None:
    for maker in ("east", "west"):
        factories.real_model(f"{maker}/large", family=maker)
    LanguageModel.objects.filter(provider__adapter="openai_wire").update(checked_at=timezone.now())
    factories.running(member, project, seats=factories.seats("east/large"))
    assert usual_seats(Actor(member), project, registry()) == best_seats(project)


def test_simulated_models_are_no_roster_to_go_on_with(as_member: Client, member: User, project: Project) -> None:
    factories.running(member, project)
    factories.real_model(family="lab")
    LanguageModel.objects.filter(provider__adapter="openai_wire").update(checked_at=timezone.now())
    assert {seat.model_id for seat in usual_seats(Actor(member), project, registry())} == {"lab/large"}


def test_a_pull_request_can_be_named_where_a_repository_is_set(
    as_member: Client, owner: User, project: Project, address: str
) -> None:
    assert 'name="pull_request"' not in as_member.get(address).content.decode()
    api_url = "https://code.example/api/v3"
    Repository.objects.create(project=project, name="mill/paper", api_url=api_url, changed_by=owner)
    assert 'name="pull_request"' in as_member.get(address).content.decode()
    answer = as_member.post(address, {"go": "drop", "pull_request": "nonsense"})
    assert (answer.status_code, "Write the number of a pull request" in answer.content.decode()) == (422, True)


@pytest.mark.parametrize("words", EVIL)
def test_what_was_typed_comes_back_inert(words: str, as_member: Client, address: str) -> None:
    page = as_member.post(
        address,
        form(
            title=words,
            brief=words,
            unread=words,
            agreed=words,
            seat_name=[words, words, words],
            hard_cap=words,
            text=words,
        ),
    ).content.decode()
    assert dangers(page) == []
