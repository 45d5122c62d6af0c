"""The page of a certification: criteria against instances, the verdict, and the certificate."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.standards import create_standard
from sessions.models import Project, Session
from sessions.views.criteria import vetoes
from tests import factories
from tests.markup import dangers


@pytest.fixture
def as_owner(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    return factories.certified(owner, project)


def page_of(client: Client, session: Session) -> str:
    response = client.get(reverse("sessions:detail", args=[session.code]))
    assert response.status_code == 200
    return response.content.decode()


def test_it_shows_every_criterion_with_what_every_instance_says(as_owner: Client, session: Session) -> None:
    page = page_of(as_owner, session)
    assert page.count('id="criterion-A-') == 2
    assert "Certified (with dissent). Certifies: A, B; Refuses: C; Abstains: nobody." in page
    assert page.count("Because of the words.") == 6
    assert page.count("Found in the artifact, line 3") == 6


def test_what_speaks_against_certifying_comes_first_and_is_open(as_owner: Client, session: Session) -> None:
    page = page_of(as_owner, session)
    assert page.index('id="criterion-A-2"') < page.index('id="criterion-A-1"')
    assert page.count("<details open>") == 1


def test_the_certificate_stands_beside_it(as_owner: Client, session: Session) -> None:
    page = page_of(as_owner, session)
    assert reverse("sessions:certificate", args=[session.code]) in page
    assert reverse("verify", args=[session.certificates.get().pk]) in page


def test_a_superseded_certificate_says_why(as_owner: Client, session: Session, owner: User, project: Project) -> None:
    factories.artifact(owner, project, text="newer = True\n")
    assert "What was judged has a newer version." in page_of(as_owner, session)


def test_without_a_certificate_it_says_why(as_owner: Client, owner: User, project: Project) -> None:
    session = factories.certified(owner, project, "not_met", "not_met", "met", rule="unanimous")
    page = page_of(as_owner, session)
    assert "No certificate" in page
    assert "Fewer certify than the rule asks for." in page
    assert "Download JSON" not in page


def test_vetoes_are_listed_by_criterion() -> None:
    cast = [
        {"criterion": "A-2", "letter": "A"},
        {"criterion": "A-1", "letter": "A"},
        {"criterion": "A-2", "letter": "C"},
    ]
    assert vetoes({"vetoes": cast}) == [("A-2", ["A", "C"]), ("A-1", ["A"])]


def test_a_draft_shows_what_will_be_asked(as_owner: Client, owner: User, project: Project) -> None:
    new = NewSession(
        "certification", factories.seats(), [factories.artifact(owner, project)], params={"standard": "policy-text"}
    )
    page = page_of(as_owner, create_session(Actor(owner), project, new))
    assert "Every duty names who has to act, by role, and by when." in page
    assert "Start asks every instance." in page


def test_nothing_of_a_review_is_offered(as_owner: Client, session: Session) -> None:
    page = page_of(as_owner, session)
    for words in ("Review the new version", "Certify this", "Export SARIF", "Save as template", "Who saw which"):
        assert words not in page


def test_it_can_be_run_again_with_something_changed(as_owner: Client, session: Session) -> None:
    again = f"{reverse('sessions:new', args=[session.project.slug])}?from={session.code}"
    assert again in page_of(as_owner, session)
    page = as_owner.get(again).content.decode()
    assert '<option value="payment-code:1" selected>' in page
    assert '<option value="supermajority" selected>' in page


def test_every_cell_leads_to_what_the_instance_says(as_owner: Client, session: Session) -> None:
    page = page_of(as_owner, session)
    for cell in ("A-1-A", "A-1-B", "A-2-C"):
        assert f'href="#said-{cell}"' in page
        assert f'id="said-{cell}" tabindex="-1"' in page
    assert 'aria-label="C on A-2: Not met"' in page


def test_the_live_view_sends_the_head_and_the_matrix(as_owner: Client, session: Session) -> None:
    address = reverse("sessions:live", args=[session.code])
    fragment = as_owner.get(f"{address}?after=3").content.decode()
    assert [part in fragment for part in ('hx-target="#head"', 'hx-target="#certification"')] == [True, True]
    assert 'hx-target="#detail"' not in fragment
    assert "C: refuses" in fragment


def test_the_timeline_says_what_happened(as_owner: Client, session: Session) -> None:
    page = as_owner.get(f"{reverse('sessions:detail', args=[session.code])}?tab=timeline").content.decode()
    assert "Verdict: certified" in page
    assert "The certificate was issued" in page


def test_words_of_a_standard_are_inert(as_owner: Client, owner: User, project: Project) -> None:
    hostile = '<img src=x onerror="alert(1)"> {{ 7|add:7 }} {% now "Y" %}'
    create_standard(Actor(owner), project, f"Own {hostile}", [{"id": "X-1", "text": hostile}])
    new = NewSession(
        "certification",
        factories.seats(),
        [factories.artifact(owner, project)],
        params={"standard": project.standards.get(name__startswith="Own").key},
    )
    page = page_of(as_owner, create_session(Actor(owner), project, new))
    assert dangers(page) == []
    assert "{{ 7|add:7 }}" in page


def test_the_page_takes_a_bounded_number_of_queries(
    as_owner: Client, session: Session, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(20):
        page_of(as_owner, session)


def test_analytics_knows_the_stage(as_owner: Client, session: Session) -> None:
    factories.ask(session, "A", "certify/a")
    page = as_owner.get(reverse("sessions:analytics", args=[session.code]))
    assert page.status_code == 200
    assert "Certification" in page.content.decode()
