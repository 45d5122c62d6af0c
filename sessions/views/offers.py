"""The list of what a connected provider offers: filter, leaf through, tick, connect."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import Actor
from sessions.actions import connecting
from sessions.actions.errors import Refused
from sessions.catalog.makers import MAKERS
from sessions.catalog.offers import Offered, offered_by
from sessions.models import Provider
from sessions.providers.locality import is_own_server
from sessions.views.base import page
from sessions.views.models import address_of, find_provider, show_registry

OFFERS_SHOWN = 50
FILTER_FROM = 10


@page("GET", "POST")
def offers(request: HttpRequest, actor: Actor, name: str) -> HttpResponseBase:
    """The list of a provider: filter, leaf through, tick, connect. Ticks live in the form, so none is lost."""
    access.require_connect(actor)
    provider = find_provider(name)
    refusal, command = None, request.POST.get("go", "")
    try:
        if command == "add":
            ticked = request.POST.getlist("tick")
            if ticked or not provider.language_models.filter(removed_at=None).exists():
                connecting.add_offered(provider, ticked)
            return redirect(f"{address_of(provider)}?new")
        if command == "fetch" or not provider.offered_at:
            for model, before in connecting.fetch_again(provider):
                window = f"{before:,} to {model.context_window:,} tokens"
                messages.success(request, f"The context window of {model.label} went from {window}.")
    except Refused as refused:
        refusal = refused
    return _show_offers(request, actor, provider, refusal)


def _show_offers(request: HttpRequest, actor: Actor, provider: Provider, refusal: Refused | None) -> HttpResponse:
    everything = offered_by(provider)
    query = request.POST.get("q", "").strip()
    ticked = set(request.POST.getlist("tick"))
    hidden = sum(not offered.reviews for offered in everything)
    unticked = [offered for offered in everything if offered.name not in ticked]
    found = _matching(unticked, query, all_kinds="all" in request.POST)
    start = request.POST.get("from", "")
    begin = int(start) if start.isascii() and start.isdigit() and len(start) < 7 and int(start) < len(found) else 0
    return show_registry(request, actor, "models/offers.html", {
        "provider": provider,
        "maker": MAKERS.get(provider.maker),
        "ticked": [offered for offered in everything if offered.name in ticked],
        "shown": found[begin : begin + OFFERS_SHOWN],
        "found": len(found),
        "first": begin + 1,
        "last": min(begin + OFFERS_SHOWN, len(found)),
        "earlier": max(begin - OFFERS_SHOWN, 0) if begin else None,
        "later": begin + OFFERS_SHOWN if begin + OFFERS_SHOWN < len(found) else None,
        "total": len(everything),
        "hidden": hidden,
        "all_kinds": "all" in request.POST,
        "filtered": len(everything) > FILTER_FROM,
        "q": query,
        "own_server": is_own_server(provider.base_url),
        "refusal": refusal,
    }, refusal.status if refusal else 200)  # fmt: skip


def _matching(everything: Sequence[Offered], query: str, *, all_kinds: bool) -> list[Offered]:
    words = query.lower().split()
    return [
        offered
        for offered in everything
        if (all_kinds or offered.reviews) and all(word in f"{offered.name} {offered.label}".lower() for word in words)
    ]
