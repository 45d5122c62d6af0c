"""The page of one session: what it shows in each state, its live fragments, its buttons."""

from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.models import Event, Project, Session
from sessions.views.room import BUTTONS, PARTS, TOUCHED
from sessions.views.timeline import ANNOUNCED, SENTENCES
from tests import factories
from tests.markup import EVIL, dangers


@pytest.fixture
def as_owner(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def page_of(client: Client, session: Session) -> str:
    return client.get(reverse("sessions:detail", args=[session.code])).content.decode()


def live(client: Client, session: Session, after: int | str) -> Any:
    return client.get(reverse("sessions:live", args=[session.code]) + f"?after={after}", headers={"HX-Request": "true"})


def last_seq(session: Session) -> int:
    return Event.objects.filter(session=session).order_by("-seq").values_list("seq", flat=True)[0]


def press(client: Client, session: Session, action: str) -> Any:
    return client.post(reverse(f"sessions:{action}", args=[session.code]))


def test_a_finished_review_says_who_answered_and_what_was_found(as_owner: Client, reviewed: Session) -> None:
    page = page_of(as_owner, reviewed)
    for words in ("Completed", "2 of 3 answered: C timed out", "F-001", "Rounding", "quote found", "Fix <a"):
        assert words in page


def test_a_finding_shows_each_wording_and_leads_to_its_line(as_owner: Client, reviewed: Session) -> None:
    page = page_of(as_owner, reviewed)
    artifact = reviewed.sources.get().version.artifact
    assert f"{reverse('sessions:artifact', args=[artifact.code])}?version=1&amp;at=2#at" in page
    assert "A-1 · critical" in page
    assert "B-1 · major" in page


def test_simulated_is_said(as_owner: Client, reviewed: Session) -> None:
    assert "Simulated: no model read this file." in page_of(as_owner, reviewed)


def test_a_review_by_real_models_is_not_called_simulated(as_owner: Client, owner: User, project: Project) -> None:
    factories.real_model()
    session = factories.draft(owner, project, seats=factories.seats("lab/large"))
    assert "imulated" not in page_of(as_owner, session).replace("unless simulated", "")


def test_an_unknown_price_is_said(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.ask(session, "A", "review/a", cost=None)
    assert "price unknown for some models" in page_of(as_owner, session)


def test_a_draft_offers_to_start(as_owner: Client, owner: User, project: Project) -> None:
    page = page_of(as_owner, factories.draft(owner, project))
    assert "Nothing was asked yet." in page
    assert "Start</button>" in page


def test_what_arrives_is_shown_before_it_is_merged(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "B", factories.report(title="Early bird"))
    page = page_of(as_owner, session)
    assert "Arriving, not merged" in page
    assert "Early bird" in page


def test_no_findings_is_an_answer_that_names_who_gave_it(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A")
    factories.merge(session)
    page = page_of(as_owner, factories.finish(session))
    assert "No instance found a problem" in page


def test_a_failed_review_says_why_and_what_next(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.lose(session, "A", "no_key")
    page = page_of(as_owner, factories.finish(session, status="failed", reason="no_answers"))
    assert "No instance gave a usable answer." in page
    assert "This model has no key. Add a key to its provider." in page
    assert "Retry</button>" in page


def test_a_cap_that_was_reached_names_the_way_on(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project, soft_cap=1_000_000)
    Session.objects.filter(pk=session.pk).update(status="waiting", waiting_for="cap")
    page = page_of(as_owner, session)
    assert "soft cap of $0.0010" in page
    assert "Continue</button>" in page


def test_a_review_that_everybody_answered_has_nothing_to_retry(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    for letter in "ABC":
        factories.submit(session, letter)
    assert "Retry</button>" not in page_of(as_owner, factories.finish(session))


def test_a_reader_has_no_buttons(client: Client, viewer: User, owner: User, project: Project) -> None:
    client.force_login(viewer)
    page = page_of(client, factories.draft(owner, project))
    assert "Start</button>" not in page
    assert "Delete…" not in page


def test_erased_words_are_called_erased(as_owner: Client, reviewed: Session) -> None:
    artifact = reviewed.sources.get().version.artifact
    as_owner.post(reverse("sessions:delete_artifact", args=[artifact.code]))
    page = page_of(as_owner, reviewed)
    assert "Its words were erased." in page
    assert "Rounding" not in page


@pytest.mark.parametrize("words", EVIL)
def test_words_of_people_and_models_are_inert(words: str, as_owner: Client, owner: User, project: Project) -> None:
    version = factories.artifact(owner, project, name=f"{words}.py", text=f"{words}\n")
    session = factories.running(owner, project, version, title=words, brief=words)
    evil = factories.report(title=words, claim=words, evidence=words, suggestion=words, category=words, path=words)
    factories.submit(session, "A", evil)
    arriving = page_of(as_owner, session) + live(as_owner, session, 0).content.decode()
    factories.merge(session, ("major", ["A-1"]))
    factories.summarise(session, "A", words)
    page = page_of(as_owner, factories.finish(session))
    assert dangers(arriving + page) == []
    assert "<hx-partial" not in page


def test_finding_numbers_in_a_summary_are_links_and_the_rest_is_text(
    as_owner: Client, owner: User, project: Project
) -> None:
    session = factories.running(owner, project)
    factories.summarise(session, "A", "<b>F-001</b>")
    assert '&lt;b&gt;<a href="#F-001">F-001</a>&lt;/b&gt;' in page_of(as_owner, session)


def test_two_hundred_findings_cost_no_more_queries_than_two(
    as_owner: Client, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", *(factories.report(title=f"T{number}") for number in range(200)))
    factories.merge(session, *(("minor", [f"A-{number}"]) for number in range(1, 201)))
    factories.finish(session)
    with django_assert_max_num_queries(32):
        page = page_of(as_owner, session)
    assert "F-200" in page


# --- live fragments


def test_nothing_new_is_not_modified(as_owner: Client, reviewed: Session) -> None:
    seq = last_seq(reviewed)
    answer = live(as_owner, reviewed, seq)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", f'"{seq}"')


def test_news_brings_the_parts_it_changed_and_the_new_number(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    seq = last_seq(session)
    factories.submit(session, "B", factories.report())
    answer = live(as_owner, session, seq)
    text = answer.content.decode()
    sent = [part for part in PARTS if f'hx-target="#{part}"' in text]
    assert sent == ["head", "seats", "arriving", "figures"]
    assert answer.headers["ETag"] == f'"{seq + 1}"'
    assert f'id="event-{seq + 1}"' in text
    assert f'id="event-{seq}"' not in text
    assert "B raised 1 problem." in text


def test_fragments_are_told_apart_from_pages_and_kept_by_nobody(as_owner: Client, reviewed: Session) -> None:
    headers = live(as_owner, reviewed, 0).headers
    assert "HX-Request" in headers["Vary"]
    assert "no-store" in headers["Cache-Control"]


def test_fragments_are_what_the_page_shows(as_owner: Client, reviewed: Session) -> None:
    fragment = live(as_owner, reviewed, 0).content.decode()
    findings = fragment.partition('<section id="findings"')[2].partition("</hx-partial>")[0]
    assert findings in page_of(as_owner, reviewed)


@pytest.mark.parametrize("after", ["", "x", "-3", "9" * 40, "٣"])
def test_any_cursor_is_answered(after: str, as_owner: Client, reviewed: Session) -> None:
    assert live(as_owner, reviewed, after).status_code in {200, 304}


def test_a_part_that_nobody_changed_costs_no_query(
    as_owner: Client, owner: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    session = factories.running(owner, project)
    seq = last_seq(session)
    factories.tell(session, "call.started", letter="A", path="review/a", attempt=1)
    with django_assert_max_num_queries(17):
        live(as_owner, session, seq)


def test_every_part_is_touched_by_something() -> None:
    assert {part for parts in TOUCHED.values() for part in parts} | {"head"} == set(PARTS)


def test_every_kind_of_event_has_words() -> None:
    from sessions.events import KINDS

    assert set(SENTENCES) == set(KINDS)
    assert set(KINDS) >= ANNOUNCED
    assert {kind.partition(".")[0] for kind in KINDS} == set(TOUCHED)


# --- buttons


def test_start_queues_the_session(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    assert press(as_owner, session, "start").status_code == 302
    session.refresh_from_db()
    assert session.status == "queued"


def test_whoever_starts_second_sees_that_it_runs(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    answer = press(as_owner, session, "start")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "This session is running: it cannot start now." in page
    assert "Stop</button>" in page


def test_stop_keeps_what_was_answered(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(title="Kept"))
    press(as_owner, session, "stop")
    page = page_of(as_owner, session)
    assert "Stopped." in page
    assert "Kept" in page


def test_every_button_is_one_trigger() -> None:
    from sessions.states import TRIGGERS

    assert set(BUTTONS) <= set(TRIGGERS)


def test_the_json_export_is_a_file(as_owner: Client, reviewed: Session) -> None:
    answer = as_owner.get(reverse("sessions:json", args=[reviewed.code]))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="payment.json"'
    assert orjson.loads(answer.content)["code"] == str(reviewed.code)


def test_the_markdown_export_is_a_file(as_owner: Client, reviewed: Session) -> None:
    answer = as_owner.get(reverse("sessions:markdown", args=[reviewed.code]))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="payment.md"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_deleting_says_what_goes_and_leaves_nothing_to_see(as_owner: Client, reviewed: Session) -> None:
    address = reverse("sessions:delete_session", args=[reviewed.code])
    assert "2 findings" in as_owner.get(address).content.decode()
    assert as_owner.post(address).status_code == 302
    assert as_owner.get(reverse("sessions:detail", args=[reviewed.code])).status_code == 404
