"""The models people can seat: which there are, whether they work, and connecting more."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.actions import connecting
from sessions.actions.checking import check_models
from sessions.actions.connecting import MOST_TICKED, Entry, find_maker
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Slug, replies
from sessions.catalog import best as rosters_best
from sessions.catalog.offers import Offered, offered_by
from sessions.models import LanguageModel, Provider

router = Router()

ModelId = Annotated[str, Field(min_length=1, max_length=100)]
ModelName = Annotated[str, Field(min_length=1, max_length=200)]


class PriceOut(Schema):
    """Micro-credits per million tokens; 1,000,000,000 of them are one US dollar."""

    since: datetime
    input_microcredits: int
    output_microcredits: int
    cached_input_microcredits: int | None


class ModelOut(Schema):
    """`state`: works, untested, failed (then `error` is its code), no_key, disabled or simulated; of the last test.
    `ready`: switched on and, unless simulated, with a key. No `price`: it is unknown, which is not free."""

    id: str
    label: str
    provider: str
    family: str
    weight: int
    context_window: int
    max_output_tokens: int
    enabled: bool
    ready: bool
    simulated: bool
    state: str
    error: str
    tested_at: datetime | None
    price: PriceOut | None


class ModelsOut(Schema):
    models: list[ModelOut]


class OffersIn(Body):
    """A tile of the page "Connect a model". Without `key` the one that is sealed already is used."""

    maker: Slug
    key: str = Field("", max_length=1_000)
    address: str = Field("", max_length=300)


class OfferOut(Schema):
    """Tokens, and dollars per million tokens; null is unknown. `reviews`: it answers in words, as far as known."""

    name: str
    label: str
    context_window: int | None
    input_price: Decimal | None
    output_price: Decimal | None
    connected: bool
    reviews: bool


class OffersOut(Schema):
    provider: str
    offers: list[OfferOut]


class ConnectIn(Body):
    """Names as the provider offers them."""

    provider: Slug
    names: Annotated[list[ModelName], Field(min_length=1, max_length=MOST_TICKED)]


class TestIn(Body):
    model: ModelId


class TestOut(Schema):
    """`error` is empty when the model answered. `cost_microcredits` is null when its price is unknown."""

    model: str
    error: str
    answer: str
    seconds: float
    cost_microcredits: int | None


@router.get("/models", response=replies(200, ModelsOut))
def list_models(request: HttpRequest) -> dict[str, Any]:
    return {"models": [_model(row) for row in rosters_best.registry()]}


@router.post("/models/offers", response=replies(200, OffersOut))
def fetch_offers(request: HttpRequest, body: OffersIn) -> dict[str, Any]:
    """Ask a provider which models a key may use. The key is sealed when the provider takes it."""
    access.require_connect(actor_of(request))
    provider = connecting.connect(Entry(find_maker(body.maker), body.address, body.key))
    return {"provider": provider.name, "offers": [_offer(offered) for offered in offered_by(provider)]}


@router.post("/models", response=replies(201, ModelsOut))
def connect_models(request: HttpRequest, body: ConnectIn) -> Status[Any]:
    """Take offered models into the registry, with the context windows and prices that are known."""
    access.require_connect(actor_of(request))
    provider = Provider.objects.filter(name=body.provider).first()
    if provider is None:
        raise Http404
    taken = {model.pk for model in connecting.add_offered(provider, body.names)}
    return Status(201, {"models": [_model(row) for row in rosters_best.registry() if row.pk in taken]})


@router.post("/models/test", response=replies(200, TestOut))
def test_model(request: HttpRequest, body: TestIn) -> dict[str, Any]:
    """Ask the model one short question now."""
    access.require_connect(actor_of(request))
    rows = LanguageModel.objects.select_related("provider").filter(pk=body.model, removed_at=None, enabled=True)
    checked = check_models(list(rows))
    if not checked:
        raise Http404
    (found,) = checked
    return {
        "model": found.model.pk,
        "error": found.code,
        "answer": found.answer,
        "seconds": round(found.seconds, 3),
        "cost_microcredits": found.cost,
    }


def _model(row: LanguageModel) -> dict[str, Any]:
    prices = list(row.prices.all())
    return {
        "id": row.pk,
        "label": row.label or row.pk,
        "provider": row.provider.name,
        "family": row.family,
        "weight": row.weight,
        "context_window": row.context_window,
        "max_output_tokens": row.max_output_tokens,
        "enabled": row.enabled,
        "ready": row.enabled and row.provider.usable,
        "simulated": row.simulated,
        "state": row.state,
        "error": row.check_code,
        "tested_at": row.checked_at,
        "price": prices[0] if prices else None,
    }


def _offer(offered: Offered) -> dict[str, Any]:
    facts = offered.facts
    return {
        "name": offered.name,
        "label": offered.label or offered.name,
        "context_window": facts.context_window,
        "input_price": facts.input_price,
        "output_price": facts.output_price,
        "connected": offered.connected,
        "reviews": offered.reviews,
    }
