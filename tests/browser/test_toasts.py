"""What the server answers to an action: said, seen, and gone again without moving the page."""

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

SETTINGS = "/projects/demo/settings/"


def rename(page: Page) -> None:
    page.goto(SETTINGS)
    page.get_by_role("button", name="Rename").click()
    expect(page.locator(".toast")).to_have_text("The project has a new name.")


def test_an_answer_moves_nothing_and_closes_by_itself(page: Page) -> None:
    page.goto(SETTINGS)
    before = page.get_by_role("heading", level=1).bounding_box()
    page.clock.install()
    rename(page)
    assert page.get_by_role("heading", level=1).bounding_box() == before
    page.clock.run_for(3_000)
    expect(page.locator(".toast")).to_be_visible()
    page.clock.run_for(5_000)
    expect(page.locator(".toast")).to_have_count(0)


def test_an_answer_waits_for_whoever_is_at_it(page: Page) -> None:
    page.clock.install()
    rename(page)
    close = page.locator(".toast").get_by_role("button", name="Close")
    close.focus()
    page.clock.run_for(30_000)
    expect(close).to_be_visible()
    close.press("Enter")
    expect(page.locator(".toast")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "content"


def test_escape_closes_an_answer(page: Page) -> None:
    rename(page)
    page.keyboard.press("Escape")
    expect(page.locator(".toast")).to_have_count(0)


def test_an_answer_is_put_into_a_live_region_that_was_there_before(page: Page) -> None:
    page.add_init_script("""addEventListener("DOMContentLoaded", () => {
      globalThis.told = [];
      new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => {
        if (node.textContent.trim()) globalThis.told.push(node.textContent.trim());
      }))).observe(document.getElementById("toasts"), { childList: true });
    })""")
    rename(page)
    page.wait_for_timeout(600)
    assert page.evaluate("globalThis.told") == ["The project has a new name."]
    assert page.locator("#toasts").get_attribute("aria-live") == "polite"


def test_without_script_an_answer_is_a_bar_above_the_page(
    chromium: Browser, server: Server, signed_in: StorageState
) -> None:
    context = chromium.new_context(base_url=server.address, storage_state=signed_in, java_script_enabled=False)
    page = context.new_page()
    rename(page)
    bar, heading = (page.locator(where).bounding_box() for where in (".toast", "h1"))
    assert bar
    assert heading
    assert bar["y"] + bar["height"] <= heading["y"]
    expect(page.locator(".toast button")).to_be_hidden()
    context.close()
