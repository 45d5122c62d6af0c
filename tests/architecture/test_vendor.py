"""The vendored front-end files are those of `make vendor`, unchanged, and no lock file names an address."""

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "static" / "vendor" / "manifest.json"
ENTRIES = json.loads(MANIFEST.read_text())
LOCKS = ("package-lock.json", "requirements.txt", "requirements-dev.txt")


def vendored_files() -> set[str]:
    places = (ROOT / "static" / "vendor", ROOT / "tests" / "browser" / "vendor")
    files = (path for place in places for path in place.rglob("*") if path.is_file() and path != MANIFEST)
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_vendored_file_is_what_the_manifest_says(name: str) -> None:
    content = (ROOT / name).read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (ENTRIES[name]["sha256"], ENTRIES[name]["bytes"])


def test_every_vendored_file_stands_in_the_manifest() -> None:
    assert vendored_files() == set(ENTRIES)


def test_every_vendored_directory_holds_its_licence() -> None:
    directories = {Path(name).parent for name in ENTRIES}
    assert [str(path) for path in directories if not (ROOT / path / "LICENSE").exists()] == []


@pytest.mark.parametrize("name", ENTRIES)
def test_no_vendored_file_points_to_a_source_map(name: str) -> None:
    assert b"sourceMappingURL" not in (ROOT / name).read_bytes()


def test_every_icon_a_template_names_is_in_the_sprite() -> None:
    sprite = next(ROOT.glob("static/vendor/icons-*/sprite.svg")).read_text()
    templates = (path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    named = {name for text in templates for name in re.findall(r"{% icon \"([^\"]+)\"", text)}
    assert named - set(re.findall(r'<symbol id="([^"]+)"', sprite)) == set()


def test_package_json_pins_exact_versions() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    versions = (package["dependencies"] | package["devDependencies"]).values()
    assert [version for version in versions if not version.replace(".", "").isdigit()] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert '"resolved"' not in text
    assert "registry" not in text
    assert "index-url" not in text
