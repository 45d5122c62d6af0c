"""What is publicly known of models: context windows and prices, from the table that comes with LiteLLM.

The table is a JSON file inside of LiteLLM's package. It is read as a file, on first use: importing LiteLLM for it would
cost seconds and a hundred megabytes.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

TABLE = "model_prices_and_context_window_backup.json"
MILLION = 1_000_000
CHAT_MODES = frozenset({"chat", "responses", "completion"})
# What no table knows: told from the name, so that lists are not full of what cannot review.
_NO_CHAT = (
    "embed", "whisper", "tts", "dall-e", "moderation", "rerank", "transcribe", "image", "imagen", "veo", "sora",
    "realtime", "speech", "babbage", "davinci", "aqa", "ocr", "lyria", "robotics",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """Tokens, and dollars per million tokens. None is unknown, which is not zero."""

    context_window: int | None = None
    max_output_tokens: int | None = None
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    cached_price: Decimal | None = None

    @property
    def priced(self) -> bool:
        return self.input_price is not None and self.output_price is not None


def facts_of(name: str, tables: tuple[str, ...]) -> Facts:
    """What the table says of a model under one of the prefixes `tables`; nothing at all when it has no row."""
    row = _row(name, tables)
    return Facts(
        context_window=tokens(row.get("max_input_tokens") or row.get("max_tokens")),
        max_output_tokens=tokens(row.get("max_output_tokens")),
        input_price=per_million(row.get("input_cost_per_token")),
        output_price=per_million(row.get("output_cost_per_token")),
        cached_price=per_million(row.get("cache_read_input_token_cost")),
    )


def answers_in_words(name: str, tables: tuple[str, ...]) -> bool:
    """Whether a model can take part: not one for embeddings, pictures or sound."""
    mode = _row(name, tables).get("mode")
    return mode in CHAT_MODES if mode else not any(fragment in name.lower() for fragment in _NO_CHAT)


def tokens(value: Any) -> int | None:
    """A credible number of tokens, else None."""
    return value if type(value) is int and 0 < value < 2**31 else None


def per_million(dollars_per_token: Any) -> Decimal | None:
    """Dollars per million tokens from dollars per token, as numbers or texts name them; None for anything else."""
    try:
        price = Decimal(str(dollars_per_token)) * MILLION
    except InvalidOperation:
        return None
    return price.quantize(Decimal("0.0001")) if price.is_finite() and 0 <= price < MILLION else None


def _row(name: str, tables: tuple[str, ...]) -> dict[str, Any]:
    found = next((row for prefix in tables if (row := _table().get(prefix + name))), None)
    return found or {}


@cache
def _table() -> dict[str, dict[str, Any]]:
    """LiteLLM's rows with the few fields we use; empty without LiteLLM."""
    package = find_spec("litellm")
    if package is None or package.origin is None:
        return {}
    used = (
        "mode", "max_input_tokens", "max_output_tokens", "max_tokens", "input_cost_per_token", "output_cost_per_token",
        "cache_read_input_token_cost",
    )  # fmt: skip
    rows = orjson.loads(Path(package.origin).with_name(TABLE).read_bytes())
    return {name: {field: row[field] for field in used if field in row} for name, row in rows.items()}
