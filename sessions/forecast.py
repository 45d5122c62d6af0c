"""What a review will ask, cost and take, before anybody is asked. Pure: rows and clocks are the caller's.

Prompts are built by the functions that build them in the session; only what comes back is guessed, from what the same
models gave before.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch

from billing.pricing import Price, cost
from sessions.engine.assessing import assessment_prompt
from sessions.engine.attesting import certify_prompt
from sessions.engine.patterns.certification import CertificationSpec
from sessions.engine.patterns.deliberation import DeliberationSpec
from sessions.engine.patterns.review import ReviewSpec
from sessions.engine.prompts import lead_brief_prompt, review_prompt, summary_prompt
from sessions.engine.reading import Reading
from sessions.engine.run import Prompt
from sessions.engine.text import CHARACTERS_PER_TOKEN, estimate_tokens
from sessions.engine.writers import ORDER

LOW, TYPICAL, HIGH = range(3)
EVERY_TIME = 99
"""More often than any call is made."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer takes: output tokens (low, typical, high) and seconds."""

    output_tokens: tuple[int, int, int]
    seconds: float


# Of a model that has answered nothing here yet: output tokens of a middling answer per stage, and its pace.
UNSEEN_TOKENS = {"brief": 500, "review": 2_000, "opinion": 400, "summary": 500, "certify": 1_500,
                 "assess": 1_200, "synthesis": 300, "decision": 800}  # fmt: skip
# A deliberation about nobody knows how many findings. Each is listed with its arguments (deliberation.md 4.4: about 90
# tokens without them).
EXPECTED_FINDINGS, LISTED_TOKENS = 10, 200
UNSEEN_SPREAD = (0.4, 1.0, 2.5)
UNSEEN_TOKENS_PER_SECOND, UNSEEN_FIRST_TOKEN = 60, 2.0


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that a review makes `times` (low, typical, high) times. `most_output` is the limit that is asked for,
    `findings` how many an assessment is about."""

    stage: str
    letter: str
    model_id: str
    prompt_tokens: int
    most_output: int
    times: tuple[int, int, int] = (1, 1, 1)
    findings: int = EXPECTED_FINDINGS


@dataclass(frozen=True, slots=True)
class Seated:
    """A model as the forecast needs it. `price` is None when unknown, which costs nothing only where nobody `bills`;
    `lanes` is how many calls its provider takes at once; `usage` is by stage."""

    model_id: str
    provider: str
    price: Price | None
    bills: bool
    lanes: int
    usage: Mapping[str, Usage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Micro-credits, all None when a model whose provider bills has no known price (`models_without_price`).
    `seconds` is the typical time."""

    low: int | None
    typical: int | None
    high: int | None
    models_without_price: tuple[str, ...]
    seconds: int


@singledispatch
def planned_calls(spec: Reading) -> list[PlannedCall]:
    """The calls of a session, in the order of the stages. Raises TypeError for a spec that nobody plans."""
    raise TypeError(type(spec).__name__)


@planned_calls.register
def _(spec: ReviewSpec) -> list[PlannedCall]:
    """An answer that cannot be read is asked for again, so a review is one call or two;
    how many critical findings are raised by one instance alone, and get second opinions, nobody knows before."""
    lead = next((member for member in spec.members if member.role == "lead"), None)
    writer = min(spec.members, key=lambda member: ORDER.get(member.role, len(ORDER)))
    calls = [_planned("brief", lead_brief_prompt(spec, lead))] if lead else []
    prompts = [review_prompt(spec, member, "") for member in spec.members]
    calls += [_planned("review", prompt, (1, 1, 2)) for prompt in prompts]
    if spec.second_opinion != "off":
        calls += [_planned("opinion", prompt, (0, 1, 3)) for prompt in prompts[1:]]
    return [*calls, _planned("summary", summary_prompt(spec, writer, [], "", ""))]


