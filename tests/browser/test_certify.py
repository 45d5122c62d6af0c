"""Certifying a file in the browser: choosing a standard, going through the matrix by keyboard, making a standard."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Walk
from tests.browser.test_live import completed
from tests.browser.test_start import NEW, bring

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STANDARDS, NEW_STANDARD = "/projects/demo/standards/", "/projects/demo/new-standard/"
POLICIES, NEW_POLICY = "/projects/demo/gate-policies/", "/projects/demo/new-gate-policy/"
START = "Start certification"


def against(page: Page, standard: str) -> None:
    """From a chosen file to a certification against `standard`, not started yet."""
    page.get_by_role("button", name="Certification", exact=True).click()
    page.get_by_role("button", name=standard, exact=True).click()
    expect(page.get_by_role("button", name=standard, exact=True)).to_have_attribute("aria-pressed", "true")


def certified(page: Page, name: str) -> None:
    """A certification of a file of that name that has come to its end."""
    bring(page, name)
    against(page, "Secure code change")
    page.get_by_role("button", name=START).click()
    page.wait_for_url("**/sessions/**")
    completed(page)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.dataset.cell ?? document.activeElement.id"))


def test_a_file_is_certified_from_the_drop_zone(page: Page) -> None:
    certified(page, "certified.py")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Certification of certified.py")
    expect(page.locator("#certification")).to_contain_text("Secure code change")
    verdict = page.locator(".certification-side")  # which one is drawn from the session's seed
    expect(verdict.get_by_role("heading", level=2)).to_have_text(re.compile("^(No certificate|Certificate)$"))
    expect(verdict).not_to_contain_text("Issued when enough instances certify")


def test_without_a_standard_it_says_so_and_nothing_is_lost(page: Page) -> None:
    bring(page, "unsaid.py")
    page.get_by_role("button", name="Certification", exact=True).click()
    expect(page.locator("#start-line")).to_have_text("Choose a standard first.")
    page.get_by_text("Customise").click()
    page.get_by_label("Brief").fill("Keep me")
    page.get_by_role("button", name=START).click()
    expect(page.get_by_text("Choose a standard.", exact=True)).to_be_visible()
    expect(page.get_by_label("Brief")).to_have_value("Keep me")


def test_the_type_in_the_folded_form_changes_the_page_too(page: Page) -> None:
    bring(page, "typed.py")
    page.get_by_text("Customise").click()
    page.get_by_role("radio", name=re.compile("^Certification")).check(force=True)
    expect(page.get_by_role("heading", name="Against which standard")).to_be_visible()
    page.get_by_label("Standard", exact=True).select_option(label="Policy text, version 1")
    expect(page.get_by_role("button", name="Policy text", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Who must certify").select_option("More than half")
    expect(page.locator("#outlook")).to_contain_text("more than half of those must certify")


def test_a_reload_keeps_kind_standard_and_file(page: Page) -> None:
    bring(page, "kept.py")
    against(page, "Policy text")
    page.wait_for_url("**standard=**")
    page.reload()
    expect(page.get_by_role("button", name="Policy text", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".chosen")).to_contain_text("kept.py")


def test_the_matrix_is_walked_by_keys_and_enter_opens_what_an_instance_says(page: Page, problems: object) -> None:
    certified(page, "walked.py")
    cells = page.locator("[data-cell]")
    expect(page.locator("[data-cell][tabindex='0']")).to_have_count(1)
    cells.first.focus()
    begun = focused(page)
    for key, moved in (("ArrowRight", True), ("ArrowLeft", False), ("ArrowDown", True), ("ArrowUp", False)):
        page.keyboard.press(key)
        assert (focused(page) != begun) is moved, key
    page.keyboard.press("End")
    last = focused(page)
    page.keyboard.press("Enter")
    letter, criterion = last.split(" on ")
    assert focused(page) == f"said-{criterion}-{letter}"
    expect(page.locator("#announcer")).to_have_text(f"Reasons of {last} are open. Escape goes back.")
    assert problems(page) == []  # type: ignore[operator]
    page.keyboard.press("Escape")
    assert focused(page) == last
    expect(page.locator("[data-cell][tabindex='0']")).to_have_count(1)


def test_a_standard_is_made_by_keyboard_and_certified_against(page: Page) -> None:
    page.goto(STANDARDS)
    page.get_by_role("link", name="New standard").press("Enter")
    page.get_by_label("Name").fill("House rules")
    rows = page.locator(".criterion-row")
    rows.nth(0).get_by_label("Criterion", exact=True).fill("It charges an amount.")
    rows.nth(1).get_by_label("Criterion", exact=True).fill("It rounds as it should.")
    page.get_by_role("button", name="Remove C-3").press("Enter")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Move C-2 up").press("Enter")
    expect(rows.nth(0).get_by_label("Criterion", exact=True)).to_have_value("It rounds as it should.")
    expect(page.get_by_role("button", name="Move C-2 down")).to_be_focused()
    page.get_by_role("button", name="Add a criterion").press("Enter")
    expect(rows.nth(2).get_by_label("Criterion", exact=True)).to_be_focused()
    page.keyboard.type("short")
    page.get_by_role("button", name="Save standard").press("Enter")
    expect(page.get_by_text("Write the criterion in 8 to 600 characters.")).to_be_visible()
    expect(rows.nth(2).get_by_label("Criterion", exact=True)).to_be_focused()
    page.keyboard.type(", and says so.")
    page.get_by_role("button", name="Save standard").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("House rules")
    page.get_by_role("link", name="Certify against it").press("Enter")
    expect(page.get_by_role("button", name="House rules", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("3 criteria, 3 mandatory")).to_be_visible()


def test_a_policy_is_made_and_says_its_rules(page: Page) -> None:
    page.goto(POLICIES)
    page.get_by_role("link", name="New policy").press("Enter")
    page.get_by_label("Name").fill("Before a release")
    page.get_by_label("What blocks").select_option("Major")
    page.get_by_label("A pass takes two people").check()
    page.get_by_role("button", name="Save policy").press("Enter")
    expect(page.get_by_text("Major or graver findings block")).to_be_visible()
    expect(page.get_by_text("blocking_finding")).to_be_visible()


def test_the_pages_are_clean(page: Page, each_in_every_look: Walk) -> None:
    """Changing a standard shows the form of a new one, with less on it."""
    pages = [f"{NEW}?kind=certification&standard=policy-text:1", NEW_POLICY, POLICIES, f"{POLICIES}strict/"]
    pages += [NEW_STANDARD, STANDARDS, f"{STANDARDS}policy-text/", f"{STANDARDS}policy-text/retire/"]
    assert each_in_every_look(page, pages) == {}
