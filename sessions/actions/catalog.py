"""Writing to the registry: providers with their keys, models, and what they cost from now on."""

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions import vault
from sessions.actions.errors import Refused
from sessions.catalog.makers import MAKERS, maker_at
from sessions.models import LanguageModel, ModelPrice, Provider
from sessions.providers.locality import is_own_server, may_be_local

# A local server wants no key, but a call without one is refused everywhere: this one says there is none.
NO_KEY = "none"
MODEL_ID = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}"


@dataclass(frozen=True, slots=True)
class NewModel:
    """`route` is `<provider>/<model>` as LiteLLM names it; with `base_url` it is the model's name at that
    OpenAI-compatible endpoint (an `openai/` in front is dropped), unless the route names another wire format.
    Prices are dollars per million tokens."""

    id: str
    route: str
    base_url: str = ""
    key: str = ""
    weight: int | None = None
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    context_window: int | None = None
    family: str = ""


def add_model(new: NewModel) -> LanguageModel:
    """Create a model with its provider, key and price, or change what is given of one. Raises Refused."""
    _check(new)
    adapter, base_url, route = _asked_at(new)
    vendor = new.route.partition("/")[0]
    with transaction.atomic():
        provider = _provider(new, vendor, adapter, base_url)
        fields: dict[str, Any] = {"provider": provider, "route": route, "enabled": True, "removed_at": None}
        given = {"weight": new.weight, "context_window": new.context_window, "family": new.family or None}
        fields |= {name: value for name, value in given.items() if value is not None}
        model, _ = LanguageModel.objects.update_or_create(
            pk=new.id, defaults=fields, create_defaults={"family": vendor, **fields}
        )
        if new.input_price is not None and new.output_price is not None:
            set_price(model, new.input_price, new.output_price)
    return model


# Wire formats that are not OpenAI's: a base URL then goes to LiteLLM's own adapter of that name.
LITELLM_WIRES = frozenset({"anthropic", "gemini", "vertex_ai", "azure", "azure_ai", "bedrock", "mistral", "cohere"})


def set_price(model: LanguageModel, input_price: Decimal, output_price: Decimal) -> ModelPrice | None:
    """A price in dollars per million tokens, in force from now on; None when it is the one in force."""
    micro = [int((price * MICROCREDITS_PER_DOLLAR).to_integral_value()) for price in (input_price, output_price)]
    if min(micro) < 0:
        raise Refused("bad_price", "A price cannot be negative.")
    current = model.prices.first()
    if current and [current.input_microcredits, current.output_microcredits] == micro:
        return None
    return ModelPrice.objects.create(
        language_model=model, since=timezone.now(), input_microcredits=micro[0], output_microcredits=micro[1]
    )


def set_key(provider: Provider, key: str) -> None:
    """Seal `key` for the provider and its host; an empty one takes the key away."""
    key = key.strip()
    provider.sealed_key = vault.seal(provider.name, provider.base_url, key) if key else None
    provider.key_hint = key[-4:] if len(key) >= 12 else ""
    provider.save(update_fields=["sealed_key", "key_hint"])
    forget_tests(provider)


def forget_tests(provider: Provider) -> None:
    """What was found with another key or at another address says nothing any more."""
    provider.language_models.update(checked_at=None, check_code="", check_ms=None, check_cost=None)


def set_base_url(provider: Provider, base_url: str) -> None:
    """Move a provider. A key belongs to its host: another host, and it is wiped."""
    if vault.host_of(base_url) != vault.host_of(provider.base_url):
        provider.sealed_key, provider.key_hint = None, ""
    provider.base_url = base_url
    provider.save(update_fields=["base_url", "sealed_key", "key_hint"])


def provider_at(vendor: str, adapter: str, base_url: str, **defaults: Any) -> Provider:
    """The provider for this address and wire format, made with `defaults` when it is not there. Two hosts can look
    alike as a slug, and a maker's name may stand for another wire format: such a one gets a name of its own, because
    moving the one there would send its models' prompts to the other."""
    host = urlsplit(base_url).netloc.lower()
    known = maker_at(base_url)
    slug = slugify(f"{vendor}-{host.replace('.', '-').replace(':', '-')}" if host else vendor)[:60]
    name = known.key if known else slug
    there = Provider.objects.filter(name=name).first()
    if there and (urlsplit(there.base_url).netloc.lower(), there.adapter) != (host, adapter):
        name = f"{slug[:51]}-{hashlib.sha256(f'{adapter}|{host}'.encode()).hexdigest()[:8]}"
    maker = known or MAKERS.get(vendor)
    label = known.label if known else host or (maker.label if maker else vendor)
    defaults = {"adapter": adapter, "label": label, "maker": maker.key if maker else "", **defaults}
    provider, _ = Provider.objects.get_or_create(name=name, defaults={"base_url": base_url, **defaults})
    if provider.base_url != base_url:
        set_base_url(provider, base_url)
    return provider


def _asked_at(new: NewModel) -> tuple[str, str, str]:
    """Adapter, base URL and route. OpenAI's own wire format needs no LiteLLM, wherever it is spoken."""
    vendor, _, rest = new.route.partition("/")
    maker = MAKERS.get(vendor)
    if rest and not new.base_url and maker and maker.adapter == "openai_wire" and maker.wants == "key":
        return maker.adapter, maker.base_url, rest
    if new.base_url and vendor not in LITELLM_WIRES:
        return "openai_wire", new.base_url.rstrip("/"), rest if vendor == "openai" and rest else new.route
    return "litellm", new.base_url.rstrip("/"), new.route


def _provider(new: NewModel, vendor: str, adapter: str, base_url: str) -> Provider:
    provider = provider_at(vendor, adapter, base_url)
    if new.key:
        set_key(provider, new.key)
    elif is_own_server(base_url) and not provider.sealed_key:
        set_key(provider, NO_KEY)
    return provider


def _check(new: NewModel) -> None:
    if not re.fullmatch(MODEL_ID, new.id):
        raise Refused("bad_model_id", "A model id has letters, digits and . _ : / @ - only, at most 100 of them.")
    if not new.route.strip():
        raise Refused("bad_route", "A model needs a route: its name at the provider.")
    if new.weight is not None and not 0 <= new.weight <= 10:
        raise Refused("bad_weight", "A weight is a whole number from 0 to 10.")
    check_base_url(new.base_url)


def check_base_url(base_url: str) -> None:
    """Raises Refused for an address that no provider may have."""
    parts = urlsplit(base_url)
    if base_url and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username):
        raise Refused("bad_base_url", "The base URL must be http(s)://host[:port]/path, without user or password.")
    if parts.scheme == "http" and not may_be_local(base_url):
        raise Refused("address_blocked", "http is for local providers only; list the host in CRUCIBLE_LOCAL_PROVIDERS.")
