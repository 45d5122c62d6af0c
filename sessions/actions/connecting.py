"""Connecting models from a key or an address: ask what may be used, take some, test them, change and remove them."""

import asyncio
import hashlib
import re
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions import vault
from sessions.actions.catalog import NO_KEY, check_base_url, provider_at, set_key, set_price
from sessions.actions.errors import Refused
from sessions.catalog.facts import Facts
from sessions.catalog.makers import CLOUD_CALLS, LOCAL_CALLS, MAKERS, Maker, base_url_for, family_of, list_url_for
from sessions.catalog.offers import Offered, offered_by
from sessions.models import LanguageModel, Provider, Roster
from sessions.providers.base import ProviderError, Secret
from sessions.providers.egress import close_sessions
from sessions.providers.listing import NAME_LENGTH, Offer, list_models
from sessions.providers.locality import is_own_server, may_be_local

Result = TypeVar("Result")

KEY_REFUSED = frozenset({"provider_auth", "no_key"})
MOST_TICKED = 50
MOST_CALLS = 200
# Assumed where nobody says: what current cloud models take at least, and what local servers usually run with.
CLOUD_CONTEXT, LOCAL_CONTEXT = 128_000, 8_192
MOST_OUTPUT = 32_000
_DEFAULT_OUTPUT = 8_000

# Why a list could not be had, for the person who has just pasted a key or an address. {maker} and {address} are filled.
_LIST_FAILURES = {
    "provider_auth": "{maker} refused this key. Check that all of it was copied and that it was not revoked.",
    "provider_denied": "{maker} knows this key, but it may not list models. Give it that right, or name a model below.",
    "rate_limited": "{maker} asks us to slow down. Wait a minute, then fetch again.",
    "quota_exceeded": "The account of this key has no credit left. Top up at {maker}, then fetch again.",
    "connect_failed": "Nothing answers at {address}. Check the address, and that the server runs.",
    "connection_lost": "{address} closed the connection without an answer. Check the address, and http or https.",
    "model_not_found": "{address} has no list of models. Check its path (most end in /v1), or name a model below.",
    "malformed_stream": "What {address} answered is not a list of models. Check the path (most end in /v1).",
    "redirect_refused": "{address} sends us elsewhere. Enter the address where it ends.",
    "address_blocked": "{address} may not be used: only public https addresses on usual ports, unless an operator lists"
    " the host in CRUCIBLE_LOCAL_PROVIDERS.",
    "answer_too_large": "The list at {address} is too large to be read. Name a model below.",
}  # fmt: skip
_TIMEOUT = "{address} did not answer in time. Check the address, and that the server is not busy."
_OTHER = "{maker} answered with an error of its own. Try again in a minute."
_NONE = "{maker} answers, but offers no models. Give the key access to some, load one there, or name a model below."


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person brought to a tile. `name`: a model that the server does not list."""

    maker: Maker
    address: str = ""
    key: str = ""
    name: str = ""


def find_maker(key: str) -> Maker:
    maker = MAKERS.get(key)
    if maker is None:
        raise Refused("unknown_maker", f"There is no maker {key!r}. Known: {', '.join(MAKERS)}.", 404)
    return maker


def connect(entry: Entry) -> Provider:
    """Ask what this key may use and keep key and list; nothing is kept when that fails. Raises Refused."""
    maker = entry.maker
    base_url = base_url_for(maker, entry.address)
    if not base_url and maker.wants != "key":
        raise Refused("no_address", f"Enter the address of your {maker.label}.", 422)
    check_base_url(base_url)
    there = Provider.objects.filter(maker=maker.key, base_url=base_url).first()
    secret = _secret(entry, base_url, there)
    offers = _named(entry, there) or [offer.stored() for offer in _fetch(maker, base_url, secret)]
    calls = LOCAL_CALLS if maker.local or is_own_server(base_url) else CLOUD_CALLS
    with transaction.atomic():
        provider = there or provider_at(
            _name(maker, base_url), maker.adapter, base_url,
            maker=maker.key, label=_label(maker, base_url), max_concurrent=calls,
        )  # fmt: skip
        if entry.key.strip() or not provider.sealed_key:
            set_key(provider, secret.value)
        _keep_offers(provider, offers)
    return provider


def fetch_again(provider: Provider) -> list[tuple[LanguageModel, int]]:
    """Renew the list of what a provider offers. Returns the connected models whose context window changed with it, and
    what they had. Raises Refused."""
    maker = find_maker(provider.maker)
    offers = _fetch(maker, provider.base_url, key_of(provider))
    with transaction.atomic():
        return _keep_offers(provider, [offer.stored() for offer in offers])


def change_key(provider: Provider, key: str) -> None:
    """Seal another key unless the provider refuses it: then the old one stays. Whatever else keeps a list from coming
    says nothing about the key. Raises Refused."""
    key = key.strip()
    if not key:
        raise Refused("no_key", "Paste the new key.", 422)
    secret = _known_to_the_log_filter(provider.name, provider.base_url, key)
    if maker := MAKERS.get(provider.maker):
        try:
            _fetch(maker, provider.base_url, secret)
        except Refused as refused:
            if refused.code in KEY_REFUSED:
                raise
    set_key(provider, key)


def drop_key(provider: Provider) -> None:
    """Its models stay where they sit and cannot be started without another key."""
    set_key(provider, "")


def set_calls(provider: Provider, calls: int) -> None:
    """How many calls a provider gets at a time."""
    if not 1 <= calls <= MOST_CALLS:
        raise Refused("bad_calls", f"Calls at a time are a whole number from 1 to {MOST_CALLS}.", 422)
    provider.max_concurrent = calls
    provider.save(update_fields=["max_concurrent"])


def add_offered(provider: Provider, names: Sequence[str]) -> list[LanguageModel]:
    """Take models of the provider's list into the registry, with what is known of them. Raises Refused."""
    wanted = set(names)
    if not wanted:
        raise Refused("nothing_ticked", "Tick at least one model.", 422)
    if len(wanted) > MOST_TICKED:
        raise Refused("too_many_models", f"Take at most {MOST_TICKED} models at a time.", 422)
    found = [offered for offered in offered_by(provider) if offered.name in wanted]
    if unknown := sorted(wanted - {offered.name for offered in found}):
        raise Refused("model_unknown", f"{unknown[0]!r} is not in the list of {provider}. Fetch it again.", 422)
    with transaction.atomic():
        return [_take(provider, offered) for offered in found]


