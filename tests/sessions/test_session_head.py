"""Every tab of a session has the same head and the same tabs, whatever its kind and however far it is."""

import re

import pytest
from django.test import Client

from sessions.models import Project, Session
from sessions.people import User
from sessions.seeding import OWNER_EMAIL, seed
from tests import factories

TABS = {
    "review": ["Review", "Timeline", "Replay", "Analytics", "Gate", "Report"],
    "deliberation": ["Deliberation", "Findings", "Timeline", "Replay", "Analytics", "Gate", "Report"],
    "certification": ["Certification", "Timeline", "Replay", "Analytics", "Gate", "Report"],
}


def parts_of(page: str) -> tuple[str, str, str]:
    """Breadcrumb, head and tabs, without what has to differ: form tokens, the clock, and which tab is shown."""
    crumbs = page.partition('<nav class="crumbs"')[2].partition("</nav>")[0]
    head = page.partition('<header id="head"')[2].partition("</header>")[0]
    tabs = page.partition('id="tabs"')[2].partition("</nav>")[0]
    head = re.sub(r'name="csrfmiddlewaretoken" value="\w+"|(?<=">)[^<]* s(?=</span>)', "", head).replace(
        " btn-primary", ""
    )
    return crumbs, head, re.sub(r'( aria-current="page")|(\s*<button.*</button>)', "", tabs).strip()


def tabs_of(page: str) -> list[tuple[str, str, str]]:
    """(address, whether it is the one shown, word)"""
    return re.findall(r'<a id="tab-\w+" href="([^"]+)"( aria-current="page")?>(\w+)</a>', page)


def every_tab(client: Client, session: Session) -> dict[str, str]:
    """The page of each tab, by its word."""
    first = client.get(f"/sessions/{session.code}/").content.decode()
    return {word: client.get(address).content.decode() for address, _, word in tabs_of(first)}


def assert_one_head(pages: dict[str, str]) -> None:
    assert len({parts_of(page) for page in pages.values()}) == 1
    shown = {word: [one[2] for one in tabs_of(page) if one[1]] for word, page in pages.items()}
    assert shown == {word: [word] for word in pages}


@pytest.mark.parametrize("kind", TABS)
def test_every_tab_of_a_finished_session_has_one_head(kind: str, db: None) -> None:
    demo, client = seed(alone=True), Client()
    client.force_login(User.objects.get(email=OWNER_EMAIL))
    pages = every_tab(client, Session.objects.filter(project=demo, kind=kind).latest("created_at"))
    assert list(pages) == TABS[kind]
    assert_one_head(pages)


@pytest.mark.parametrize("status", ["draft", "running", "failed"])
def test_every_tab_of_a_review_has_one_head_before_its_end_and_after_a_failure(
    status: str, client: Client, owner: User, project: Project
) -> None:
    client.force_login(owner)
    session = factories.draft(owner, project) if status == "draft" else factories.running(owner, project)
    if status == "failed":
        factories.finish(session, "", "no_answers", status)
    pages = every_tab(client, session)
    assert ("Replay" in pages) is (status == "failed")
    assert_one_head(pages)
    assert all(page.count("btn-primary") <= 1 for word, page in pages.items() if word != "Report")


def test_what_came_new_to_a_running_analysis_reaches_its_head(client: Client, owner: User, project: Project) -> None:
    client.force_login(owner)
    address = f"/sessions/{factories.running(owner, project).code}/analytics/"
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert re.findall(r'hx-partial hx-target="#(\w+)"', part) == ["head", "tabs"]


def test_moving_through_a_replay_sends_no_head(client: Client, owner: User, reviewed: Session) -> None:
    client.force_login(owner)
    part = client.get(f"/sessions/{reviewed.code}/replay/?at=2", headers={"HX-Request": "true"}).content.decode()
    assert ('id="then"' in part, 'id="head"' in part) == (True, False)
