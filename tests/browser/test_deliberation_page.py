"""A deliberation from the form to its decision in a real browser: watched to its end, then clean in every look."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Looks
from tests.browser.test_live import completed, fill

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SECONDS = 60_000


def test_a_deliberation_is_started_watched_to_its_end_and_clean(page: Page, in_every_look: Looks) -> None:
    fill(page)
    page.get_by_role("button", name="Deliberation", exact=True).click()
    page.get_by_role("button", name="Start deliberation").click()
    page.wait_for_url("**/sessions/**")
    verdict = page.locator("#verdict-heading")
    expect(verdict).to_contain_text("Round 2 of at most 3 is under way", timeout=SECONDS)
    running = in_every_look(page)
    completed(page)
    expect(verdict).to_contain_text("after")
    page.locator("#how > summary").click()
    page.locator("#tracker-table > summary").click()
    assert (running, in_every_look(page)) == ({}, {})
    page.locator(".stances tbody a").first.click()
    expect(page.get_by_role("heading", name="Positions")).to_be_visible()
    assert in_every_look(page) == {}
