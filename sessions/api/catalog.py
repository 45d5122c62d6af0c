"""The models people can seat. Writing to the registry is the operator's: console and command line."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Prefetch
from django.db.models.functions import Now
from django.http import HttpRequest
from ninja import Router, Schema

from sessions.api.bodies import replies
from sessions.models import LanguageModel, ModelPrice

router = Router()


class PriceOut(Schema):
    """Micro-credits per million tokens; 1,000,000,000 of them are one US dollar."""

    since: datetime
    input_microcredits: int
    output_microcredits: int
    cached_input_microcredits: int | None


class ModelOut(Schema):
    """`ready`: switched on and, unless simulated, with a key. No `price`: it is unknown, which is not free."""

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
    price: PriceOut | None


class ModelsOut(Schema):
    models: list[ModelOut]


@router.get("/models", response=replies(200, ModelsOut))
def list_models(request: HttpRequest) -> dict[str, Any]:
    return {"models": [_model(row) for row in registry()]}


def registry() -> Iterable[LanguageModel]:
    """All models with their provider and the prices that are or were in force, the newest first; two queries."""
    prices = ModelPrice.objects.filter(since__lte=Now()).order_by("-since")
    return LanguageModel.objects.select_related("provider").prefetch_related(Prefetch("prices", prices)).order_by("pk")


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
        "ready": row.enabled and (row.simulated or bool(row.provider.sealed_key)),
        "simulated": row.simulated,
        "price": prices[0] if prices else None,
    }
