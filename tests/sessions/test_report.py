"""The report of a session: for members, and by links that end."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.projects import remove_member, set_member
from sessions.actions.purge import delete_session
from sessions.actions.sharing import MAX_OPEN, find_link, share_report
from sessions.models import Project, ReportLink, Role, Session
from sessions.reports.html import html_of
from tests import factories


@pytest.fixture
def session(owner: User, project: Project) -> Session:
    session = factories.running(owner, project, title="Launch <b>check</b>")
    factories.ask(session, "A", "review/a")
    factories.submit(
        session, "A", factories.report(title="Total ignores currency", claim="See <script>alert(1)</script>")
    )
    factories.merge(session, ("major", ["A-1"]))
    factories.finish(session)
    return session


def shared(actor: User, session: Session, *, public: bool = False) -> str:
    return f"/reports/{share_report(Actor(actor), session, public=public)[1]}/"


def test_the_page_shows_the_document_with_everybodys_words_as_words(
    client: Client, owner: User, session: Session
) -> None:
    client.force_login(owner)
    page = client.get(f"/sessions/{session.code}/report/").content.decode()
    assert "Total ignores currency</h3>" in page
    assert "Launch &lt;b&gt;check&lt;/b&gt;</h1>" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "![x](http://elsewhere/x.png)", "[x](javascript:alert(1))", "http://a.example"],
)
def test_nothing_in_markdown_is_run_or_fetched(text: str) -> None:
    assert not re.search(r"<(?:img|script|a)\b", html_of(text))


def test_a_link_is_shown_once_and_leads_to_the_report_alone(client: Client, owner: User, session: Session) -> None:
    client.force_login(owner)
    reply = client.post(f"/sessions/{session.code}/report/share/", {"days": "7", "who": "everybody"}).content.decode()
    (address,) = re.findall(r"http://testserver(/reports/[\w-]+/)", reply)
    assert address not in client.get(f"/sessions/{session.code}/report/").content.decode()
    page = Client().get(address)
    assert page.status_code == 200
    assert "Total ignores currency" in page.content.decode()
    assert "/sessions/" not in page.content.decode()
    assert page["Referrer-Policy"] == "no-referrer"


def test_a_link_that_is_not_public_wants_somebody_signed_in(
    client: Client, owner: User, stranger: User, session: Session
) -> None:
    address = shared(owner, session)
    assert client.get(address)["Location"] == f"/accounts/login/?next={address}"
    client.force_login(stranger)
    assert client.get(address).status_code == 200
    assert client.get(f"/sessions/{session.code}/").status_code == 404


def test_a_link_that_was_taken_back_shows_nothing(client: Client, owner: User, session: Session) -> None:
    address = shared(owner, session, public=True)
    link = ReportLink.objects.get()
    client.force_login(owner)
    client.post(f"/sessions/{session.code}/report/{link.code}/revoke/")
    assert Client().get(address).status_code == 404


def test_a_link_ends(client: Client, owner: User, session: Session) -> None:
    address = shared(owner, session, public=True)
    ReportLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(address).status_code == 404


def test_a_link_ends_with_its_session(owner: User, session: Session) -> None:
    address = shared(owner, session, public=True)
    delete_session(Actor(owner), session)
    assert Client().get(address).status_code == 404
    assert not ReportLink.objects.exists()


def test_a_link_ends_when_whoever_made_it_leaves(owner: User, member: User, session: Session) -> None:
    _, token = share_report(Actor(member), session)
    assert find_link(token) is not None
    remove_member(Actor(owner), session.project, member)
    assert find_link(token) is None


def test_only_who_manages_shows_it_to_everybody(owner: User, member: User, session: Session) -> None:
    with pytest.raises(Refused, match="denied"):
        share_report(Actor(member), session, public=True)
    set_member(Actor(owner), session.project, member, Role.MODERATOR)
    assert share_report(Actor(member), session, public=True)


def test_links_are_not_made_without_end(owner: User, session: Session) -> None:
    with pytest.raises(Refused, match="bad_lifetime"):
        share_report(Actor(owner), session, 365)
    for _ in range(MAX_OPEN):
        share_report(Actor(owner), session)
    with pytest.raises(Refused, match="too_many_links"):
        share_report(Actor(owner), session)


def test_a_reader_makes_no_links(client: Client, viewer: User, session: Session) -> None:
    client.force_login(viewer)
    assert client.get(f"/sessions/{session.code}/report/").status_code == 200
    assert client.post(f"/sessions/{session.code}/report/share/", {"days": "7"}).status_code == 403


@pytest.mark.parametrize("token", ["x", "a" * 400, "%00"])
def test_an_unknown_link_is_not_found(client: Client, db: None, token: str) -> None:
    assert client.get(f"/reports/{token}/").status_code == 404
