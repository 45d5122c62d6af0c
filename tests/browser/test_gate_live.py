"""A gate and "Needs you" as people watch them: what somebody else does comes by itself and takes nothing away."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.conftest import Server
from tests.browser.test_live import completed, link_state, start

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SECONDS = 15_000
WHY = "We fixed it on the branch and release from there."


@pytest.fixture(scope="module")
def code(chromium: Browser, server: Server, signed_in: Any) -> str:
    """A finished review on whose gate somebody has to decide."""
    context = chromium.new_context(base_url=server.address, storage_state=signed_in)
    page = context.new_page()
    start(page)
    completed(page)
    found = re.search(r"/sessions/([0-9a-f-]{36})/", page.url)
    assert found is not None
    page.goto(f"/sessions/{found[1]}/gate/")
    page.get_by_label("Policy", exact=True).select_option("standard")
    page.get_by_role("button", name="Ask for a gate").click()
    expect(page.get_by_role("button", name="Confirm the fail")).to_be_visible()
    context.close()
    return found[1]


@pytest.fixture
def approver(chromium: Browser, server: Server, approving: Any) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.address, storage_state=approving)
    yield context
    context.close()


@pytest.fixture
def watching(approver: BrowserContext, code: str) -> Page:
    """The approver looks at the gate."""
    page = approver.new_page()
    page.goto(f"/sessions/{code}/gate/")
    link_state(page, "Live")
    return page


def press(page: Page, code: str, name: str) -> None:
    page.goto(f"/sessions/{code}/gate/")
    page.get_by_role("button", name=name).click()


def test_what_another_person_decides_is_shown_at_once_and_what_was_typed_comes_back(
    page: Page, watching: Page, code: str
) -> None:
    watching.locator("#gate-box summary").click()
    watching.locator("#reason").fill(WHY)
    watching.locator("#reason").focus()
    press(page, code, "Confirm the fail")
    expect(watching.locator(".gate-moved")).to_contain_text(
        "Changed while you looked. Approved the gate", timeout=SECONDS
    )
    expect(watching.locator("#gate-box-head")).to_be_focused()
    expect(watching.locator("#announcer")).to_contain_text("Approved the gate")
    press(page, code, "Take it back")
    expect(watching.locator("#reason")).to_have_value(WHY, timeout=SECONDS)
    expect(watching.locator("#reason")).to_be_visible()
    expect(watching.locator("#reason")).to_be_focused()


def test_a_decision_is_about_what_stands_there_after_the_evidence_changed(
    page: Page, watching: Page, code: str
) -> None:
    shown = watching.locator("#gate-box input[name=shown]").first
    before = shown.input_value()
    watching.locator("#gate-box summary").click()
    watching.locator("#reason").fill(WHY)
    page.goto(f"/sessions/{code}/?f=F-001")
    page.get_by_role("button", name="Severity, merge, split").click()
    severity = page.locator("#detail form", has=page.locator("select[name=severity]"))
    rated = severity.locator("select")
    rated.select_option("critical" if rated.input_value() == "blocker" else "blocker")
    severity.get_by_role("button").click()
    expect(shown).not_to_have_value(before, timeout=SECONDS)
    expect(watching.locator("#reason")).to_have_value(WHY)


def test_needs_you_shows_what_needs_somebody_now_and_asks_only_when_it_is_told(
    page: Page, approver: BrowserContext, code: str
) -> None:
    inbox = approver.new_page()
    inbox.goto("/inbox/")
    link_state(inbox, "Live")
    title = inbox.locator(f"#inbox a[href='/sessions/{code}/gate/']").first
    expect(inbox.locator("#inbox section").first).to_contain_text("waits since")
    before = inbox.locator("#rail-inbox .count").inner_text()
    asked: list[Request] = []
    inbox.on("request", lambda request: asked.append(request))
    inbox.wait_for_timeout(6_000)  # longer than a page without a socket would wait
    assert asked == []
    press(page, code, "Confirm the fail")
    expect(inbox.locator("#announcer")).to_have_text(
        re.compile("need you now|needs you now|Nothing waits"), timeout=SECONDS
    )
    expect(title).to_be_visible()  # among the last decisions
    assert inbox.locator("#rail-inbox").inner_text() != f"Needs you\n{before}"
    press(page, code, "Take it back")
    expect(inbox.locator("#rail-inbox .count")).to_have_text(before, timeout=SECONDS)
    inbox.close()


def test_the_gate_has_no_problem_that_axe_finds(watching: Page, problems: Any) -> None:
    assert problems(watching) == []
