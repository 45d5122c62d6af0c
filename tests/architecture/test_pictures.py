"""The pictures of the documentation: those that `tools/shots.py` names, small, shown in both themes, and described."""

import re
import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.pictures import SIGNATURE, encode
from tools.shots import IMAGES, SHOTS, SIZES, VIEWS, kept

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
MOST_BYTES = 1_500_000
PICTURE = re.compile(r"<picture>(.*?)</picture>", re.DOTALL)
every_page = pytest.mark.parametrize("page", PAGES)


class Shown(NamedTuple):
    """A `<picture>`: the file for dark themes, the other one, and what it says to who does not see it."""

    dark: Path
    light: Path
    alt: str


def pictures(page: str) -> list[Shown]:
    here = PAGES[page].parent
    found = []
    for inner in PICTURE.findall(PAGES[page].read_text()):
        dark = re.search(r'<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">', inner)
        light = re.search(r'<img src="([^"]+)" alt="([^"]+)"', inner)
        assert dark, inner
        assert light, inner
        found.append(Shown((here / dark[1]).resolve(), (here / light[1]).resolve(), light[2]))
    return found


@every_page
def test_every_picture_exists_in_both_themes(page: str) -> None:
    wrong = [shown for shown in pictures(page) if str(shown.light).replace("-light.", "-dark.") != str(shown.dark)]
    missing = [path for shown in pictures(page) for path in shown[:2] if not path.is_file()]
    assert (wrong, missing) == ([], [])


@every_page
def test_every_picture_says_what_it_shows(page: str) -> None:
    assert [shown for shown in pictures(page) if len(shown.alt.split()) < 5] == []


@every_page
def test_no_picture_is_shown_in_one_theme_alone(page: str) -> None:
    alone = PICTURE.sub("", PAGES[page].read_text())
    assert re.findall(r"<img|!\[", alone) == []


def test_the_readme_has_pictures_on_a_screen_and_on_a_phone() -> None:
    shown = {shown.light.name.partition("-")[2] for shown in pictures("README.md")}
    assert shown == {"wide-light.png", "phone-light.png"}


def test_the_shot_table_names_every_picture() -> None:
    assert {path.name for path in IMAGES.iterdir()} == kept()


def test_every_picture_is_shown_somewhere() -> None:
    shown = {path.name for page in PAGES for picture in pictures(page) for path in picture[:2]}
    assert shown == kept()


def test_shots_have_names_of_their_own_and_known_views() -> None:
    assert len({shot.name for shot in SHOTS}) == len(SHOTS)
    assert {view for shot in SHOTS for view in shot.views} <= set(VIEWS)


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < MOST_BYTES


def test_every_picture_has_the_size_of_its_view() -> None:
    wrong = {
        path.name: size
        for path in IMAGES.iterdir()
        if (size := struct.unpack(">II", path.read_bytes()[16:24])) != SIZES[path.stem.split("-")[1]]
    }
    assert wrong == {}


def test_a_picture_is_an_indexed_png() -> None:
    """Two pixels beside each other, above two others."""
    png = encode(2, 2, [[255, 255, 255], [0, 0, 0]], b"\0\1\1\0")
    assert png.startswith(SIGNATURE + b"\0\0\0\x0dIHDR" + struct.pack(">IIBB", 2, 2, 8, 3))
    assert b"\0\0\0\x06PLTE\xff\xff\xff\0\0\0" in png
    assert png.endswith(b"\0\0\0\0IEND\xaeB\x60\x82")
