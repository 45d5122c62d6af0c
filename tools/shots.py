"""Take the pictures of docs/images/ anew: `make shots`. With TO= every shot in all views, into another directory.

They show a Crucible of their own (`tools/stage.py`), whose clock stands still, as a browser's does: the same code gives
the same pictures. What is shown is the rows of SHOTS; `views` are the pictures of it that the documentation keeps.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import IO, Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tools.pictures import shrink
from tools.programs import Unavailable, chromium_path
from tools.services import exit_on_sigterm, free_port, stop_processes

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
ARTIFACT = ROOT / "sessions" / "demo" / "artifacts" / "payment_webhooks.py"
OURS = ("DATABASE_URL", "REDIS_URL", "CRUCIBLE_")
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
VIEWS = tuple("-".join(view) for view in product(SIZES, THEMES))
MILLISECONDS = 20_000
# Chromium's, so that the same page is the same picture: glyphs and colours as they are drawn and not as this machine
# would have them, and every part drawn once, by one thread. Otherwise edges differ by a shade from run to run.
SAME = (
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--disable-gpu",
    "--disable-partial-raster",
    "--num-raster-threads=1",
)
REPORTED = 140  # a line of the artifact about which the running review has heard
SCROLL = """(code, line) => {
  const pane = code.closest(".pane-body");
  pane.scrollTop = code.querySelector(`[data-n="${line}"]`).offsetTop - pane.clientHeight / 4;
}"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The Crucible that is shown: addresses by name, its time, and where it hears that its instances shall speak."""

    addresses: dict[str, str]
    now: str
    cues: IO[bytes]


Pose = Callable[[Page, Stage], None]


def still(page: Page, stage: Stage) -> None:
    """As it comes."""


def drop(page: Page, stage: Stage) -> None:
    """A file was dropped; what starting would do stands beside it."""
    page.get_by_label("Files", exact=True).set_input_files(ARTIFACT)
    expect(page.locator(".chosen")).to_be_visible()
    page.mouse.move(0, 0)


def types(page: Page, stage: Stage) -> None:
    """Everything there is to choose, from the type on."""
    page.locator("#customise > summary").click()
    page.locator("#customise").evaluate("element => element.scrollIntoView()")
    page.mouse.move(0, 0)


def tracker(page: Page, stage: Stage) -> None:
    """How they came together, over who held what."""
    expect(page.locator("#link-state")).to_have_text("Live")
    page.locator("#tracker-heading").evaluate("element => element.scrollIntoView()")


def writing(page: Page, stage: Stage) -> None:
    """The instances that are not done are in the middle of a sentence; beside the code stands what has come."""
    page.locator(".code").evaluate(SCROLL, REPORTED)
    expect(page.locator("#link-state")).to_have_text("Live")
    stage.cues.write(b"speak\n")
    stage.cues.flush()
    expect(page.locator("#tail-B")).not_to_be_empty()


@dataclass(frozen=True, slots=True)
class Shot:
    """`path` may name an address of the stage. `views` of VIEWS are kept in docs/images/."""

    name: str
    path: str
    pose: Pose = still
    views: tuple[str, ...] = ()

    def files(self, views: tuple[str, ...]) -> list[str]:
        return [f"{self.name}-{view}.png" for view in views]


# ux.md's names: the overview is "review", S1 "types", S2 "start", S3 "roster", S6 "tracker", S9 "gate", S10
# "analytics".
SHOTS = (
    Shot("review", "{review}?f=F-001", views=VIEWS),
    Shot("types", "/projects/demo/new/", types, VIEWS),
    Shot("start", "/projects/demo/new/", drop, VIEWS),
    Shot("roster", "{roster}", views=VIEWS),
    Shot("live", "{running}", writing, VIEWS),
    Shot("home", "/projects/demo/"),
    Shot("findings", "{review}"),
    Shot("tracker", "{divergence}", tracker, VIEWS),
    Shot("gate", "{divergence}gate/", views=VIEWS),
    Shot("analytics", "{deliberation}analytics/", views=VIEWS),
    Shot("failed", "{failed}"),
    Shot("agreement", "{agreement}"),
    Shot("deliberation", "{deliberation}"),
    Shot("divergence", "{divergence}"),
    Shot("certification", "{certification}"),
    Shot("inbox", "/inbox/"),
    Shot("project", "/projects/demo/analytics/"),
    Shot("connect", "/models/connect/openai/"),
    Shot("models", "/models/"),
    Shot("members", "/projects/demo/members/"),
    Shot("settings", "/projects/demo/settings/"),
    Shot("artifacts", "/projects/demo/artifacts/"),
    Shot("empty", "/projects/paper-mill/"),
)


