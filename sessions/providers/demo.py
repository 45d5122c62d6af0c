"""Simulated models that need no key and no network: deterministic, streaming, and imperfect on purpose.

An answer is a pure function of the session's seed, the member, the attempt and the messages. It is recovered from
the same prompt a real model gets and passes the same parser; nothing here knows about sessions. The only clock is
the pause between chunks, which emulates a model's pace.
"""

import asyncio
import math
import os
from collections.abc import AsyncGenerator
from typing import Any, Literal

from sessions.demo import broken
from sessions.demo.answers import lead_brief, opinion, summary
from sessions.demo.certification import certification
from sessions.demo.deliberation import assessment, final_synthesis, round_synthesis
from sessions.demo.draws import choose
from sessions.demo.material import (
    asked_criteria,
    asked_limits,
    asked_round,
    counted,
    is_reask,
    is_synthesis,
    laid_before,
    ledger,
    materials,
    own_positions,
    quoted_finding,
    untrusted_text,
    who_answered,
)
from sessions.demo.obedience import dictated, obey, obey_claims, obey_doubts
from sessions.demo.personas import PERSONAS, Instance
from sessions.demo.review import review
from sessions.engine.assessing import ASSESSMENT
from sessions.engine.attesting import CERTIFICATION
from sessions.engine.opinions import OPINION
from sessions.engine.schemas import LEAD_BRIEF, REVIEW
from sessions.engine.synthesis import SYNTHESIS
from sessions.engine.text import CHARACTERS_PER_TOKEN, estimate_tokens
from sessions.providers.base import Delta, Done, ProviderCall, ProviderError

CHUNK_TOKENS = 4
CHUNKS_BEFORE_BREAK = 6
BROKEN_JSON_RATE = 0.4

FinishReason = Literal["stop", "length"]


def pause_factor() -> float:
    """CRUCIBLE_DEMO_SPEED: 1 lets a person watch, 0 does not pause at all, 2 pauses twice as long. ValueError for
    what is not a number of 0 or more."""
    try:
        factor = float(os.environ.get("CRUCIBLE_DEMO_SPEED", "1"))
    except ValueError:
        factor = math.nan
    if not 0 <= factor < math.inf:
        raise ValueError("CRUCIBLE_DEMO_SPEED must be a number, 0 or more")
    return factor


PAUSE_FACTOR = pause_factor()


class DemoAdapter:
    """Plays the personas of `sessions.demo.personas`."""

    def __init__(self, pauses: float = PAUSE_FACTOR) -> None:
        self._pauses = pauses

    async def stream(self, call: ProviderCall) -> AsyncGenerator[Delta | Done, None]:
        """Raises ProviderError: model_not_found, bad_request (an answer nobody taught the personas), and what the
        persona's failure plan says."""
        persona = PERSONAS.get(call.route.removeprefix("demo/"))
        if persona is None:
            raise ProviderError("model_not_found")
        instance = Instance(persona, call.seed, call.member)
        text, finish_reason = _answer(instance, call)
        breaks_off = _breaks_off(instance, call)
        await self._pause(persona.first_token)
        if persona.failures == "never_answers":
            raise ProviderError("timeout_first_byte")
        size = int(CHUNK_TOKENS * CHARACTERS_PER_TOKEN)
        for sent, start in enumerate(range(0, len(text), size)):
            if breaks_off and sent == CHUNKS_BEFORE_BREAK:
                raise ProviderError("provider_error", billed=True)
            await self._pause(CHUNK_TOKENS / persona.pace)
            yield Delta(text[start : start + size])
        prompt_tokens = sum(estimate_tokens(message.content) for message in call.messages)
        yield Done(finish_reason, prompt_tokens, estimate_tokens(text), 0)

    async def prepare(self) -> None:
        """There is nothing to load."""

    async def close(self) -> None:
        """There are no connections."""

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._pauses)


def _answer(instance: Instance, call: ProviderCall) -> tuple[str, FinishReason]:
    text, finish_reason = _whole_answer(instance, call)
    room = int(call.max_output_tokens * CHARACTERS_PER_TOKEN)
    return (text, finish_reason) if len(text) <= room else (text[:room], "length")


def _whole_answer(instance: Instance, call: ProviderCall) -> tuple[str, FinishReason]:
    orders = untrusted_text(call.messages) if instance.persona.obeys else ""
    if call.schema is None:
        if is_synthesis(call.messages):
            return dictated(orders) or round_synthesis(counted(call.messages)), "stop"
        return dictated(orders) or summary(ledger(call.messages), who_answered(call.messages)), "stop"
    if call.schema.name == LEAD_BRIEF.name:
        brief = lead_brief(instance, materials(call.messages))
        return broken.dump({**brief, "scope": dictated(orders) or brief["scope"]}), "stop"
    if call.schema.name == REVIEW.name:
        answer = obey(review(instance, materials(call.messages), *asked_limits(call.messages)), orders)
        return _broken(instance, answer) if _breaks_json(instance, call) else (broken.dump(answer), "stop")
    if call.schema.name == ASSESSMENT.name:
        laid, own = laid_before(call.messages), own_positions(call.messages)
        said = assessment(instance, materials(call.messages), laid, asked_round(call.messages), own)
        said = obey_doubts(said, orders)
        return _broken(instance, said) if _breaks_json(instance, call) else (broken.dump(said), "stop")
    if call.schema.name == SYNTHESIS.name:
        return broken.dump(final_synthesis(counted(call.messages))), "stop"
    if call.schema.name == OPINION.name:
        return broken.dump(opinion(instance, materials(call.messages), quoted_finding(call.messages))), "stop"
    if call.schema.name == CERTIFICATION.name:
        whole = certification(instance, materials(call.messages), asked_criteria(call.messages))
        return broken.dump(obey_claims(whole, orders)), "stop"
    raise ProviderError("bad_request")


def _broken(instance: Instance, answer: dict[str, Any]) -> tuple[str, FinishReason]:
    shape = choose(broken.SHAPES, instance.seed, instance.letter, "broken shape")
    return shape(answer), "length" if shape is broken.truncated else "stop"


def _breaks_json(instance: Instance, call: ProviderCall) -> bool:
    sloppy = instance.persona.failures == "broken_json" and instance.draw("broken") < BROKEN_JSON_RATE
    return sloppy and not is_reask(call.messages)


def _breaks_off(instance: Instance, call: ProviderCall) -> bool:
    """Once per session: at the first attempt at a review that was not asked for before."""
    is_review = call.schema is not None and call.schema.name == REVIEW.name
    fails_once = instance.persona.failures == "first_try_breaks_off"
    return fails_once and is_review and call.attempt == 1 and not is_reask(call.messages)
