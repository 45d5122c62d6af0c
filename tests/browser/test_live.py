"""A review as people watch it: live, reloaded, offline, in two tabs, without sockets, without scripts."""

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from tests.browser.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CODE = """import os

def run(query):
    command = "grep " + query + " /var/log/app.log"
    return os.system(command)

def total(prices):
    result = 0.0
    for price in prices:
        result += float(price)
    try:
        return round(result, 2)
    except Exception:
        pass
"""
SECONDS = 60_000
# Everything that moved without the person's doing.
MEASURE_SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((shift) => {
    if (!shift.hadRecentInput) window.shifted += shift.value;
  })).observe({ type: "layout-shift", buffered: true });
}"""


def fill(page: Page, name: str = "tool.py") -> None:
    """A file that nobody reviewed before: a recorded result would be taken at once."""
    page.goto("/projects/demo/new/")
    text = f"{CODE}\n# {uuid4()}\n"
    page.get_by_label("Files", exact=True).set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    )
    expect(page.locator(".chosen")).to_be_visible()  # the file is there, the form was swapped


def start(page: Page) -> None:
    fill(page)
    page.get_by_role("button", name="Start review").click()
    page.wait_for_url("**/sessions/**")


def draft(page: Page) -> None:
    fill(page)
    page.get_by_role("button", name="Save as draft").click()
    page.wait_for_url("**/sessions/**")


def completed(page: Page) -> None:
    expect(page.locator("#head")).to_have_attribute("data-status", "completed", timeout=SECONDS)


def link_state(page: Page, words: str | re.Pattern[str], seconds: int = 30) -> None:
    expect(page.locator("#link-state")).to_have_text(words, timeout=seconds * 1_000)


def told(page: Page) -> str:
    """Everything the page of a session says, without the connection."""
    return page.locator("#room").inner_text()


def test_a_link_signs_in_once(chromium: Browser, server: Server) -> None:
    link = server.link()
    for heading in ("Welcome", "This link has ended"):
        page = chromium.new_context().new_page()
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        if heading == "Welcome":
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
        page.context.close()


def test_a_review_is_watched_to_its_end(page: Page) -> None:
    page.goto("/projects/demo/artifacts/")
    page.get_by_role("link", name="payment_webhooks.py").click()  # so long that instances end seconds apart
    page.get_by_role("link", name="Review this").click()
    if page.get_by_label("Ask the models afresh instead").count():
        page.get_by_label("Ask the models afresh instead").check()
    page.get_by_role("button", name="Start review").click()
    link_state(page, "Live")
    expect(page.locator(".seat-state", has_text="Thinking").first).to_be_visible()
    expect(page.locator("#tokens-A, #tokens-B, #tokens-C").first).to_contain_text("tokens")
    expect(page.locator("#arriving")).to_contain_text("Arriving, not merged", timeout=SECONDS)
    expect(page.locator(".code .landed").first).to_be_in_viewport()
    completed(page)
    expect(page.locator("#arriving")).to_have_count(0)
    expect(page.locator("#rows .finding-row").first).to_contain_text("F-0")
    expect(page.locator("#together")).to_contain_text("Together")
    expect(page.locator("#head")).to_contain_text("3 of 3 answered")
    expect(page.locator("#head")).to_contain_text("Simulated: no model read this file.")
    expect(page.locator("#announcer")).to_contain_text("Completed")


def test_nothing_jumps_while_a_review_is_watched(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    start(page)
    page.evaluate(MEASURE_SHIFTS)
    completed(page)
    page.wait_for_timeout(500)
    assert page.evaluate("shifted") < 0.02


def test_a_reload_in_the_middle_goes_on_where_it_was(page: Page) -> None:
    start(page)
    page.get_by_role("link", name="Timeline").click()
    expect(page.locator("#events li").nth(4)).to_be_attached(timeout=SECONDS)
    before = page.locator("#events li").evaluate_all("rows => rows.map(row => row.innerText)")
    page.reload()
    after = page.locator("#events li").evaluate_all("rows => rows.map(row => row.innerText)")
    assert after[: len(before)] == before
    completed(page)


def test_a_reload_at_the_end_changes_nothing(page: Page) -> None:
    start(page)
    completed(page)
    before = told(page)
    page.reload()
    assert told(page) == before
    page.get_by_role("link", name="Timeline").click()
    numbers = page.locator("#events .event-seq").all_text_contents()
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_what_was_opened_stays_open_while_news_arrives(page: Page) -> None:
    start(page)
    page.get_by_role("button", name="Export and more").click()
    page.get_by_role("link", name="Export JSON").focus()
    completed(page)
    expect(page.locator("#session-menu")).to_be_visible()
    expect(page.get_by_role("link", name="Export JSON")).to_be_focused()


def test_offline_says_so_changes_nothing_and_catches_up(page: Page, context: BrowserContext) -> None:
    start(page)
    link_state(page, "Live")
    context.set_offline(True)
    link_state(page, re.compile("^Offline, showing "))
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    expect(page.locator("#why-offline")).to_be_visible()
    page.wait_for_timeout(3_000)
    context.set_offline(False)
    link_state(page, "Live")
    expect(page.locator("#why-offline")).to_be_hidden()
    completed(page)
    shown = told(page)
    page.reload()
    assert told(page) == shown


def test_without_sockets_the_page_polls(page: Page) -> None:
    def refuse(socket: WebSocketRoute) -> None:
        socket.close()

    page.route_web_socket("**/ws/**", refuse)
    start(page)
    link_state(page, "Polling")
    completed(page)


def test_a_socket_that_does_not_answer_is_given_up(page: Page) -> None:
    opened: list[WebSocketRoute] = []
    page.route_web_socket("**/ws/**", lambda socket: opened.append(socket))  # it opens and stays silent
    page.clock.install()
    draft(page)
    link_state(page, "Live")
    page.clock.run_for(31_000)
    expect(page.locator("#link-state")).not_to_have_text("Connecting")
    page.clock.run_for(2_000)
    assert len(opened) > 1


def test_a_session_that_ended_elsewhere_sends_to_sign_in(page: Page, context: BrowserContext) -> None:
    draft(page)
    link_state(page, "Live")
    context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_url("**/accounts/login/**")


def test_two_tabs_pressing_start_start_it_once(page: Page, context: BrowserContext) -> None:
    draft(page)
    other = context.new_page()
    other.goto(page.url)
    # The other tab is slow: it has not heard of the start when it presses.
    other.evaluate("document.getElementById('head').id = 'stale'")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#head")).not_to_have_attribute("data-status", "draft")
    other.get_by_role("button", name="Start", exact=True).click()
    expect(other.get_by_role("alert")).to_contain_text("it cannot start now")
    completed(page)
    completed(other)
    assert told(page) == told(other)
    page.get_by_role("link", name="Timeline").click()
    expect(page.locator("#events code", has_text="session.started")).to_have_count(1)


def test_a_double_click_makes_one_review(page: Page) -> None:
    page.goto("/projects/demo/")
    before = page.locator(".title-cell").count()
    fill(page, "twice.py")
    page.get_by_role("button", name="Start review").dblclick(no_wait_after=True)
    # The first of two navigations is given up, which `wait_for_url` takes for an error.
    expect(page).to_have_url(re.compile("/sessions/"), timeout=SECONDS)
    page.goto("/projects/demo/")
    assert page.locator(".title-cell", has_text="twice.py").count() == 1
    assert page.locator(".title-cell").count() <= before + 1


def test_stop_keeps_what_was_answered(page: Page) -> None:
    start(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#head")).to_have_attribute("data-status", "cancelled")
    expect(page.locator("#head")).to_contain_text("Stopped.")
    page.get_by_role("button", name="Retry").click()
    completed(page)


def test_enter_in_a_field_starts_nothing(page: Page) -> None:
    fill(page)
    page.locator("#customise > summary").click()
    page.get_by_label("Title").fill("Careful")
    page.get_by_label("Title").press("Enter")
    page.wait_for_timeout(300)
    assert "/new/" in page.url


def test_a_review_runs_without_scripts(chromium: Browser, server: Server, signed_in: Any) -> None:
    context = chromium.new_context(base_url=server.address, storage_state=signed_in, java_script_enabled=False)
    page = context.new_page()
    page.goto("/projects/demo/new/")
    text = f"{CODE}\n# {uuid4()}\n".encode()
    page.get_by_label("Files", exact=True).set_input_files({"name": "t.py", "mimeType": "text/plain", "buffer": text})
    page.get_by_role("button", name="Go on with these files").click()
    page.get_by_role("button", name="Start review").click()
    for _ in range(100):
        if page.locator("#head[data-status=completed]").count():
            break
        page.wait_for_timeout(300)
        page.reload()
    page.locator("#rows .finding-row").first.click()
    expect(page.locator("#detail .quote")).to_be_visible()
    expect(page.locator(".code .at").first).to_be_attached()
    page.get_by_role("button", name="To fix").click()
    expect(page.locator("#detail .decided")).to_contain_text("To fix by ")
    page.get_by_label("Comment on F-001").fill("Without a script.")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".comments")).to_contain_text("Without a script.")
    context.close()
