"""Ways in which models get JSON wrong, for the ladder that repairs it."""

import json
from collections.abc import Callable
from typing import Any

_KEPT = 0.6  # of a truncated answer


def dump(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=1, ensure_ascii=False)


def trailing_comma(answer: dict[str, Any]) -> str:
    return dump(answer)[:-2] + ",\n}"


def single_quotes(answer: dict[str, Any]) -> str:
    return repr(answer)


def wrapped(answer: dict[str, Any]) -> str:
    return f"Here is my review.\n\n```json\n{dump(answer)}\n```\n\nI can go into more detail where that helps."


def truncated(answer: dict[str, Any]) -> str:
    text = dump(answer)
    return text[: int(len(text) * _KEPT)]


SHAPES: tuple[Callable[[dict[str, Any]], str], ...] = (trailing_comma, single_quotes, wrapped, truncated)
