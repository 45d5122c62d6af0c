"""What a connected provider offers: its own list, completed from the public table, as a person picks from it."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from sessions.catalog.facts import Facts, answers_in_words, facts_of
from sessions.catalog.makers import MAKERS
from sessions.models import LanguageModel, Provider


@dataclass(frozen=True, slots=True)
class Offered:
    """A model to tick. `connected`: it is in the registry already. `reviews`: it answers in words, as far as known."""

    name: str
    label: str
    facts: Facts
    connected: bool
    reviews: bool


def offered_by(provider: Provider) -> list[Offered]:
    """The provider's list as it was last fetched, by name. What the server says of a model comes before the table."""
    maker = MAKERS.get(provider.maker)
    tables = maker.tables if maker else ()
    prefix = maker.prefix if maker else ""
    rows = LanguageModel.objects.filter(provider=provider, removed_at=None)
    connected = set(rows.values_list("route", flat=True))
    return [
        Offered(
            name=row["name"],
            label=row["label"],
            facts=_complete(_facts(row.get("facts", {})), facts_of(row["name"], tables)),
            connected=prefix + row["name"] in connected,
            reviews=answers_in_words(row["name"], tables),
        )
        for row in provider.offered
    ]


def _complete(said: Facts, table: Facts) -> Facts:
    """Prices come together from one place: half of a server's and half of a table's would be nobody's price."""
    priced = said if said.priced else table
    return Facts(
        context_window=said.context_window or table.context_window,
        max_output_tokens=said.max_output_tokens or table.max_output_tokens,
        input_price=priced.input_price,
        output_price=priced.output_price,
        cached_price=priced.cached_price,
    )


def _facts(stored: dict[str, Any]) -> Facts:
    known = {field.name for field in fields(Facts)} & stored.keys()
    told: dict[str, Any] = {name: Decimal(stored[name]) if name.endswith("_price") else stored[name] for name in known}
    return Facts(**told)