def change_model(model: LanguageModel, *, context_window: int, prices: tuple[Decimal, Decimal] | None) -> None:
    """Correct what a table says. Without prices the ones in force stay. Raises Refused."""
    if not 1_000 <= context_window <= 20_000_000:
        raise Refused("bad_context", "A context window has from 1,000 to 20,000,000 tokens.", 422)
    with transaction.atomic():
        model.context_window = context_window
        model.save(update_fields=["context_window"])
        if prices:
            set_price(model, *prices)


def enable_model(model: LanguageModel, enabled: bool) -> None:
    model.enabled = enabled
    model.save(update_fields=["enabled"])


def remove_model(model: LanguageModel) -> None:
    """Take a model out of the registry. Sessions that it took part in keep it; rosters show an empty seat."""
    model.enabled, model.removed_at = False, timezone.now()
    model.save(update_fields=["enabled", "removed_at"])


def rosters_with(model: LanguageModel) -> list[Roster]:
    """Every saved roster, of any project, in which the model sits or would stand in."""
    rows = Roster.objects.filter(project__deleted_at=None).select_related("project")
    return [row for row in rows if any(model.pk in (seat["model_id"], seat.get("fallback")) for seat in row.seats)]


def key_of(provider: Provider) -> Secret:
    """Raises Refused when there is none, or it cannot be opened any more."""
    if provider.sealed_key:
        try:
            return vault.reveal(provider.name, provider.base_url, bytes(provider.sealed_key))
        except vault.SealBroken:
            raise Refused("no_key", f"The key of {provider} cannot be opened any more. Paste it again.", 422) from None
    raise Refused("no_key", f"{provider} has no key. Paste one.", 422)


def run_outside(work: Coroutine[Any, Any, Result]) -> Result:
    """Run network work on a loop in a thread of its own, whatever the caller stands in. Its connections end with it."""

    async def whole() -> Result:
        try:
            return await work
        finally:
            await close_sessions()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="connecting") as thread:
        return thread.submit(asyncio.run, whole()).result()


def _fetch(maker: Maker, base_url: str, secret: Secret) -> list[Offer]:
    url = list_url_for(maker, base_url)
    filled = {"maker": maker.label, "address": url}
    try:
        offers = run_outside(list_models(maker.wire, url, secret, allow_local=may_be_local(base_url)))
    except ProviderError as error:
        sentence = _TIMEOUT if error.code.startswith("timeout") else _LIST_FAILURES.get(error.code, _OTHER)
        raise Refused(error.code, sentence.format(**filled), 422) from None
    if not offers:
        raise Refused("no_models", _NONE.format(**filled), 422)
    return offers


