"""Every page in light and dark, wide and narrow: nothing axe objects to, nothing that scrolls sideways, and the rules
of docs/style.md kept (`looks.js`)."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, Route, StorageState, expect

from tests.browser.conftest import RULES, SIZES, UNFOLD, Look, Looks, Server, Walk, put
from tests.browser.test_live import completed, draft, fill, start

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "/",
    "/?all",
    "/inbox/",
    "/models/",
    "/models/connect/openai/",
    "/projects/demo/",
    "/projects/demo/new/",
    "/projects/demo/artifacts/",
    "/projects/demo/rosters/",
    "/projects/demo/rosters/new/",
    "/projects/demo/templates/",
    "/projects/demo/members/",
    "/projects/demo/keys/",
    "/projects/demo/settings/",
    "/projects/demo/notifications/",
    "/projects/demo/delete/",
    "/accounts/password/change/",
    "/accounts/email/",
    "/accounts/2fa/",
    "/nowhere/",
]
EXAMPLES = ["Payment webhooks before launch", "Locker pickup, ready to build?", "Reading time, ready to merge"]
SIGNED_OUT = ["/accounts/login/", "/accounts/password/reset/", "/in/used-up/", "/join/used-up/"]
FIRST_LOAD_BYTES = 140_000
MOST_SHIFT = 0.02
FINDINGS_IN_SIGHT = 12
# Of everything that moved since the page began, what the browser counts as a surprise.
SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; }))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""
# 3,000 lines scrolled from end to end in 60 steps: the mean time of a frame, in ms.
SCROLLED = """() => {
  const table = document.querySelector(".code"), group = table.tBodies[0], row = group.rows[0];
  for (let made = 0; made < 30; made += 1) {
    const next = group.cloneNode(false);
    for (let line = 0; line < 100; line += 1) next.append(row.cloneNode(true));
    table.prepend(next);
  }
  const scroller = table.parentElement;
  scroller.setAttribute("class", "code-scroller guide-scroller");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(".guide-scroller { height: 40rem }");
  document.adoptedStyleSheets.push(sheet);
  return new Promise((done) => {
    const began = performance.now();
    let step = 0;
    const next = () => {
      scroller.scrollTop = scroller.scrollHeight * (step += 1) / 60;
      if (step < 60) requestAnimationFrame(next); else done((performance.now() - began) / 60);
    };
    requestAnimationFrame(next);
  });
}"""


@pytest.fixture
def guide(chromium: Browser) -> Iterator[Page]:
    """tests/browser/styleguide.html, out of the files of the repository, without a server."""
    context = chromium.new_context()
    page = context.new_page()

    def serve(route: Route) -> None:
        route.fulfill(path=ROOT / route.request.url.partition("guide.test/")[2])

    page.route("http://guide.test/**", serve)
    page.goto("http://guide.test/tests/browser/styleguide.html")
    yield page
    context.close()


def example(page: Page, title: str = EXAMPLES[0]) -> None:
    """Open a finished session of the demo project."""
    page.goto("/projects/demo/")
    page.get_by_role("link", name=title, exact=True).last.click()
    page.wait_for_url("**/sessions/**")


def test_pages_are_clean(page: Page, each_in_every_look: Walk) -> None:
    assert each_in_every_look(page, PAGES) == {}


def test_every_page_has_one_heading_of_the_first_level(page: Page) -> None:
    counts = {}
    for address in PAGES:
        page.goto(address)
        counts[address] = page.locator("h1").count()
    assert counts == dict.fromkeys(PAGES, 1)


def test_pages_of_the_signed_out_are_clean(chromium: Browser, server: Server, each_in_every_look: Walk) -> None:
    with chromium.new_context(base_url=server.address) as context:
        assert each_in_every_look(context.new_page(), SIGNED_OUT) == {}


def test_the_style_guide_is_clean(guide: Page, in_every_look: Looks) -> None:
    assert in_every_look(guide) == {}


def test_a_draft_is_clean(page: Page, in_every_look: Looks) -> None:
    draft(page)
    assert in_every_look(page) == {}


@pytest.mark.parametrize("size", SIZES)
def test_a_running_and_a_finished_review_are_clean(size: str, page: Page, faults: Look) -> None:
    start(put(page, "light", size))
    running = [*faults(page), *faults(put(page, "dark", size))]
    completed(page)
    for summary in page.locator("#room summary").all():
        summary.click()
    assert (running, faults(page), faults(put(page, "light", size))) == ([], [], [])


def test_words_without_a_blank_wrap(page: Page, in_every_look: Looks) -> None:
    fill(page, f"{'deep/' * 30}{'x' * 40}.py")
    expect(page.locator(".chosen")).to_be_visible()  # the file is there, the form was swapped
    page.locator("#customise > summary").click()
    page.get_by_label("Title").fill("W" * 160)
    page.get_by_label("Brief").fill("W" * 2_000)
    seat = page.locator(".roster-seat").first
    seat.get_by_text("More", exact=True).click()
    seat.get_by_label("Name").fill("W" * 80)
    seat.get_by_label("Focus").fill("W" * 500)
    page.get_by_role("button", name="Save as draft").click()
    page.wait_for_url("**/sessions/**")
    room = in_every_look(page)
    page.goto("/projects/demo/")
    assert (room, in_every_look(page)) == ({}, {})


def test_an_artifact_and_its_menu_are_clean(page: Page, in_every_look: Looks) -> None:
    page.goto("/projects/demo/artifacts/")
    page.locator(".title-cell a").first.click()
    page.get_by_role("button", name="Your account").click()
    assert in_every_look(page) == {}


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_tab_of_a_session_has_the_same_head_and_is_clean(title: str, page: Page, in_every_look: Looks) -> None:
    """Whatever its kind: title, state and actions stay where they are, and the tabs say which one is shown."""
    example(page, title)
    put(page, "light", "wide")
    head, found, shown = page.locator("#head").inner_text(), {}, []
    for address in page.locator("#tabs a").evaluate_all("(all) => all.map((one) => one.href)"):
        page.goto(address)
        shown += page.locator("#tabs [aria-current=page]").evaluate_all("(all) => all.map((one) => one.href)")
        page.get_by_role("heading", name=title, level=1).first.wait_for()
        page.evaluate(UNFOLD)
        found[address] = in_every_look(page)
        put(page, "light", "wide")
        assert (page.locator("#head").inner_text(), page.locator(".crumbs").inner_text()) == (head, "Demo\nSessions")
    assert {address: told for address, told in found.items() if told} == {}
    assert shown == list(found)


def test_a_gate_is_clean_with_the_form_of_who_overrides_open(
    chromium: Browser, server: Server, approving: StorageState, in_every_look: Looks
) -> None:
    with chromium.new_context(base_url=server.address, storage_state=approving) as context:
        page = context.new_page()
        example(page)
        page.get_by_role("link", name="Gate", exact=True).click()
        page.locator("summary", has_text="Override to").click()
        assert in_every_look(page) == {}


@pytest.mark.parametrize("address", [*PAGES, "a review", "an artifact"])
def test_a_first_load_stays_light(
    chromium: Browser, server: Server, signed_in: StorageState, page: Page, address: str
) -> None:
    """Everything a browser with an empty cache fetches, text as gzip carries it."""
    if address == "a review":
        example(page)
        address = page.url
    elif address == "an artifact":
        page.goto("/projects/demo/artifacts/")
        address = page.locator(".title-cell a").first.get_attribute("href") or ""
    context = chromium.new_context(base_url=server.address, storage_state=signed_in)
    fresh = context.new_page()
    replies: list[Response] = []
    fresh.on("response", lambda reply: replies.append(reply))
    fresh.goto(address, wait_until="networkidle")
    bodies = {reply.url: (reply.body(), reply.headers.get("content-type", "")) for reply in replies if reply.ok}
    context.close()
    sizes = {url: len(body if "font" in kind else gzip.compress(body, 6)) for url, (body, kind) in bodies.items()}
    assert sum(sizes.values()) < FIRST_LOAD_BYTES, sizes
    assert any(url.endswith(".woff2") for url in sizes)


def test_twelve_findings_are_in_sight_without_scrolling(page: Page) -> None:
    """The example holds fewer: its rows are repeated, and those wholly in view are counted."""
    put(page, "light", "wide")
    example(page)
    seen = page.evaluate("""() => {
      const list = document.querySelector("#rows"), rows = [...list.children];
      for (let more = 0; more < 20; more += 1) list.append(rows[more % rows.length].cloneNode(true));
      const pane = list.closest(".pane-body")?.getBoundingClientRect().bottom ?? innerHeight;
      const end = Math.min(pane, innerHeight);
      return [...list.children].filter((row) => row.getBoundingClientRect().bottom <= end).length;
    }""")
    assert seen >= FINDINGS_IN_SIGHT


@pytest.mark.parametrize("address", ["/projects/demo/", "/projects/demo/new/", "a review"])
def test_nothing_moves_while_a_page_comes(page: Page, address: str) -> None:
    put(page, "light", "wide")
    if address == "a review":
        example(page)
    else:
        page.goto(address)
    assert page.evaluate(SHIFT) < MOST_SHIFT


def test_three_thousand_lines_scroll_smoothly(guide: Page) -> None:
    assert guide.evaluate(SCROLLED) < 34  # two frames of a 60-Hz screen, on a machine that runs other tests beside


def test_motion_ends_within_a_fifth_of_a_second(page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/projects/demo/new/")
    assert page.evaluate(RULES) == []


def test_the_theme_a_person_chose_comes_with_the_page(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/projects/demo/settings/")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Dark", exact=True).click()
    page.wait_for_url("**/settings/")
    answer = page.goto("/projects/demo/")
    assert answer is not None
    assert re.search('<html[^>]* class="theme-dark"', answer.text())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 18)"
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="System", exact=True).click()
    expect(page.locator("html")).to_have_class("theme-system")


@pytest.mark.parametrize("size", SIZES)
def test_the_rail_shows_where_one_is(size: str, page: Page) -> None:
    put(page, "light", size).goto("/projects/demo/settings/")
    expect(page.locator(".rail [aria-current]").filter(visible=True)).to_be_in_viewport(ratio=1)


def test_what_the_bar_of_a_phone_leaves_out_is_under_more(page: Page) -> None:
    put(page, "light", "narrow")
    page.goto("/projects/demo/")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("link", name="API keys").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")


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
