"""Every text meets WCAG AA on every ground of static/css/tokens.css, in both themes; nothing bypasses the tokens."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STYLES = sorted((ROOT / "static" / "css").glob("*.css"))
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text()
PAIRS = {name: both for name, *both in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", TOKENS)}

GROUNDS = ("ground", "surface", "sunken", "hover", "overlay", "accent-soft")
SEVERITIES = ("blocker", "critical", "major", "minor", "info")
INSTANCES = tuple(f"mono-{letter}" for letter in "abcdefgh")
CODE = tuple(name for name in PAIRS if name.startswith("code-"))
TEXT = (
    *((text, ground) for text in ("text", "quiet", "accent") for ground in GROUNDS),
    *((text, ground) for text in ("good", "warn", "bad", *SEVERITIES) for ground in GROUNDS),
    *((text, ground) for text in CODE for ground in ("ground", "sunken", "marked", "at", "added", "removed")),
    *(("text", ground) for ground in ("marked", "at", "added", "removed")),
    ("accent-text", "accent"),
    ("fill-text", "fill"),
    ("fill-text", "fill-hover"),
)
TINT = 0.14  # of a monogram: its own colour on this much of it


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of `#rrggbb`."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, ground: str, share: float) -> str:
    parts = ((int(colour[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(one * share + other * (1 - share)):02x}" for one, other in parts)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_meets_aa_on_every_ground(theme: int) -> None:
    ratios = {pair: contrast(PAIRS[pair[0]][theme], PAIRS[pair[1]][theme]) for pair in TEXT}
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_a_letter_meets_aa_in_its_monogram(theme: int) -> None:
    ground = PAIRS["ground"][theme]
    colours = {name: PAIRS[name][theme] for name in INSTANCES}
    ratios = {name: contrast(colour, mixed(colour, ground, TINT)) for name, colour in colours.items()}
    assert {name: round(ratio, 2) for name, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_a_control_stands_out_from_what_it_lies_on(theme: int) -> None:
    low = {on: contrast(PAIRS["edge"][theme], PAIRS[on][theme]) for on in ("ground", "surface", "sunken")}
    assert {on: round(ratio, 2) for on, ratio in low.items() if ratio < 3} == {}


def test_no_two_severities_states_or_instances_share_a_colour() -> None:
    names = (*SEVERITIES, *INSTANCES, "good", "warn", "bad", "accent")
    for theme in (0, 1):
        assert len({PAIRS[name][theme] for name in names}) == len(names)


@pytest.mark.parametrize("name", SEVERITIES)
def test_a_severity_colour_is_named_once_outside_of_the_tokens(name: str) -> None:
    uses = [path.name for path in STYLES for _ in re.findall(rf"var\(--{name}\)", path.read_text())]
    assert uses == ["components.css"]


@pytest.mark.parametrize("path", [path for path in STYLES if path.name != "tokens.css"], ids=lambda path: path.name)
def test_a_stylesheet_names_no_colour_of_its_own(path: Path) -> None:
    """Backdrops and selections apart, which are no text's ground; `data:` images cannot read tokens."""
    text = re.sub(r"url\([^)]*\)", "", path.read_text())
    own = [line for line in text.splitlines() if re.search(r"#[0-9a-f]{3,8}\b|rgb\(|hsl\(", line)]
    assert [line for line in own if not line.startswith(("::backdrop", "::selection"))] == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_sizes_weights_and_shadows_come_from_the_tokens(path: Path) -> None:
    text = path.read_text()
    if path.name == "tokens.css":
        return
    assert re.findall(r"font-weight: (?!var\(--(?:strong|regular)\))[^;]+", text) == []
    assert re.findall(r"font-size: (?!var\(--size-[1-6]\))[^;]+", text) == []
    assert re.findall(r"box-shadow: (?!var\(--shadow\)|inset|none)[^;]+", text) == []
