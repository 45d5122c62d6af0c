"""A folder through a real browser: its files keep their places, what nobody wants reviewed stays where it is."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FILES = {"a.py": "a = 1\n", "lib/b.py": "b = 2\n", "node_modules/left/index.js": "x", "poetry.lock": "x"}


def test_a_folder_is_brought_with_its_places(page: Page, tmp_path: Path) -> None:
    for name, text in FILES.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    page.goto("/projects/demo/artifacts/")
    page.get_by_label("Folder").set_input_files(tmp_path / "shop")
    page.get_by_role("link", name="shop/lib/b.py").wait_for()
    assert page.get_by_role("link", name="shop/a.py").is_visible()
    words = page.content()
    assert "shop/node_modules" in words
    assert "shop/poetry.lock" in words
    assert "index.js" not in words
