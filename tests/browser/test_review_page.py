"""The review page as people work on it: panes, keys, filters, decisions, two browsers at once."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Server
from tests.browser.test_live import completed, link_state, start

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
IN_SIGHT = """rows => {
  const body = document.getElementById("list-body").getBoundingClientRect();
  return rows.filter((row) => row.getBoundingClientRect().bottom <= Math.min(body.bottom, innerHeight)).length;
}"""


@pytest.fixture(scope="module")
def address(chromium: Browser, server: Server, signed_in: Any) -> str:
    """A finished review of a file with several findings."""
    context = chromium.new_context(base_url=server.address, storage_state=signed_in)
    page = context.new_page()
    page.set_default_timeout(20_000)
    start(page)
    completed(page)
    found = page.url
    context.close()
    return found


@pytest.fixture
def review(page: Page, address: str) -> Page:
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto(address)
    link_state(page, "Live")
    return page


def opened(page: Page) -> str:
    """The finding that is open, once the page agrees with its address."""
    label = re.findall(r"[?&]f=(F-\d+)", page.url)[0]
    expect(page.locator("#detail-body")).to_have_attribute("data-finding", label)
    return str(label)


def test_keys_move_through_the_findings_and_the_address_follows(review: Page) -> None:
    labels = review.locator("#rows [data-f]").evaluate_all("rows => rows.map(row => row.dataset.f)")
    review.keyboard.press("j")
    assert opened(review) == labels[0]
    review.keyboard.press("j")
    assert opened(review) == labels[1]
    expect(review.locator("#rows [aria-current=true]")).to_have_attribute("data-f", labels[1])
    review.keyboard.press("k")
    assert opened(review) == labels[0]
    review.go_back()
    assert opened(review) == labels[1]
    review.keyboard.press("Escape")
    expect(review.locator("#detail-body")).to_have_count(0)
    assert "f=" not in review.url


def test_the_lines_of_the_open_finding_come_into_sight(review: Page) -> None:
    review.locator("#rows [data-f]").last.click()
    opened(review)
    expect(review.locator(".code .at").first).to_be_in_viewport()
    review.keyboard.press("o")
    expect(review.locator("#code")).to_be_focused()


def test_a_mark_in_the_margin_opens_its_finding(review: Page) -> None:
    mark = review.locator(".code a.mark").last
    label = mark.get_attribute("data-f")
    mark.click()
    assert opened(review) == label


def test_a_link_to_a_finding_shows_the_same_to_a_colleague(review: Page, address: str) -> None:
    review.goto(f"{address}?f=F-001&by=A")
    assert opened(review) == "F-001"
    review.keyboard.press("j")
    assert "by=A" in review.url


def test_the_filter_narrows_the_list_as_one_types_and_can_be_undone(review: Page) -> None:
    every = review.locator("#rows .finding-row").count()
    review.keyboard.press("/")
    review.keyboard.type("f-001")
    expect(review.locator("#rows .finding-row")).to_have_count(1)
    expect(review).to_have_url(re.compile("q=f-001"))
    review.keyboard.press("Escape")
    review.get_by_role("link", name=re.compile("Show all")).click()
    expect(review.locator("#rows .finding-row")).to_have_count(every)


def test_decisions_are_made_by_key_and_count_in_the_sentence(review: Page, address: str) -> None:
    review.goto(f"{address}?f=F-001")
    review.keyboard.press("a")
    expect(review.locator("#detail .decided")).to_contain_text("To fix by ")
    expect(review.locator("#together")).to_contain_text("confirmed")
    review.keyboard.press("d")
    expect(review.get_by_role("button", name="Wrong")).to_be_focused()
    review.keyboard.press("Enter")
    expect(review.locator("#detail .decided")).to_contain_text("Dismissed: Wrong by ")
    review.keyboard.press("x")
    expect(review.locator("#detail .decided")).to_contain_text("Fixed by ")
    expect(review.locator("#F-001")).to_contain_text("Fixed")
    review.get_by_role("button", name="Reopen").click()
    expect(review.locator("#detail .chip").first).to_contain_text("Open")


def test_keys_do_nothing_while_one_types(review: Page, address: str) -> None:
    review.goto(f"{address}?f=F-001")
    before = review.locator("#detail .chip").first.inner_text()
    review.keyboard.press("c")
    review.keyboard.type("a d x j k")
    expect(review.get_by_label("Comment on F-001")).to_have_value("a d x j k")
    assert (opened(review), review.locator("#detail .chip").first.inner_text()) == ("F-001", before)
    review.get_by_role("button", name="Comment", exact=True).click()
    expect(review.locator(".comments")).to_contain_text("a d x j k")
    expect(review.get_by_label("Comment on F-001")).to_have_value("")


def test_two_browsers_agree_after_a_decision_and_the_slower_one_hears_who_was_first(
    review: Page, context: BrowserContext, address: str
) -> None:
    other = context.new_page()
    other.set_viewport_size(WIDE)  # type: ignore[arg-type]
    review.goto(f"{address}?f=F-002")
    other.goto(f"{address}?f=F-002")
    link_state(other, "Live")
    other.get_by_label("Comment on F-002").fill("Half a thought")
    review.keyboard.press("a")
    expect(other.locator("#detail .decided")).to_contain_text("To fix by ")
    expect(other.locator("#F-002")).to_contain_text("To fix")
    expect(other.get_by_label("Comment on F-002")).to_have_value("Half a thought")
    other.locator("#detail .decide-main [name=seen]").evaluate("field => { field.value = '0'; }")
    other.get_by_role("button", name="Fixed", exact=True).click()
    expect(other.get_by_role("alert")).to_contain_text("decided F-002 as To fix")
    expect(other.locator("#detail .decided")).to_contain_text("To fix by ")


def test_findings_are_merged_and_split_again(page: Page) -> None:
    review = page
    review.set_viewport_size(WIDE)  # type: ignore[arg-type]
    start(review)  # its own: afterwards F-002 is no finding of its own any more
    completed(review)
    review.goto(f"{review.url}?f=F-002")
    every = review.locator("#rows .finding-row").count()
    review.keyboard.press("m")
    expect(review.get_by_label("Merge into")).to_be_focused()
    assert review.locator("#finding-menu").evaluate("menu => menu.getBoundingClientRect().x") > 700  # at its button
    review.get_by_label("Merge into").select_option(index=0)
    review.get_by_role("button", name="Merge", exact=True).click()
    expect(review.locator("#rows .finding-row")).to_have_count(every - 1)
    expect(review.locator("#detail")).to_contain_text("with F-002")
    review.get_by_role("button", name="Severity, merge, split").click()
    review.locator("#finding-menu [name=reports]").last.check()
    review.get_by_role("button", name="Split", exact=True).click()
    expect(review.locator("#rows .finding-row")).to_have_count(every)


def test_the_others_are_asked_for_an_opinion(page: Page) -> None:
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto("/projects/demo/")
    page.get_by_role("link", name="Payment webhooks before launch", exact=True).click()  # it has findings of one alone
    page.goto(f"{page.url}?only=once")
    page.locator("#rows .finding-row").first.click()
    opened(page)
    expect(page.locator(".ask")).to_contain_text("Simulated: nothing is charged.")
    page.get_by_role("button", name="Ask the others").click()
    expect(page.locator("#detail")).to_contain_text("Second opinions", timeout=60_000)
    completed(page)
    expect(page.locator(".ask")).to_have_count(0)


def test_at_least_twelve_rows_fit_without_scrolling(review: Page) -> None:
    review.evaluate("""() => {
      const rows = document.getElementById("rows"), one = rows.firstElementChild;
      for (let more = 0; more < 30; more++) rows.append(one.cloneNode(true));
    }""")
    assert review.locator("#rows .finding-row").evaluate_all(IN_SIGHT) >= 12


def test_on_a_phone_the_list_leads_to_the_detail_and_back(review: Page, address: str, problems: Any) -> None:
    review.set_viewport_size(PHONE)  # type: ignore[arg-type]
    review.goto(address)
    listed = problems(review)
    review.locator("#rows .finding-row").first.click()
    opened(review)
    expect(review.locator("#list")).to_be_hidden()
    detailed = problems(review)
    review.get_by_role("link", name="All", exact=True).click()
    expect(review.locator("#list")).to_be_visible()
    assert (listed, detailed) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_finding_with_its_menus_is_clean(scheme: Any, review: Page, address: str, problems: Any) -> None:
    review.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    review.goto(f"{address}?f=F-001")
    found = [problems(review)]
    for button in ("Dismiss", "Severity, merge, split", "More filters", "Keys ?"):
        if review.get_by_role("button", name=button).count():
            review.get_by_role("button", name=button).click()
            found.append(problems(review))
            review.keyboard.press("Escape")
    assert found == [[]] * len(found)


def test_three_thousand_lines_scroll_without_laying_them_all_out(page: Page) -> None:
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto("/projects/demo/new/")
    text = "".join(f"value_{line} = compute({line})  # a line of some length\n" for line in range(3_000))
    page.get_by_label("Files", exact=True).set_input_files(
        {"name": "long.py", "mimeType": "text/plain", "buffer": text.encode()}
    )
    expect(page.locator(".chosen")).to_be_visible()
    page.get_by_role("button", name="Save as draft").click()
    page.wait_for_url("**/sessions/**")
    assert page.locator(".code tr").count() == 3_000
    slow = page.evaluate("""async () => {
      const code = document.getElementById("code"), times = [];
      for (let frame = 0; frame < 60; frame++) {
        const begun = performance.now();
        code.scrollTop += 900;
        code.getBoundingClientRect();
        document.elementFromPoint(400, 600);
        times.push(performance.now() - begun);
        await new Promise(requestAnimationFrame);
      }
      return times.sort((a, b) => a - b)[54];
    }""")
    assert slow < 50  # milliseconds of one frame's layout, nine of ten times, on a busy machine


def test_whoever_had_no_news_is_told_who_was_first_and_keeps_their_words(
    review: Page, context: BrowserContext, address: str
) -> None:
    other = context.new_page()
    other.set_viewport_size(WIDE)  # type: ignore[arg-type]
    other.route_web_socket(re.compile("/ws/"), lambda socket: socket.close())
    other.goto(f"{address}?f=F-001")
    other.get_by_label("Comment on F-001").fill("Half a thought")
    other.route("**/live/**", lambda route: route.abort())
    review.goto(f"{address}?f=F-001")
    review.get_by_role("button", name="Reopen").or_(review.locator("[name=disposition][value=fixed]")).first.click()
    expect(review.locator("#detail")).to_contain_text("just now")
    other.unroute("**/live/**")
    other.locator(".decide-main button[name=disposition]").first.evaluate("button => { button.disabled = false; }")
    other.locator(".decide-main button[name=disposition]").first.click()
    expect(other.get_by_role("alert")).to_contain_text("decided F-001 as ")
    other.wait_for_timeout(1_500)  # news that came meanwhile would have wiped it away
    expect(other.get_by_role("alert")).to_contain_text("decided F-001 as ")
    expect(other.get_by_label("Comment on F-001")).to_have_value("Half a thought")
