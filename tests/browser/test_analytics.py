"""Analytics as people see it: it keeps itself up to date while a review runs, and reads well everywhere."""

import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, Server, Walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = ("Ada", "Ben", "Cy")
MODELS = ("demo/atlas", "demo/birch", "demo/cedar")


def watch(page: Page, server: Server, name: str) -> None:
    """Start a review of a new file through the API and open its analytics."""
    command = [sys.executable, "manage.py", "create_api_key", "owner@localhost", "--project", "demo"]
    told = subprocess.run(command, cwd=ROOT, env=server.environment, capture_output=True, text=True, check=True)
    headers = {"Authorization": f"Bearer {told.stdout.split()[-1]}"}

    def post(path: str, body: dict[str, object]) -> str:
        reply = page.request.post(f"/api/v1/{path}", data={"project": "demo", **body}, headers=headers)
        assert reply.ok, reply.text()
        return str(reply.json()["code"])

    artifact = post("artifacts", {"name": name, "text": "def total(prices):\n    return sum(prices) / 0\n"})
    roster = [{"name": name, "model_id": model_id} for name, model_id in zip(NAMES, MODELS, strict=True)]
    code = post("sessions", {"kind": "review", "roster": roster, "artifacts": [artifact], "start": True})
    page.goto(f"/sessions/{code}/analytics/")


def test_figures_of_a_running_review_come_by_themselves(page: Page, server: Server) -> None:
    watch(page, server, "first.py")
    expect(page.get_by_text("Cost in the end")).to_be_visible(timeout=60_000)
    expect(page.locator("#head")).to_have_attribute("data-status", "completed")
    expect(page.locator("#tabs").get_by_role("link", name="Replay")).to_be_visible()
    expect(page.locator(".chart")).to_have_count(3)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(7_000)
    assert asked == []  # it has ended: nobody asks any more


def test_an_open_table_stays_open_when_figures_come(page: Page, server: Server) -> None:
    watch(page, server, "second.py")
    page.get_by_text("Show as table").first.click(timeout=60_000)
    expect(page.get_by_text("Cost in the end")).to_be_visible(timeout=60_000)
    expect(page.locator("#analytics details[open]")).to_have_count(1)


def test_analytics_of_a_project_is_clean(page: Page, each_in_every_look: Walk) -> None:
    assert each_in_every_look(page, ["/projects/demo/analytics/"]) == {}


@pytest.mark.parametrize("name", ["Payment webhooks, safe to launch?", "Reading time, ready to merge"])
@pytest.mark.parametrize("width", [1440, 390])
def test_what_each_instance_did_is_cut_nowhere(name: str, width: int, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/projects/demo/")
    page.get_by_role("link", name=name, exact=True).click()
    page.goto(f"{page.url.partition('?')[0]}analytics/")
    block = page.get_by_role("region", name="Figures per instance")
    shown, whole = block.evaluate("one => [one.clientWidth, one.scrollWidth]")
    assert whole == shown if width == 1440 else whole > shown
    block.scroll_into_view_if_needed()
    block.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    expect(block.locator("thead th").last).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