@planned_calls.register
def _(spec: DeliberationSpec) -> list[PlannedCall]:
    """A blind round, then one more at least and as many as there may be at most; a synthesis of each, and the decision.
    A fork holds one at least after those it takes. How long the ledger gets nobody knows before, unless a review is
    settled."""
    lead = next((member for member in spec.members if member.role == "lead"), None)
    writer = min(spec.members, key=lambda member: ORDER.get(member.role, len(ORDER)))
    most = spec.rules.max_rounds + spec.rules.confirmation_round - 1
    least = min(max(spec.taken, 1), most)
    later = (least, min(least + 1, most), most) if len(spec.members) > 1 else (0, 0, 0)
    listed = len(spec.only) if spec.only else EXPECTED_FINDINGS
    ledger = "x" * int(listed * LISTED_TOKENS * CHARACTERS_PER_TOKEN)
    calls = [_planned("brief", lead_brief_prompt(spec, lead))] if lead else []
    calls += [_planned("review", review_prompt(spec, member, ""), (1, 1, 2)) for member in spec.members]
    prompts = [assessment_prompt(spec, member, 2, ledger, "") for member in spec.members]
    calls += [replace(_planned("assess", prompt, later), findings=listed) for prompt in prompts]
    summary = summary_prompt(spec, writer, [], "", ledger)
    rounds = (later[LOW] + 1, later[TYPICAL] + 1, later[HIGH] + 1)
    return [*calls, _planned("synthesis", summary, rounds), _planned("decision", summary)]


@planned_calls.register
def _(spec: CertificationSpec) -> list[PlannedCall]:
    """One call for each instance, or two when something is left out of the first answer."""
    return [_planned("certify", certify_prompt(spec, member), (1, 1, 2)) for member in spec.members]


def unanswered(calls: Iterable[PlannedCall], answered: Callable[[PlannedCall], int]) -> list[PlannedCall]:
    """What is left of the calls when a record answers each as often as `answered` says."""
    return [
        replace(call, times=(max(low - known, 0), max(typical - known, 0), max(high - known, 0)))
        for call in calls
        for (low, typical, high), known in [(call.times, answered(call))]
        if high > known
    ]


def forecast(calls: Sequence[PlannedCall], models: Mapping[str, Seated]) -> Forecast:
    """`models` by id holds every model of `calls`."""
    seated = {call.model_id: models[call.model_id] for call in calls}
    unpriced = tuple(sorted(pk for pk, model in seated.items() if model.bills and model.price is None))
    sums = [sum(_cost(call, seated[call.model_id], at) for call in calls) for at in (LOW, TYPICAL, HIGH)]
    low, typical, high = [None] * 3 if unpriced else sums
    return Forecast(low, typical, high, unpriced, math.ceil(_seconds(calls, seated)))


def _planned(stage: str, prompt: Prompt, times: tuple[int, int, int] = (1, 1, 1)) -> PlannedCall:
    tokens = sum(estimate_tokens(message.content) for message in prompt.messages)
    return PlannedCall(stage, prompt.member, prompt.model_id, tokens, prompt.max_output_tokens, times)


def _usage(call: PlannedCall, model: Seated) -> Usage:
    known = model.usage.get(call.stage)
    if known:
        return known
    middling = UNSEEN_TOKENS[call.stage]
    if call.stage == "assess":
        middling = middling * call.findings // EXPECTED_FINDINGS
    low, typical, high = (min(int(middling * part), call.most_output) for part in UNSEEN_SPREAD)
    return Usage((low, typical, high), UNSEEN_FIRST_TOKEN + typical / UNSEEN_TOKENS_PER_SECOND)


def _cost(call: PlannedCall, model: Seated, at: int) -> int:
    if model.price is None:
        return 0
    return call.times[at] * cost(model.price, call.prompt_tokens, _usage(call, model).output_tokens[at])


def _seconds(calls: Iterable[PlannedCall], models: Mapping[str, Seated]) -> float:
    """One stage after the other; within a stage all at once, as far as each provider takes calls at once."""
    by_stage: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    lanes: dict[str, int] = {}
    for call in calls:
        model = models[call.model_id]
        lanes[model.provider] = model.lanes
        by_stage[call.stage][model.provider] += [_usage(call, model).seconds] * call.times[TYPICAL]
    return sum(
        max(max(max(times, default=0), sum(times) / lanes[provider]) for provider, times in stage.items())
        for stage in by_stage.values()
    )
