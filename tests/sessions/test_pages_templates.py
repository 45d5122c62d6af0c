"""What no template, style sheet or script of ours may hold."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ASSETS = sorted(path for kind in ("css", "js", "img") for path in (ROOT / "static" / kind).iterdir())
FORBIDDEN = {
    "style attribute": r"\sstyle=",
    "inline handler": r"\son[a-z]+=",
    "expression for htmx": r"hx-on|\bjs:|javascript:|hx-trigger=\"[^\"]*\[",
    "trusted text": r"\|\s*safe\b|autoescape off|mark_safe",
    "asset from elsewhere": r"(?:src|href)=\"(?:https?:)?//",
    "script in a page": r"<script(?![^>]*\ssrc=)",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_holds_it(what: str) -> None:
    found = [path.name for path in TEMPLATES if re.search(FORBIDDEN[what], path.read_text())]
    assert found == []


def test_no_asset_of_ours_loads_from_elsewhere() -> None:
    found = [path.name for path in ASSETS if re.search(r"(?:url\(|import\s*\(?)[\"']?(?:https?:)?//", path.read_text())]
    assert found == []


def test_scripts_of_ours_stay_small() -> None:
    scripts = [path for path in ASSETS if path.suffix == ".js"]
    assert scripts
    assert [path.name for path in scripts if len(path.read_text().splitlines()) >= 250] == []


def test_every_vendored_file_a_page_names_is_there() -> None:
    named = {name for path in TEMPLATES for name in re.findall(r"static '(vendor/[^']+)'", path.read_text())}
    assert named
    assert [name for name in named if not (ROOT / "static" / name).exists()] == []
