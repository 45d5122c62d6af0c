"""Every page in light and dark, wide and narrow: nothing axe objects to, nothing that scrolls sideways."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server
from tests.browser.test_live import completed, draft, fill, start

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
PAGES = [
    "/?all",
    "/projects/demo/",
    "/projects/demo/new/",
    "/projects/demo/artifacts/",
    "/projects/demo/members/",
    "/projects/demo/keys/",
    "/projects/demo/settings/",
    "/projects/demo/delete/",
    "/accounts/password/change/",
    "/nowhere/",
]
SIGNED_OUT = ["/accounts/login/", "/accounts/password/reset/", "/in/used-up/"]
Look = Callable[[Page], list[str]]


@pytest.fixture(params=[(scheme, width) for scheme in ("light", "dark") for width in WIDTHS], ids="-".join)
def view(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def seen(page: Page, view: tuple[str, str]) -> Page:
    """A tab in one of the four views."""
    return _set(page, view)


def _set(page: Page, view: tuple[str, str]) -> Page:
    scheme, width = view
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    return page


def test_pages_are_clean(seen: Page, problems: Look) -> None:
    found = {}
    for address in PAGES:
        seen.goto(address)
        found[address] = [*problems(seen), *([] if seen.locator("h1").count() == 1 else ["not one h1"])]
    assert found == {address: [] for address in PAGES}


def test_pages_of_the_signed_out_are_clean(
    chromium: Browser, server: Server, view: tuple[str, str], problems: Look
) -> None:
    context = chromium.new_context(base_url=server.address)
    page = _set(context.new_page(), view)
    found = {}
    for address in SIGNED_OUT:
        page.goto(address)
        found[address] = problems(page)
    context.close()
    assert found == {address: [] for address in SIGNED_OUT}


def test_a_draft_is_clean(seen: Page, problems: Look) -> None:
    draft(seen)
    assert problems(seen) == []


def test_a_running_and_a_finished_review_are_clean(seen: Page, problems: Look) -> None:
    start(seen)
    running = problems(seen)
    completed(seen)
    for summary in seen.locator("#room summary").all():
        summary.click()
    assert (running, problems(seen)) == ([], [])


def test_words_without_a_blank_wrap(seen: Page, problems: Look) -> None:
    fill(seen, f"{'deep/' * 30}{'x' * 40}.py")
    seen.get_by_label("Title").fill("W" * 160)
    seen.get_by_label("Brief").fill("W" * 2_000)
    seen.locator(".seat-row").first.get_by_label("Name").fill("W" * 80)
    seen.locator(".seat-row").first.get_by_label("Focus").fill("W" * 500)
    seen.get_by_role("button", name="Save as draft").click()
    seen.wait_for_url("**/sessions/**")
    room = problems(seen)
    seen.goto("/projects/demo/")
    assert (room, problems(seen)) == ([], [])


def test_an_artifact_and_its_menu_are_clean(seen: Page, problems: Look) -> None:
    seen.goto("/projects/demo/artifacts/")
    seen.locator(".title-cell a").first.click()
    seen.get_by_role("button", name="Your account").click()
    assert problems(seen) == []


def test_the_keyboard_reaches_the_account_menu_and_leaves_it(page: Page) -> None:
    page.goto("/projects/demo/")
    button = page.get_by_role("button", name="Your account")
    button.press("Enter")
    expect(page.get_by_role("link", name="Password")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Password")).to_be_hidden()


def test_the_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.goto("/projects/demo/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
