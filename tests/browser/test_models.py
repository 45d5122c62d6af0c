"""Connecting models in a real browser, with scripts and without, against a provider of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Look, Server, Walk
from tests.provider_server import provider_process

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Address of a mock provider; see `tests/provider_server.py`."""
    with provider_process(300) as address:
        yield address


def fetch(page: Page, maker: str, address: str) -> None:
    page.goto(f"/models/connect/{maker}/")
    page.get_by_label("Address").fill(address)
    page.get_by_role("button", name="Fetch models").click()
    page.wait_for_url("**/offers/")


def test_ticked_models_test_themselves_and_a_review_is_offered(page: Page, provider: str, problems: Look) -> None:
    fetch(page, "vllm", f"{provider}/many/v1")
    page.get_by_label("model-003").check()
    page.get_by_label("Filter").press_sequentially("-39")
    expect(page.locator("[name=tick]")).to_have_count(11)
    page.get_by_label("model-391").check()
    page.get_by_role("button", name="Connect and test").click()
    expect(page.locator("tbody .tone-good")).to_have_count(2)
    expect(page.locator("q")).to_have_count(2)
    expect(page.get_by_role("link", name="Start a session")).to_be_visible()
    assert problems(page) == []


def test_everything_works_without_scripts(chromium: Browser, server: Server, signed_in: Any, provider: str) -> None:
    context = chromium.new_context(base_url=server.address, storage_state=signed_in, java_script_enabled=False)
    page = context.new_page()
    fetch(page, "compatible", f"{provider}/v1")
    page.get_by_label("alpha").check()
    page.get_by_role("button", name="Connect and test").click()
    page.get_by_role("button", name="Test 1 model").click()
    expect(page.locator("tbody .tone-good")).to_have_count(1)
    expect(page.locator("q")).to_have_count(1)
    context.close()


def test_the_pages_are_clean(page: Page, each_in_every_look: Walk) -> None:
    """The lists, a new roster and another tile are among the pages of test_looks.py."""
    pages = ["/models/connect/azure/", "/models/at/demo/", "/models/m/demo/atlas/", "/projects/demo/rosters/import/"]
    assert each_in_every_look(page, pages) == {}
