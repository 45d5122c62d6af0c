"""Which models a key may use: one GET, in the words of OpenAI's and of Anthropic's format."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import orjson

from sessions.catalog.facts import Facts, per_million, tokens
from sessions.catalog.makers import Wire
from sessions.providers.base import ProviderError, Secret
from sessions.providers.egress import check_url, http_session, usable_key, wire_errors
from sessions.providers.failures import refusal

LIST_SECONDS = 15.0
LIST_BYTES = 8_000_000
MOST_MODELS = 2_000
NAME_LENGTH = 180

_HEADERS: dict[Wire, Callable[[str], dict[str, str]]] = {
    "openai": lambda key: {"Authorization": f"Bearer {key}"},
    "anthropic": lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
}
_QUERY: dict[Wire, dict[str, str]] = {"openai": {}, "anthropic": {"limit": "1000"}}
# Where servers say how much a model can read: OpenRouter and Together, vLLM, Mistral, Anthropic.
_CONTEXT_FIELDS = ("context_length", "max_model_len", "max_context_length", "max_input_tokens", "context_window")


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as its server lists it, with what the server itself says of it."""

    name: str
    label: str = ""
    facts: Facts = Facts()

    def stored(self) -> dict[str, Any]:
        """As plain JSON."""
        told = {name: value if isinstance(value, int) else str(value) for name, value in asdict(self.facts).items()
                if value is not None}  # fmt: skip
        return {"name": self.name, "label": self.label, **({"facts": told} if told else {})}


async def list_models(wire: Wire, base_url: str, api_key: Secret, *, allow_local: bool = False) -> list[Offer]:
    """GET {base_url}/models, by name. Raises ProviderError."""
    url = (check_url(base_url, allow_local) / "models").with_query(_QUERY[wire])
    timeout = aiohttp.ClientTimeout(total=LIST_SECONDS)
    with wire_errors():
        async with http_session(allow_local).get(
            url, headers=_HEADERS[wire](usable_key(api_key)), allow_redirects=False, timeout=timeout
        ) as response:
            if response.status != 200:
                raise await refusal(response, schema_asked=False)
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > LIST_BYTES:
                    raise ProviderError("answer_too_large")
    return _offers(bytes(body))


def _offers(body: bytes) -> list[Offer]:
    try:
        document = orjson.loads(body)
        rows = document["data"] if isinstance(document, dict) else document
        offers = {offer.name: offer for row in rows or [] if (offer := _offer(row)).name}
    except (AttributeError, LookupError, TypeError, ValueError):
        raise ProviderError("malformed_stream") from None
    return sorted(offers.values(), key=lambda offer: offer.name.lower())[:MOST_MODELS]


def _offer(row: dict[str, Any]) -> Offer:
    name = str(row["id"]).removeprefix("models/")  # Google's resource names
    label = row.get("display_name") or ""
    context = next((found for field in _CONTEXT_FIELDS if (found := tokens(row.get(field)))), None)
    prices = row.get("pricing")
    prices = prices if isinstance(prices, dict) else {}
    facts = Facts(
        context_window=context,
        max_output_tokens=tokens(row.get("max_output_tokens")),
        input_price=per_million(prices.get("prompt")),
        output_price=per_million(prices.get("completion")),
        cached_price=per_million(prices.get("input_cache_read")),
    )
    storable = name.isprintable() and len(name) <= NAME_LENGTH
    return Offer(name if storable else "", label[:100] if isinstance(label, str) else "", facts)