def kept() -> set[str]:
    """The files of docs/images/."""
    return {name for shot in SHOTS for name in shot.files(shot.views)}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make shots")
    parser.add_argument("--to", type=Path, help="take every shot in all views, into this directory")
    everywhere = parser.parse_args(arguments).to
    exit_on_sigterm()
    target = everywhere or IMAGES
    target.mkdir(parents=True, exist_ok=True)
    try:
        path = chromium_path()
    except Unavailable as reason:
        sys.exit(f"{reason}.")
    with stage() as shown, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *SAME])
        sizes = dict(pictures(browser, shown, target, every=everywhere is not None))
    if everywhere is None:
        for stale in {path.name for path in IMAGES.glob("*.png")} - kept():
            (IMAGES / stale).unlink()
    print(f"  {len(sizes)} pictures, {sum(sizes.values()) / 1000:,.0f} kB, in {target}")


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Set up in a data directory of its own, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="crucible-") as data:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.stage", str(free_port())],
            cwd=ROOT,
            env=environment | {"CRUCIBLE_DATA_DIR": data},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            if process.stdin is None or process.stdout is None or not (told := process.stdout.readline()):
                sys.exit("The Crucible to be shown did not start; its own words are above.")
            addresses = json.loads(told)
            yield Stage(addresses, addresses["now"], process.stdin)
        finally:
            stop_processes([process], signal.SIGTERM)


def pictures(browser: Browser, shown: Stage, target: Path, *, every: bool) -> Iterator[tuple[str, int]]:
    """Take them, view by view; the name and the size of each."""
    darkroom, state = browser.new_page(), signed_in(browser, shown)
    for view in VIEWS:
        wanted = [shot for shot in SHOTS if every or view in shot.views]
        with contextlib.closing(visitor(browser, view, state, shown.now)) as context:
            for shot in wanted:
                picture = shrink(darkroom, taken(context, shot, shown))
                (name,) = shot.files((view,))
                (target / name).write_bytes(picture)
                print(f"  {name:<28}{len(picture) / 1000:>6.0f} kB", flush=True)
                yield name, len(picture)


def signed_in(browser: Browser, shown: Stage) -> Any:
    """The owner's cookies."""
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(shown.addresses["link"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda address: "/in/" not in address)
        return context.storage_state()


def visitor(browser: Browser, view: str, state: Any, now: str) -> BrowserContext:
    size, theme = view.split("-")
    width, height = SIZES[size]
    context = browser.new_context(
        storage_state=state,
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(MILLISECONDS)
    context.clock.set_fixed_time(now)
    return context


def taken(context: BrowserContext, shot: Shot, shown: Stage) -> bytes:
    """The picture as the browser makes it. What the page complains of ends the run: nobody would look for it there."""
    with contextlib.closing(context.new_page()) as page:
        page.on("pageerror", lambda error: sys.exit(f"{shot.name}: {error}"))
        base = shown.addresses["link"].partition("/in/")[0]
        answer = page.goto(base + shot.path.format_map(shown.addresses), wait_until="networkidle")
        if answer is None or not answer.ok:
            sys.exit(f"{shot.name}: {shot.path} could not be shown; the server's own words are above.")
        shot.pose(page, shown)
        page.evaluate("document.fonts.ready.then(() => null)")
        return page.screenshot(animations="disabled", caret="hide")


if __name__ == "__main__":
    main(sys.argv[1:])
