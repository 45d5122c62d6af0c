"""A deliberation from the form to its decision in a real browser: watched to its end, then clean in every look."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_live import completed, fill

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RULES = (Path(__file__).parent / "looks.js").read_text()
LOOKS = [("light", 1440, 900), ("dark", 1440, 900), ("light", 390, 844), ("dark", 390, 844)]
SECONDS = 60_000


def faults_in(page: Page, problems: Callable[[Page], list[str]]) -> dict[str, list[str]]:
    """By look, what axe and the rules of the style guide object to."""
    found = {}
    for scheme, width, height in LOOKS:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": height})
        found[f"{scheme} {width}"] = [*problems(page), *map(json.dumps, page.evaluate(RULES))]
    return {look: told for look, told in found.items() if told}


def test_a_deliberation_is_started_watched_to_its_end_and_clean(
    page: Page, problems: Callable[[Page], list[str]]
) -> None:
    fill(page)
    page.get_by_role("button", name="Deliberation", exact=True).click()
    page.get_by_role("button", name="Start deliberation").click()
    page.wait_for_url("**/sessions/**")
    verdict = page.locator("#verdict-heading")
    expect(verdict).to_contain_text("Round 2 of at most 3 is under way", timeout=SECONDS)
    running = faults_in(page, problems)
    completed(page)
    expect(verdict).to_contain_text("after")
    page.locator("#how > summary").click()
    page.locator("#tracker-table > summary").click()
    assert (running, faults_in(page, problems)) == ({}, {})
    page.locator(".stances tbody a").first.click()
    expect(page.get_by_role("heading", name="Positions")).to_be_visible()
    assert faults_in(page, problems) == {}
