"""The test call: one tiny question to a model, through its real adapter, with short deadlines."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from django.db.models.functions import Now
from django.utils import timezone

from billing.pricing import Price, cost
from sessions.actions.connecting import key_of, run_outside
from sessions.actions.errors import Refused
from sessions.engine.run import Message
from sessions.engine.text import estimate_tokens, storable
from sessions.models import LanguageModel, ModelPrice
from sessions.providers import adapter
from sessions.providers.base import Done, ProviderCall, ProviderError, Secret
from sessions.providers.locality import is_own_server, may_be_local

QUESTION = "Answer with one short sentence: are you ready to review?"
# Enough for a model that thinks before it answers.
MOST_TOKENS = 1_000
ANSWER_LENGTH = 200
CLOUD_SECONDS, LOCAL_SECONDS = 30.0, 120.0  # a local server may have to load the model first
MOST_CHECKED = 20


@dataclass(frozen=True, slots=True)
class Checked:
    """What a test call gave. `code` is empty when the model answered; `cost` in micro-credits, None: unknown."""

    model: LanguageModel
    code: str
    answer: str = ""
    seconds: float = 0.0
    cost: int | None = None


def check_models(models: Sequence[LanguageModel]) -> list[Checked]:
    """Ask each model once, those of one provider no more at a time than it allows, and keep what came of it."""
    asked = [model for model in models if model.enabled and not model.removed_at and not model.simulated][:MOST_CHECKED]
    calls = [_call(model) for model in asked]
    prices = _prices(asked)
    answers = run_outside(_ask_all(asked, calls))
    found = [_checked(model, heard, prices.get(model.pk)) for model, heard in zip(asked, answers, strict=True)]
    for checked in found:
        _keep(checked)
    return found


@dataclass(frozen=True, slots=True)
class _Heard:
    code: str
    text: str = ""
    done: Done | None = None
    seconds: float = 0.0


def _call(model: LanguageModel) -> ProviderCall | None:
    """None when the model has no key."""
    try:
        key: Secret = key_of(model.provider)
    except Refused:
        return None
    base_url = model.provider.base_url
    return ProviderCall(
        model.route, (Message("user", QUESTION),), key, base_url, max_output_tokens=MOST_TOKENS, max_bytes=200_000,
        allow_local=may_be_local(base_url),
    )  # fmt: skip


async def _ask_all(models: Sequence[LanguageModel], calls: Sequence[ProviderCall | None]) -> list[_Heard]:
    gates: dict[int, asyncio.Semaphore] = {}
    for model in models:
        gates.setdefault(model.provider_id, asyncio.Semaphore(model.provider.max_concurrent))

    async def one(model: LanguageModel, call: ProviderCall | None) -> _Heard:
        if call is None:
            return _Heard("no_key")
        async with gates[model.provider_id]:
            return await _ask(model.provider.adapter, call)

    return list(await asyncio.gather(*(one(*pair) for pair in zip(models, calls, strict=True))))


async def _ask(adapter_name: str, call: ProviderCall) -> _Heard:
    await adapter(adapter_name).prepare()  # a library's import is not the model's time
    begun = monotonic()
    parts: list[str] = []
    try:
        async with (
            asyncio.timeout(LOCAL_SECONDS if is_own_server(call.base_url) else CLOUD_SECONDS),
            aclosing(adapter(adapter_name).stream(call)) as stream,
        ):
            async for piece in stream:
                if isinstance(piece, Done):
                    return _Heard("", "".join(parts), piece, monotonic() - begun)
                parts.append(piece.text)
    except ProviderError as error:
        return _Heard(error.code, seconds=monotonic() - begun)
    except TimeoutError:
        return _Heard("timeout_wall" if parts else "timeout_first_byte", seconds=monotonic() - begun)
    return _Heard("stream_cut", seconds=monotonic() - begun)


def _checked(model: LanguageModel, heard: _Heard, price: Price | None) -> Checked:
    if heard.done is None:
        return Checked(model, heard.code, seconds=heard.seconds)
    prompt = heard.done.prompt_tokens
    output = heard.done.output_tokens
    paid = cost(
        price,
        estimate_tokens(QUESTION) if prompt is None else prompt,
        estimate_tokens(heard.text) if output is None else output,
    ) if price else None  # fmt: skip
    answer = " ".join(storable(heard.text).split())[:ANSWER_LENGTH]
    return Checked(model, "", answer, heard.seconds, paid)


def _prices(models: Sequence[LanguageModel]) -> dict[str, Price]:
    rows: dict[str, list[ModelPrice]] = defaultdict(list)
    for row in ModelPrice.objects.filter(language_model__in=models, since__lte=Now()).order_by("-since"):
        rows[row.language_model_id].append(row)
    return {pk: Price(found[0].input_microcredits, found[0].output_microcredits) for pk, found in rows.items()}


def _keep(checked: Checked) -> None:
    model = checked.model
    model.checked_at, model.check_code = timezone.now(), checked.code
    model.check_ms, model.check_cost = int(checked.seconds * 1000), checked.cost
    model.save(update_fields=["checked_at", "check_code", "check_ms", "check_cost"])
