"""Chance without chance: numbers drawn from the digest of what they depend on, the same on every replay."""

import hashlib
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

Option = TypeVar("Option")

_STANDARD = NormalDist()
_ALMOST = 1e-9  # the quantile function has no value at 0 and 1


def draw(*parts: str) -> float:
    """Uniform in [0, 1): the first 8 bytes of the parts' SHA-256 over 2^64."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def normal(*parts: str) -> float:
    """Standard normal."""
    return quantile(draw(*parts))


def quantile(probability: float) -> float:
    """The standard normal value below which `probability` lies; probabilities are kept off 0 and 1."""
    return _STANDARD.inv_cdf(min(max(probability, _ALMOST), 1 - _ALMOST))


def choose(options: Sequence[Option], *parts: str) -> Option:
    """One of a non-empty sequence."""
    return options[int(draw(*parts) * len(options)) % len(options)]
