"""Connect a model: tiles, the list a key may use, what is connected and whether it works."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions import access
from sessions.access import Actor
from sessions.actions import connecting
from sessions.actions.checking import Checked, check_models
from sessions.actions.connecting import Entry
from sessions.actions.errors import Refused
from sessions.catalog.best import registry
from sessions.catalog.makers import MAKERS, Maker
from sessions.models import LanguageModel, Provider
from sessions.providers.locality import is_own_server
from sessions.views.base import counted, page


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A connected model as a table shows it, with what its test call just gave."""

    model: LanguageModel
    input_price: str
    output_price: str
    own_server: bool
    checked: Checked | None = None


@page("GET")
def listing(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What is connected, and the tiles."""
    rows = _rows(registry())
    groups = [(provider, list(found)) for provider, found in groupby(_by_provider(rows), lambda r: r.model.provider)]
    working = {row.model.provider.maker for row in rows if row.model.state == "works"}
    return show_registry(request, actor, "models/listing.html", {
        "connected": [group for group in groups if group[0].usable and not group[0].simulated],
        "simulated": [group for group in groups if group[0].simulated],
        "keyless": [group for group in groups if not group[0].usable],
        "tiles": [(maker, maker.key in working) for maker in MAKERS.values()],
        "works": bool(working),
    })  # fmt: skip


@sensitive_post_parameters("key")
@page("GET", "POST")
def tile(request: HttpRequest, actor: Actor, maker: str) -> HttpResponseBase:
    """Paste a key or an address. POST fetches the list and goes there; a model named by hand is connected at once."""
    access.require_connect(actor)
    found = MAKERS.get(maker)
    if found is None:
        raise Http404
    if request.method != "POST":
        return _show_tile(request, actor, found)
    typed = {name: request.POST.get(name, "") for name in ("address", "name")}
    try:
        provider = connecting.connect(Entry(found, typed["address"], request.POST.get("key", ""), typed["name"]))
        if not typed["name"].strip():
            return redirect("sessions:offers", provider.name)
        connecting.add_offered(provider, [provider.offered[0]["name"]])
    except Refused as refused:
        return _show_tile(request, actor, found, typed, refused)
    return redirect(f"{address_of(provider)}?new")


@sensitive_post_parameters("key")
@page("GET", "POST")
def provider(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """A provider's models, its key and its limits. POST changes the key or the calls at a time."""
    found, refusal = find_provider(name), None
    if request.method == "POST":
        access.require_connect(actor)
        try:
            messages.success(request, _change_provider(request, found))
            return redirect(address_of(found))
        except Refused as refused:
            refusal = refused
    return _show_provider(request, actor, found, refusal=refusal)


@page("POST")
def check(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """Test one model, or all that were never tested. htmx gets the row, everybody else the page."""
    access.require_connect(actor)
    found = find_provider(name)
    wanted = request.POST.get("model", "")
    rows = [m for m in registry() if m.provider_id == found.pk and (m.pk == wanted or not wanted)]
    asked = [model for model in rows if wanted or model.state == "untested"]
    checked = {result.model.pk: result for result in check_models(asked)}
    if request.headers.get("HX-Request") and len(asked) == 1:
        (row,) = _rows(asked, checked)
        return show_registry(
            request, actor, "models/_checked.html", {"row": row, **_provider_words(found, _rows(rows))}
        )
    return _show_provider(request, actor, found, checked)


@page("GET", "POST")
def model(request: HttpRequest, actor: Actor, pk: str) -> HttpResponseBase:
    """One model: what it reads and costs, where it sits, on and off, and out."""
    access.require_connect(actor)
    found = LanguageModel.objects.select_related("provider").filter(pk=pk, removed_at=None).first()
    if found is None:
        raise Http404
    refusal = None
    if request.method == "POST":
        try:
            messages.success(request, CHANGES[request.POST.get("go", "")](request, found))
            return redirect(address_of(found.provider))
        except KeyError:
            raise Http404 from None
        except Refused as refused:
            refusal = refused
    return _show_model(request, actor, found, refusal)


def _change_provider(request: HttpRequest, found: Provider) -> str:
    match request.POST.get("go"):
        case "key":
            connecting.change_key(found, request.POST.get("key", ""))
            return f"The key of {found} was changed. Test its models again."
        case "drop_key":
            connecting.drop_key(found)
            return f"The key of {found} was taken away."
        case "calls":
            calls = request.POST.get("calls", "")
            connecting.set_calls(found, int(calls) if calls.isascii() and calls.isdigit() and len(calls) < 9 else 0)
            return f"{found} gets at most {counted(found.max_concurrent, 'call', 'calls')} at a time."
    raise Http404


def _edit(request: HttpRequest, found: LanguageModel) -> str:
    context = request.POST.get("context", "").replace(",", "").strip()
    prices = [_dollars(request.POST.get(name, "")) for name in ("input_price", "output_price")]
    if prices.count(None) == 1:
        raise Refused("bad_price", "Give both prices, or leave both empty for unknown.", 422)
    known = None if prices[0] is None or prices[1] is None else (prices[0], prices[1])
    window = int(context) if context.isascii() and context.isdigit() and len(context) < 12 else 0
    connecting.change_model(found, context_window=window, prices=known)
    return f"{found.label or found.pk} was changed."


def _enable(request: HttpRequest, found: LanguageModel) -> str:
    connecting.enable_model(found, True)
    return f"{found.label or found.pk} is on again."


def _disable(request: HttpRequest, found: LanguageModel) -> str:
    connecting.enable_model(found, False)
    return f"{found.label or found.pk} is switched off: no session starts with it."


def _remove(request: HttpRequest, found: LanguageModel) -> str:
    connecting.remove_model(found)
    return f"{found.label or found.pk} was removed. Finished sessions keep what it said."


CHANGES = {"edit": _edit, "enable": _enable, "disable": _disable, "remove": _remove}


def _dollars(text: str) -> Decimal | None:
    """None for an empty field. Raises Refused."""
    text = text.strip().removeprefix("$").strip()
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value < 100_000:
        raise Refused("bad_price", "A price is a number of dollars per million tokens, 0 or more.", 422)
    return value


def show_registry(
    request: HttpRequest, actor: Actor, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    everywhere = {"tab": "models", "may_connect": access.may_connect(actor)}
    return render(request, template, everywhere | context, status=status)


def _show_tile(
    request: HttpRequest,
    actor: Actor,
    maker: Maker,
    typed: dict[str, str] | None = None,
    refusal: Refused | None = None,
) -> HttpResponse:
    typed = typed or {"address": maker.base_url if maker.wants != "key" else "", "name": ""}
    context = {"maker": maker, "typed": typed, "refusal": refusal}
    return show_registry(request, actor, "models/tile.html", context, refusal.status if refusal else 200)


def _show_provider(
    request: HttpRequest,
    actor: Actor,
    found: Provider,
    checked: dict[str, Checked] | None = None,
    refusal: Refused | None = None,
) -> HttpResponse:
    rows = _rows([row for row in registry() if row.provider_id == found.pk], checked)
    context = {"rows": rows, "begin": "new" in request.GET, "refusal": refusal, **_provider_words(found, rows)}
    return show_registry(request, actor, "models/provider.html", context, refusal.status if refusal else 200)


def _provider_words(found: Provider, rows: Sequence[ModelRow]) -> dict[str, Any]:
    """What the head of a provider's page says and offers."""
    return {
        "provider": found,
        "maker": MAKERS.get(found.maker),
        "untested": sum(row.model.state == "untested" for row in rows),
        "works": any(row.model.state == "works" for row in rows),
        "own_server": is_own_server(found.base_url),
    }


def _show_model(request: HttpRequest, actor: Actor, found: LanguageModel, refusal: Refused | None) -> HttpResponse:
    seated = connecting.rosters_with(found)
    mine = set(access.projects(actor).values_list("pk", flat=True))
    (row,) = _rows([found])
    return show_registry(request, actor, "models/model.html", {
        "row": row,
        "found": found,
        "typed": request.POST if refusal else {
            "context": found.context_window, "input_price": row.input_price, "output_price": row.output_price,
        },
        "rosters": [roster for roster in seated if roster.project_id in mine],
        "elsewhere": sum(roster.project_id not in mine for roster in seated),
        "refusal": refusal,
    }, refusal.status if refusal else 200)  # fmt: skip


def _rows(models: Sequence[LanguageModel], checked: dict[str, Checked] | None = None) -> list[ModelRow]:
    found = []
    for row in models:
        prices = list(row.prices.all())[:1]
        shown = [
            f"{Decimal(value) / MICROCREDITS_PER_DOLLAR:.4f}".rstrip("0").rstrip(".")
            for price in prices
            for value in (price.input_microcredits, price.output_microcredits)
        ] or ["", ""]
        result = checked.get(row.pk) if checked else None
        found.append(ModelRow(row, shown[0], shown[1], is_own_server(row.provider.base_url), result))
    return found


def _by_provider(rows: Sequence[ModelRow]) -> list[ModelRow]:
    return sorted(rows, key=lambda row: (row.model.provider.name, row.model.pk))


def find_provider(name: str) -> Provider:
    found = Provider.objects.filter(name=name).first()
    if found is None:
        raise Http404
    return found


def address_of(provider: Provider) -> str:
    return reverse("sessions:provider", args=[provider.name])
