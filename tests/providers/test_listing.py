"""What servers of every kind say they offer, over HTTP: names, how much they read, what they cost."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from sessions.catalog.facts import Facts
from sessions.providers.base import ProviderError, Secret
from sessions.providers.listing import MOST_MODELS, list_models

KEY = Secret("sk-1")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@pytest.fixture
def listing(replying: Any) -> Any:
    """What is read from a reply with this body."""

    async def ask(body: Any) -> Any:
        async with replying(HEAD + (body if isinstance(body, bytes) else orjson.dumps(body))) as url:
            return await list_models("openai", url, KEY, allow_local=True)

    return ask


async def test_models_are_listed_by_name(mock: Any) -> None:
    offers = await list_models("openai", mock.url + "/v1", KEY, allow_local=True)
    assert [offer.name for offer in offers] == ["alpha", "beta"]


async def test_a_refused_key_says_so(mock: Any) -> None:
    with pytest.raises(ProviderError, match="provider_auth"):
        await list_models("openai", mock.url + "/v1", Secret("sk-refused"), allow_local=True)


async def test_anthropics_format_is_asked_with_its_own_headers(mock: Any) -> None:
    with pytest.raises(ProviderError, match="provider_auth"):
        await list_models("anthropic", mock.url + "/v1", Secret("refused"), allow_local=True)
    offers = await list_models("anthropic", mock.url + "/v1", KEY, allow_local=True)
    assert len(offers) == 2


async def test_a_local_address_needs_leave(mock: Any) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        await list_models("openai", mock.url + "/v1", KEY)


@pytest.mark.parametrize("body", [b"", b'{"data": 7}', b'{"data": [{}]}', b"<html>", b'["name"]', b'{"models": []}'])
async def test_a_list_of_another_shape_is_malformed(listing: Any, body: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed_stream"):
        await listing(body)


@pytest.mark.parametrize("body", [{"data": []}, {"data": None}, []])
async def test_an_empty_list_is_a_list(listing: Any, body: Any) -> None:
    assert await listing(body) == []


@pytest.mark.parametrize(
    ("row", "facts"),
    [
        ({"context_length": 32_000}, Facts(context_window=32_000)),
        ({"max_model_len": 4_096}, Facts(context_window=4_096)),
        ({"max_context_length": True, "max_input_tokens": -1}, Facts()),
        (
            {"pricing": {"prompt": "0.0000025", "completion": "0.00001"}},
            Facts(input_price=Decimal("2.5"), output_price=Decimal("10")),
        ),
        ({"pricing": {"prompt": "-1", "completion": "free"}}, Facts()),
        ({"pricing": "ask us"}, Facts()),
    ],
)
async def test_what_a_server_says_of_a_model_is_read(listing: Any, row: dict[str, Any], facts: Facts) -> None:
    (offer,) = await listing({"data": [{"id": "m", **row}]})
    assert offer.facts == facts


async def test_googles_names_lose_their_prefix(listing: Any) -> None:
    (offer,) = await listing({"data": [{"id": "models/gemini-x", "display_name": "Gemini X"}]})
    assert (offer.name, offer.label) == ("gemini-x", "Gemini X")


async def test_names_that_cannot_be_shown_are_left_out(listing: Any) -> None:
    names = ["a\nb", "x" * 500, "", "fine", "fine"]
    assert [offer.name for offer in await listing({"data": [{"id": name} for name in names]})] == ["fine"]


async def test_an_endless_list_is_cut(listing: Any) -> None:
    rows = [{"id": f"model-{number}"} for number in range(MOST_MODELS + 1)]
    assert len(await listing({"data": rows})) == MOST_MODELS
