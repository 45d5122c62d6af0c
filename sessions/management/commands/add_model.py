"""`add_model ID --route R ...`: put a model into the registry. The key is read once from the named variable."""

import os
from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError

from sessions.actions.catalog import NewModel, add_model
from sessions.actions.errors import Refused
from sessions.management.prepared import PreparedCommand
from sessions.seeding import seed


class Command(PreparedCommand):
    help = "Add or change a model: its route, address, key, weight and price (dollars per million tokens)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id")
        parser.add_argument("--route", required=True, help="provider/model, or the model's name at --base-url")
        parser.add_argument("--base-url", default="", help="of an OpenAI-compatible endpoint, or of the provider")
        parser.add_argument("--key-env", default="", help="environment variable that holds the key; read once")
        parser.add_argument("--weight", type=int, default=None, help="capability, 0 to 10; 5 for a new model")
        parser.add_argument("--input-price", default=None, help="dollars per million input tokens")
        parser.add_argument("--output-price", default=None, help="dollars per million output tokens")
        parser.add_argument("--context-window", type=int, default=None, help="tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        seed()
        variable = options["key_env"]
        if variable and not os.environ.get(variable, "").strip():
            raise CommandError(f"The environment variable {variable} is not set or empty.")
        prices = [_dollars(options[name]) for name in ("input_price", "output_price")]
        if prices.count(None) == 1:
            raise CommandError("Give both prices or none.")
        new = NewModel(
            id=options["id"],
            route=options["route"],
            base_url=options["base_url"],
            key=os.environ.get(variable, "") if variable else "",
            weight=options["weight"],
            input_price=prices[0],
            output_price=prices[1],
            context_window=options["context_window"],
        )
        try:
            model = add_model(new)
        except Refused as refusal:
            raise CommandError(refusal.sentence) from None
        key = "with a key" if model.provider.key_hint or options["key_env"] else "without a key"
        price = "priced" if model.prices.exists() else "price unknown"
        self.stdout.write(f"{model.pk}: {model.provider.label} {key}, {price}")


def _dollars(text: str | None) -> Decimal | None:
    try:
        value = None if text is None else Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text!r} is not a price.") from None
    if value is not None and not 0 <= value < 1_000_000:
        raise CommandError(f"{text!r} is not a price.")
    return value
