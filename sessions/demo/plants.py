"""What can be found: defects planted in the demo artifacts (`plants.toml`), known by the artifact's content."""

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ARTIFACTS = HERE / "artifacts"
CLEAN_ARTIFACT = "reading_time.py"


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to say it."""

    title: str
    claim: str
    suggestion: str


@dataclass(frozen=True, slots=True)
class Plant:
    """A defect and its place. `artifact` is a file name, `quote` stands verbatim within the lines, `difficulty` is
    subtracted from a persona's recall, `impact` is one sentence. A `decoy` is a plausible false alarm."""

    id: str
    artifact: str
    start_line: int
    end_line: int
    anchor: str
    category: str
    family: str
    severity: str
    difficulty: float
    quote: str
    impact: str
    wordings: tuple[Wording, ...]
    decoy: bool = False


def read_wordings(rows: Iterable[dict[str, str]]) -> tuple[Wording, ...]:
    return tuple(Wording(**row) for row in rows)


@cache
def all_plants() -> tuple[Plant, ...]:
    """In the order of the file: by artifact, real defects before decoys."""
    rows: list[dict[str, Any]] = tomllib.loads((HERE / "plants.toml").read_text("utf-8"))["plant"]
    return tuple(Plant(**{**row, "wordings": read_wordings(row["wordings"])}) for row in rows)


def planted_in(text: str) -> tuple[Plant, ...] | None:
    """The plants of a demo artifact, None for every other text. A last newline makes no difference."""
    name = _demo_pack().get(_digest(text))
    return None if name is None else tuple(plant for plant in all_plants() if plant.artifact == name)


@cache
def _demo_pack() -> dict[str, str]:
    return {_digest(file.read_text("utf-8")): file.name for file in sorted(ARTIFACTS.iterdir()) if file.is_file()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.removesuffix("\n").encode("utf-8", "replace")).hexdigest()
