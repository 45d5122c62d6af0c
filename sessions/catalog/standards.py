"""The standards that come along (`standards.toml`): every project begins with a copy of each."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class ShippedStandard:
    """`criteria` as `sessions.actions.standards.CriterionData` takes them."""

    key: str
    name: str
    purpose: str
    criteria: tuple[dict[str, Any], ...]


@cache
def shipped_standards() -> tuple[ShippedStandard, ...]:
    rows: list[dict[str, Any]] = tomllib.loads(FILE.read_text("utf-8"))["standard"]
    return tuple(ShippedStandard(**{**row, "criteria": tuple(row["criteria"])}) for row in rows)
