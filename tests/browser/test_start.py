"""From the drop zone to Start: in few clicks, by keyboard, on a phone, with what is wrong said where it is."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_live import CODE, completed

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOME, NEW = "/projects/demo/", "/projects/demo/new/"
SECRET = 'KEY = "AKIAABCDEFGH12345678"\n'
DROP = """([name, text]) => {
  const held = new DataTransfer();
  held.items.add(new File([text], name, {type: "text/plain"}));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true}));
}"""
PASTE = """(text) => {
  const held = new DataTransfer();
  held.setData("text/plain", text);
  document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: held, bubbles: true, cancelable: true}));
}"""


def bring(page: Page, name: str = "tool.py", text: str = CODE) -> None:
    """On the first screen; leaves on the start page."""
    page.goto(HOME)
    page.get_by_label("Files", exact=True).set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    )
    page.wait_for_url("**artifact=**")


def test_a_file_is_under_review_after_two_clicks(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "tool.py"
    file.write_text(CODE)
    page.goto(HOME)
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose a file").click()
    chooser.value.set_files(file)
    page.get_by_role("button", name="Start review").click()
    page.wait_for_url("**/sessions/**")
    expect(page.get_by_role("heading", level=1)).to_contain_text("tool.py")


def test_a_file_is_dropped_anywhere_on_the_first_screen(page: Page) -> None:
    page.goto(HOME)
    page.evaluate(DROP, ["dropped.py", CODE])
    page.wait_for_url("**artifact=**")
    expect(page.locator(".chosen")).to_contain_text("dropped.py")


def test_text_is_pasted_anywhere_on_the_first_screen(page: Page) -> None:
    page.goto(HOME)
    page.evaluate(PASTE, CODE)
    page.wait_for_url("**artifact=**")
    expect(page.locator(".chosen")).to_contain_text("pasted.txt")


def test_a_folder_comes_without_what_nobody_reviews(page: Page, tmp_path: Path) -> None:
    for name in ("app/tool.py", "app/package-lock.json", "app/node_modules/left/pad.js"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CODE)
    page.goto(HOME)
    page.get_by_label("Folder", exact=True).set_input_files(tmp_path / "app")
    page.wait_for_url("**artifact=**")
    expect(page.locator(".chosen")).to_contain_text("app/tool.py")
    page.get_by_text("2 passed over, not sent").click()
    expect(page.locator("#start")).to_contain_text("app/node_modules")
    expect(page.locator("#start")).to_contain_text("A lock file")


def test_a_review_is_started_by_keyboard_alone(page: Page) -> None:
    page.goto(HOME)
    page.bring_to_front()
    with page.expect_file_chooser() as chooser:
        page.get_by_label("Files", exact=True).press("Space")
    chooser.value.set_files({"name": "keys.py", "mimeType": "text/plain", "buffer": CODE.encode()})
    page.wait_for_url("**artifact=**")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/sessions/**")


def test_on_a_phone_start_is_in_reach_and_nothing_scrolls_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    bring(page)
    button = page.get_by_role("button", name="Start review")
    expect(button).to_be_in_viewport(ratio=1)
    page.get_by_text("Customise").click()
    expect(page.get_by_label("Brief")).to_be_visible()
    expect(button).to_be_in_viewport(ratio=1)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_template_fills_the_focus_and_the_address_stays(page: Page) -> None:
    bring(page)
    address = page.url
    page.get_by_role("button", name="Security", exact=True).click()
    expect(page.get_by_role("button", name="Security", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#start")).to_contain_text("Untrusted input")
    assert page.url == address


def test_what_is_typed_survives_another_seat(page: Page) -> None:
    bring(page)
    page.get_by_text("Customise").click()
    page.get_by_label("Brief").fill("Before the release")
    page.get_by_role("button", name="Add a seat").click()
    expect(page.locator(".roster-seat")).to_have_count(4)
    expect(page.get_by_label("Brief")).to_have_value("Before the release")


def test_the_summary_follows_the_roster(page: Page) -> None:
    bring(page)
    page.get_by_text("Customise").click()
    expect(page.locator(".outlook-who")).to_contain_text("3 instances, 3 makers")
    page.get_by_role("button", name="Remove this seat").first.click()
    expect(page.locator(".outlook-who")).to_contain_text("2 instances, 2 makers")


def test_leaving_the_artifact_out_is_seen_before_start(page: Page) -> None:
    bring(page)
    page.get_by_text("Customise").click()
    page.get_by_label("Use of tool.py", exact=True).select_option("")
    expect(page.locator("#start-line")).to_have_text("Bring a file first.")


def test_what_is_wrong_gets_the_focus_and_everything_stays(page: Page) -> None:
    bring(page)
    page.get_by_text("Customise").click()
    page.get_by_label("Brief").fill("Keep me")
    page.get_by_label("Never above ($)").fill("-1")
    page.get_by_role("button", name="Start review").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was started")
    expect(page.get_by_label("Never above ($)")).to_be_focused()
    expect(page.get_by_label("Brief")).to_have_value("Keep me")


def test_a_recorded_answer_is_said_and_a_fresh_one_can_be_asked(page: Page) -> None:
    bring(page, "twice.py")
    page.get_by_role("button", name="Start review").click()
    page.wait_for_url("**/sessions/**")
    completed(page)
    page.goto(f"{NEW}?from={re.findall('[0-9a-f-]{36}', page.url)[0]}")
    expect(page.locator("#start-line")).to_contain_text("Takes the recorded result")
    page.get_by_label("Ask the models afresh instead").check()
    expect(page.locator("#start-line")).to_contain_text("demo models are simulated here")


def test_going_back_from_the_review_finds_the_form_again(page: Page) -> None:
    bring(page, "back.py")
    page.get_by_role("button", name="Start review").click()
    page.wait_for_url("**/sessions/**")
    page.go_back()
    expect(page.locator(".chosen")).to_contain_text("back.py")


def test_the_first_state_of_an_instance_is_seen_within_a_second_of_start(page: Page) -> None:
    bring(page, "fast.py", CODE + f"# {time.time()}\n")
    begun = time.monotonic()
    page.get_by_role("button", name="Start review").click(no_wait_after=True)
    page.locator("#room :text-matches('Thinking|Answered')").first.wait_for()
    assert time.monotonic() - begun < 1
