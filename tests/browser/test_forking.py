"""A finished deliberation is forked from its first round and replayed, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Looks
from tests.browser.test_deliberation_page import SECONDS
from tests.browser.test_live import completed

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TITLE = "Locker pickup, ready to build?"


def open_demo(page: Page) -> None:
    page.goto("/projects/demo/")
    page.get_by_role("link", name=TITLE).last.click()
    expect(page.get_by_role("heading", name=TITLE, level=1)).to_be_visible()


def test_a_fork_says_what_differs_before_it_starts_and_goes_its_own_way(page: Page, in_every_look: Looks) -> None:
    open_demo(page)
    page.get_by_role("button", name="Export and more").click()
    page.get_by_role("link", name="Fork from a round…").click()
    line, moves = page.locator("#start-line"), page.locator(".fork-moves")
    expect(line).to_have_text("Asks nobody and costs nothing")
    page.get_by_label("Round 1").check()
    page.locator("select[name=seat_model_id]").nth(1).select_option("demo/delta")
    expect(moves).to_contain_text("joins in round 2")
    expect(moves).to_contain_text("leaves after round 1")
    expect(line).to_contain_text("nothing is charged")
    page.get_by_label("reading_time.py").check()
    expect(line).to_contain_text("2 texts")
    assert in_every_look(page) == {}
    page.get_by_role("button", name="Start the fork").click()
    page.wait_for_url("**/sessions/**")
    expect(page.locator("#head")).to_contain_text(f"Forked from {TITLE} after round 1")
    completed(page)
    expect(page.get_by_text("from round 2 on")).to_be_visible()
    expect(page.get_by_text("until round 1")).to_be_visible()
    assert in_every_look(page) == {}


def test_a_replay_is_moved_by_keys_and_plays_to_its_end(page: Page, in_every_look: Looks) -> None:
    open_demo(page)
    page.get_by_role("link", name="Replay", exact=True).click()
    slider, then = page.get_by_role("slider", name="Event"), page.locator("#then")
    expect(then).to_contain_text("Created with 3 instances")
    expect(then).to_contain_text("None yet.")
    slider.press("End")
    expect(then).to_contain_text("Completed")
    expect(slider).to_have_attribute("aria-valuetext", "Event 60 of 60: Completed, $0.1121 in all")
    slider.press("PageDown")
    expect(then).not_to_contain_text("Completed, $")
    assert in_every_look(page) == {}
    page.emulate_media(reduced_motion="no-preference")
    slider.evaluate(
        "(one) => { one.value = Number(one.max) - 4; one.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=SECONDS)
    expect(then).to_contain_text("Completed")
