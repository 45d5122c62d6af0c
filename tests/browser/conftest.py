"""A server of its own and a real Chromium. The server is a subprocess with its own data directory, as `make run`
starts it; demo models pause long enough to be watched."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
OURS = ("DATABASE_URL", "REDIS_URL", "CRUCIBLE_")
PACE = "0.6"  # slow enough that a busy machine shows every state, fast enough for a test
START_SECONDS = 60
RULES = (Path(__file__).parent / "looks.js").read_text()
UNFOLD = "document.querySelectorAll('main details').forEach((one) => { one.open = true; })"
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
LOOKS = [(scheme, size) for size in SIZES for scheme in ("light", "dark")]

Look = Callable[[Page], list[str]]  # what is wrong with a page as it stands
Looks = Callable[[Page], dict[str, list[str]]]  # the same by look; empty when nothing is
Walk = Callable[[Page, list[str]], dict[str, dict[str, list[str]]]]  # the same of pages, by address


class Server:
    """A running `serve`: its address, and single-use links into it."""

    def __init__(self, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment = {**kept, "CRUCIBLE_DATA_DIR": str(data), "CRUCIBLE_DEMO_SPEED": PACE}
        self.address = f"http://127.0.0.1:{port}"
        self.log = (data / "serve.log").open("w")
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT
        )
        self._wait()

    def link(self) -> str:
        """The owner's."""
        return self.links()[0]

    def links(self) -> list[str]:
        """The owner's, and that of the demo project's approver."""
        command = [sys.executable, "manage.py", "link"]
        told = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True)
        return re.findall(r"http://\S+/in/\S+/", told.stdout)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, Path(self.log.name).read_text()
            try:
                with urlopen(f"{self.address}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"no answer in {START_SECONDS} s: {Path(self.log.name).read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CRUCIBLE_TEST_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, server: Server) -> Any:
    """The owner's cookies."""
    return _cookies(chromium, server, server.link())


@pytest.fixture(scope="module")
def approving(chromium: Browser, server: Server) -> Any:
    """The cookies of the demo project's approver, who starts nothing there and so may override."""
    return _cookies(chromium, server, server.links()[1])


def _cookies(chromium: Browser, server: Server, link: str) -> Any:
    context = chromium.new_context(base_url=server.address)
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/projects/**")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def context(chromium: Browser, server: Server, signed_in: Any) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.address, storage_state=signed_in)
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab. What the browser complains of (a blocked script, an error) fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if _complains(message.text) else None)
    yield page
    assert complaints == []


def _complains(text: str) -> bool:
    return "Content Security Policy" in text or "htmx:" in text or "Uncaught" in text


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker, to be run in a page."""
    (path,) = (Path(__file__).parent / "vendor").glob("axe-core-*/axe.min.js")
    return path.read_text()


@pytest.fixture
def problems(axe: str) -> Any:
    """What axe finds on a page under WCAG 2.2 A and AA, and whether it scrolls sideways.

    Marks beside lines of code are closer than targets may be; each is a link of the list of findings too, which WCAG
    2.5.8 allows ("equivalent") and axe cannot know.
    """

    def look(page: Page) -> list[str]:
        if not page.evaluate("'axe' in window"):
            page.evaluate(axe)
        tags = json.dumps(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
        found = page.evaluate(f"axe.run(document, {{runOnly: {tags}, resultTypes: ['violations']}})")
        told = [
            f"{rule['id']}: {node['html'][:200]}"
            for rule in found["violations"]
            for node in rule["nodes"]
            if not (rule["id"] == "target-size" and node["html"].startswith('<a class="mark '))
        ]
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return told + (["it scrolls sideways"] if wide else [])

    return look


@pytest.fixture
def faults(problems: Look) -> Look:
    """What axe finds, and which rules of the style guide are broken."""
    return lambda page: [*problems(page), *page.evaluate(RULES)]


@pytest.fixture
def in_every_look(faults: Look) -> Looks:
    """The faults of a page in light and dark, wide and narrow, which it is put into as it stands."""

    def look(page: Page) -> dict[str, list[str]]:
        found = {f"{scheme} {size}": faults(put(page, scheme, size)) for scheme, size in LOOKS}
        return {look: told for look, told in found.items() if told}

    return look


@pytest.fixture
def each_in_every_look(in_every_look: Looks) -> Walk:
    """The same of pages by their addresses, what is folded on them opened: one load for four looks."""

    def walk(page: Page, addresses: list[str]) -> dict[str, dict[str, list[str]]]:
        found = {}
        for address in addresses:
            put(page, *LOOKS[0])
            page.goto(address)
            page.evaluate(UNFOLD)
            found[address] = in_every_look(page)
        return {address: told for address, told in found.items() if told}

    return walk


def put(page: Page, scheme: str, size: str) -> Page:
    """Into a look, and nothing moves there."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    return page