def _secret(entry: Entry, base_url: str, there: Provider | None) -> Secret:
    key = entry.key.strip()
    if not key and there and there.sealed_key:
        return key_of(there)
    if not key and entry.maker.wants == "key":
        raise Refused("no_key", f"Paste a key of {entry.maker.label}.", 422)
    return _known_to_the_log_filter(entry.maker.key, base_url, key or NO_KEY)


def _known_to_the_log_filter(name: str, base_url: str, key: str) -> Secret:
    """A key that is not kept yet, opened once as if it were: from then on no log line of this process shows it."""
    return vault.reveal(name, base_url, vault.seal(name, base_url, key))


def _name(maker: Maker, base_url: str) -> str:
    """What a provider's name begins with. Another path of a host is another provider: moving the one there would take
    its models along."""
    path = urlsplit(base_url).path
    return maker.key if path in {maker.path, urlsplit(maker.base_url).path} else f"{maker.key}-{slugify(path[1:])}"


def _label(maker: Maker, base_url: str) -> str:
    """A maker's own address needs no mention; servers of one's own are told apart by theirs."""
    if maker.wants == "key" and base_url == maker.base_url:
        return maker.label
    return f"{maker.label} at {urlsplit(base_url).netloc}"[:80]


def _named(entry: Entry, there: Provider | None) -> list[dict[str, Any]]:
    """The list with a model that only the person knows of; empty when they named none."""
    name = " ".join(entry.name.split())[:NAME_LENGTH]
    known = there.offered if there else []
    return [Offer(name).stored(), *(row for row in known if row["name"] != name)] if name else []


def _keep_offers(provider: Provider, offers: list[dict[str, Any]]) -> list[tuple[LanguageModel, int]]:
    """Keep the list, and let connected models follow what it says anew of their context windows: what a person entered
    stands until then. Returns those that changed, with what they had."""
    before, now = _windows(provider.offered), _windows(offers)
    provider.offered, provider.offered_at = offers, timezone.now()
    provider.save(update_fields=["offered", "offered_at"])
    prefix = find_maker(provider.maker).prefix
    listed = {prefix + name: window for name, window in now.items() if window != before.get(name)}
    changed = []
    for model in LanguageModel.objects.filter(provider=provider, route__in=listed, removed_at=None).order_by("pk"):
        if model.context_window != listed[model.route]:
            changed.append((model, model.context_window))
            model.context_window = listed[model.route]
            model.save(update_fields=["context_window"])
    return changed


def _windows(offers: list[dict[str, Any]]) -> dict[str, int]:
    """What the provider itself says, in tokens by name."""
    return {row["name"]: window for row in offers if (window := row.get("facts", {}).get("context_window"))}


def _take(provider: Provider, offered: Offered) -> LanguageModel:
    """The row of a model: the one that has this route already, or a new one."""
    maker = find_maker(provider.maker)
    route = maker.prefix + offered.name
    model = LanguageModel.objects.filter(provider=provider, route=route).first()
    if model:
        model.enabled, model.removed_at = True, None
        model.save(update_fields=["enabled", "removed_at"])
    else:
        facts, local = offered.facts, is_own_server(provider.base_url)
        model = LanguageModel.objects.create(
            pk=_free_id(provider, offered.name),
            provider=provider,
            route=route,
            label=(offered.label or offered.name)[:100],
            family=family_of(maker, offered.name) or provider.name,
            context_window=facts.context_window or (LOCAL_CONTEXT if local else CLOUD_CONTEXT),
            max_output_tokens=min(facts.max_output_tokens or _DEFAULT_OUTPUT, MOST_OUTPUT),
        )
    _price(model, offered.facts)
    return model


def _price(model: LanguageModel, facts: Facts) -> None:
    """A price that stands already was somebody's decision."""
    if facts.input_price is None or facts.output_price is None or model.prices.exists():
        return
    price = set_price(model, facts.input_price, facts.output_price)
    if price and facts.cached_price is not None:
        price.cached_input_microcredits = int(facts.cached_price * MICROCREDITS_PER_DOLLAR)
        price.save(update_fields=["cached_input_microcredits"])


def _free_id(provider: Provider, name: str) -> str:
    """`provider/name`, in the letters an id may have; with a mark when another model is called so."""
    plain = f"{provider.name}/{re.sub(r'[^A-Za-z0-9._:/@-]+', '-', name)}"
    mark = hashlib.sha256(f"{provider.name}|{name}".encode()).hexdigest()[:8]
    whole = plain if len(plain) <= 100 else f"{plain[:91]}-{mark}"
    taken = LanguageModel.objects.filter(pk=whole).exists()
    return f"{whole[:91]}-{mark}" if taken else whole
