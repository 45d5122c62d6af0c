"""The mock must answer as models do: valid for our schemas, verbatim quotes, models that overlap in part."""

from typing import Any

import orjson
import pytest

from sessions.engine.assessing import ASSESSMENT, CONTRACT, parse_assessment
from sessions.engine.attesting import CERTIFICATION, CERTIFY_CONTRACT, ParsedAnswers, parse_answers
from sessions.engine.certifying import Criterion
from sessions.engine.parsing import parse_lead_brief, parse_review
from sessions.engine.prompts import LEAD_CONTRACT, REVIEW_CONTRACT, fence
from sessions.engine.run import Message
from sessions.engine.schemas import LEAD_BRIEF, REVIEW
from sessions.engine.synthesis import FINAL_CONTRACT, SYNTHESIS, parse_synthesis
from sessions.engine.text import number_lines
from sessions.providers.base import ProviderCall, ProviderError
from sessions.providers.openai_wire import OpenAIWireAdapter
from tests.provider_answers import answer, defects_in
from tests.provider_judging import Manner

LEDGER = """\
F-002 major: Condition is wrong
  at shop.py, lines 3-3; quote verified: total_3 = price_3 * amount[3]  # step 3
  The condition is off by one.
  argument F-002.1 against: It cannot be reached.
  argument F-002.2 for: It happens.
F-001 critical: Missing validation
  at shop.py, lines 9-9; quote verified: total_9 = price_9 * amount[9]  # step 9
  Nothing validates it."""
LISTED = {1: "critical", 2: "major"}
CRITERIA = (
    Criterion("a", "Secrets are not in the text.", mandatory=True, critical=True),
    Criterion("b", "Every change is described.", mandatory=True, critical=False),
    Criterion("c", "Nothing is said twice.", mandatory=False, critical=False),
)
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


def _asked_in_round(number: int) -> str:
    ledger = fence("0123", "the findings ledger", number_lines(LEDGER))
    return f"Round: {number}\nYour positions so far: F-001 agree\n\n{PROMPT}\n\n{ledger}\n\n{CONTRACT}"


def _stances(model: str, number: int, settles: int) -> dict[int, str]:
    text = answer(model, _asked_in_round(number), "", Manner(settles=settles))
    parsed = parse_assessment(text, LISTED)
    assert (parsed.problem, parsed.rejected, parsed.new) == (None, (), ())
    return {one.number: one.stance for one in parsed.said}


def test_models_that_settled_hold_the_same_of_every_listed_finding() -> None:
    assert _stances("alpha", 2, 2) == _stances("beta", 3, 3) == {1: "agree", 2: "agree"}


def test_a_model_that_has_not_settled_keeps_to_its_own() -> None:
    assert _stances("alpha", 2, 3) == _stances("alpha", 5, 9)
    assert _stances("alpha", 2, 3)[2] == "disagree"


def test_who_changes_sides_cites_an_argument_for_the_new_one() -> None:
    prompt = _asked_in_round(2).replace("far: F-001 agree", "far: F-001 agree, F-002 disagree")
    said = {one.number: one for one in parse_assessment(answer("alpha", prompt, ""), LISTED).said}
    assert (said[1].because, said[2].because) == ("", "F-002.2")


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object", "prompt"])
async def test_positions_are_usable_in_every_schema_mode(mock: Any, ask: Any, mode: str) -> None:
    messages = (Message("user", _asked_in_round(2)),)
    call = mock.call("alpha:settles=3", messages=messages, schema=ASSESSMENT, schema_mode=mode)
    text, _ = await ask(ADAPTER, call)
    assert len(parse_assessment(text, LISTED).said) == 2


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object", "prompt"])
async def test_a_certifier_meets_all_criteria_unless_it_dissents(mock: Any, ask: Any, mode: str) -> None:
    asked = "\n".join(
        [f"Criterion {one.id} ({_weight(one)}): {one.text}" for one in CRITERIA] + [PROMPT, CERTIFY_CONTRACT]
    )
    said = {}
    for model in ("alpha", "alpha:dissents"):
        messages = (Message("user", asked),)
        text, _ = await ask(ADAPTER, mock.call(model, messages=messages, schema=CERTIFICATION, schema_mode=mode))
        parsed = parse_answers(text, CRITERIA, ParsedAnswers())
        assert parsed.problem is None
        assert all(one.evidence in SOURCE for one in parsed.items)
        said[model] = [*(one.said for one in parsed.items), parsed.own]
    assert said == {
        "alpha": ["met", "met", "met", "certify"],
        "alpha:dissents": ["met", "not_met", "met", "refuse"],
    }


def _weight(criterion: Criterion) -> str:
    return ("mandatory" if criterion.mandatory else "optional") + (", critical" if criterion.critical else "")


def test_a_synthesis_says_what_would_settle_what_is_contested() -> None:
    figures = number_lines("F-001 critical, accepted (3 agree): Missing\nF-002 major, contested (1 agree): Wrong")
    prompt = f"{fence('0123', 'the findings with their figures', figures)}\n\n{FINAL_CONTRACT}"
    for schema in ("", orjson.dumps(SYNTHESIS.schema).decode()):
        synthesis = parse_synthesis(answer("alpha", prompt, schema), (1, 2))
        assert list(synthesis.settle) == [2]
        assert synthesis.summary.startswith("Begin with F-001.")
