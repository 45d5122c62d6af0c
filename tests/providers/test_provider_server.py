"""The mock must answer as models do: valid for our schemas, verbatim quotes, models that overlap in part."""

from typing import Any

import orjson
import pytest

from sessions.engine.parsing import parse_lead_brief, parse_review
from sessions.engine.prompts import LEAD_CONTRACT, REVIEW_CONTRACT, fence
from sessions.engine.run import Message
from sessions.engine.schemas import LEAD_BRIEF, REVIEW
from sessions.engine.text import number_lines
from sessions.providers.base import ProviderCall, ProviderError
from sessions.providers.openai_wire import OpenAIWireAdapter
from tests.provider_answers import answer, defects_in

ADAPTER = OpenAIWireAdapter()
SOURCE = "\n".join(f"    total_{n} = price_{n} * amount[{n}]  # step {n}" for n in range(60))
PROMPT = "\n\n".join(
    [
        fence("0123", "artifact 1: code, to review", "file: shop.py\n" + number_lines(SOURCE)),
        fence("0123", "artifact 2: code, read, do not judge", "file: other.py\n" + number_lines("other_line = 1")),
        fence("0123", "hints of the lead instance", number_lines("look at total_99 = nothing")),
    ]
)


def _quotes(model: str, prompt: str = PROMPT) -> set[str]:
    review = parse_review(answer(model, prompt, orjson.dumps(REVIEW.schema).decode()))
    return {item.evidence for item in review.items}


def test_quotes_are_verbatim_lines_of_what_is_to_be_reviewed() -> None:
    lines = {line.strip() for line in SOURCE.split("\n")}
    assert _quotes("alpha")
    assert _quotes("alpha") <= lines


def test_a_finding_names_file_and_line() -> None:
    first = parse_review(answer("alpha", PROMPT, orjson.dumps(REVIEW.schema).decode())).items[0]
    assert first.location.path == "shop.py"
    assert first.location.start_line is not None
    assert SOURCE.split("\n")[first.location.start_line - 1].strip() == first.evidence


def test_quotes_of_a_diff_are_without_its_signs() -> None:
    prompt = fence("0123", "artifact 1: diff, to review", "file: change.diff\n12| +total = price * amount")
    assert [(line.number, line.text) for line in defects_in(prompt)] == [(12, "total = price * amount")]


def test_models_overlap_in_part() -> None:
    alpha, beta, gamma = (_quotes(model) for model in ("alpha", "beta", "gamma"))
    assert alpha & beta
    assert alpha & gamma
    assert len({frozenset(alpha), frozenset(beta), frozenset(gamma)}) == 3


def test_a_model_says_the_same_thing_twice() -> None:
    assert _quotes("alpha") == _quotes("alpha")


def test_an_artifact_without_lines_has_no_findings() -> None:
    prompt = fence("0123", "artifact 1: code, to review", "file: empty.py\n")
    assert _quotes("alpha", prompt) == set()


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object", "prompt"])
async def test_a_review_is_usable_in_every_schema_mode(mock: Any, ask: Any, mode: str) -> None:
    messages = (Message("user", f"{PROMPT}\n\n{REVIEW_CONTRACT}"),)
    text, _ = await ask(ADAPTER, mock.call("alpha", messages=messages, schema=REVIEW, schema_mode=mode))
    review = parse_review(text)
    assert (review.problem, review.rejected) == (None, ())
    assert {item.evidence for item in review.items} == _quotes("alpha")


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object", "prompt"])
async def test_a_lead_brief_is_usable_in_every_schema_mode(mock: Any, ask: Any, mode: str) -> None:
    messages = (Message("user", f"{PROMPT}\n\n{LEAD_CONTRACT}"),)
    text, _ = await ask(ADAPTER, mock.call("alpha", messages=messages, schema=LEAD_BRIEF, schema_mode=mode))
    assert parse_lead_brief(text)


def test_a_schema_written_in_the_prompt_is_followed() -> None:
    prompt = 'Answer as {"type": "object", "properties": {"count": {"type": "integer"}, "on": {"type": "boolean"}}}'
    assert orjson.loads(answer("alpha", prompt, "")) == {"count": 1, "on": True}


def test_a_summary_cites_findings_of_the_prompt() -> None:
    assert answer("alpha", "F-007 is grave. F-002 is not.", "").startswith("Begin with F-007. F-002")


async def test_a_fenced_answer_and_a_spoilt_one_are_what_they_say(mock: Any, ask: Any) -> None:
    call: ProviderCall = mock.call("alpha:fenced", messages=(Message("user", PROMPT),), schema=REVIEW)
    fenced, _ = await ask(ADAPTER, call)
    assert parse_review(fenced).problem is None
    spoilt, _ = await ask(ADAPTER, mock.call("alpha:badjson", messages=call.messages, schema=REVIEW))
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(spoilt)


async def test_a_fault_can_strike_the_first_requests_only(mock: Any, ask: Any) -> None:
    for _ in range(2):
        with pytest.raises(ProviderError, match="provider_error"):
            await ask(ADAPTER, mock.call("alpha:500:times=2"))
    _, done = await ask(ADAPTER, mock.call("alpha:500:times=2"))
    assert done.finish_reason == "stop"


async def test_a_silent_cut_is_seen_in_the_count_of_prompt_tokens(mock: Any, ask: Any) -> None:
    messages = (Message("user", "x" * 40_000),)
    _, done = await ask(ADAPTER, mock.call("alpha:short", messages=messages))
    assert done.prompt_tokens == 2048


async def test_it_counts_requests_by_model_key_and_path(mock: Any, ask: Any) -> None:
    for route in ("alpha", "alpha", "beta"):
        await ask(ADAPTER, mock.call(route))
    stats = mock.stats()
    assert stats["by_model"] == {"alpha": 2, "beta": 1}
    assert stats["by_key"] == {"sk-test-0123456789": 3}
    assert stats["by_path"]["/chat/completions"] == 3
