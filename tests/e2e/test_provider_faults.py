"""What providers do wrong, over HTTP: every fault has its name, its number of requests, and its words on the page."""

from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest

from sessions.engine.errors import explain
from tests.e2e.client import eventually
from tests.e2e.stack import Stack

pytestmark = pytest.mark.slow

ARTIFACT = "\n".join(f"def step_{number}(value):\n    return value / {number}\n" for number in range(40))

# what a lone model does -> the code of its failure, and how many requests that takes
FAILURES = {
    "401": ("provider_auth", 1),
    "echo": ("provider_auth", 1),  # a 401 whose body repeats the key
    "403": ("provider_denied", 1),
    "404": ("model_not_found", 1),
    "quota": ("quota_exceeded", 1),
    "context": ("context_too_long", 1),
    "500": ("provider_error", 3),
    "503": ("provider_error", 3),
    "error": ("provider_error", 3),
    "reset": ("connection_lost", 3),
    "silent": ("timeout_first_byte", 3),
    "stall": ("timeout_idle", 3),
    "drip:chunks=400": ("timeout_wall", 1),
    "drip:chunks=1": ("answer_too_large", 1),
    "flood": ("answer_too_large", 1),
    "huge": ("answer_too_large", 1),
    "cut": ("stream_cut", 3),
    "close": ("stream_cut", 3),
    "end": ("stream_cut", 3),
    "garbage": ("malformed_stream", 3),
    "html": ("malformed_stream", 3),
    "nochoices": ("empty_answer", 3),
    "empty": ("empty_answer", 3),
    "filter": ("content_filtered", 1),
    "refusal": ("refused", 1),
    "redirect": ("redirect_refused", 1),
}
# what a lone model does at first -> what its retries were for
RECOVERIES = {
    "500:times=2": ["provider_error", "provider_error"],
    "cut:times=1": ["stream_cut"],
    "reset:times=1": ["connection_lost"],
    "noschema": ["schema_unsupported"],
    "nodone": [],
    "nofinish": [],
    "badjson": [],  # what can be read of it counts
}
ANTHROPIC_FAILURES = {
    "echo": ("provider_auth", 1),
    "429": ("rate_limited", 3),
    "529": ("provider_error", 3),
    "error": ("provider_error", 3),
    "cut": ("stream_cut", 3),
    "redirect": ("redirect_refused", 1),
}


@dataclass(frozen=True)
class Case:
    """A review in which `model` misbehaves."""

    stack: Stack
    model: str
    code: str

    @property
    def ended(self) -> Any:
        return self.stack.client.rest(self.code)


@pytest.fixture(scope="module")
def cases(hasty_stack: Stack) -> dict[str, Case]:
    """All of them under way at once; `one of three` misbehaves in company."""
    client = hasty_stack.client
    artifact = client.artifact("steps.py", ARTIFACT)
    models = {fault: hasty_stack.model(f"faulty:{fault}") for fault in [*FAILURES, *RECOVERIES]}
    started = {fault: Case(hasty_stack, model, client.review([model], artifact)) for fault, model in models.items()}
    company = [hasty_stack.model(name) for name in ("sound-one", "sound-two", "mute:silent")]
    return started | {"one of three": Case(hasty_stack, company[-1], client.review(company, artifact))}


@pytest.fixture(scope="module")
def anthropic_cases(embedded_stack: Stack) -> dict[str, Case]:
    artifact = embedded_stack.client.artifact("steps.py", ARTIFACT)
    models = {fault: embedded_stack.model(f"claude:{fault}", vendor="anthropic") for fault in ANTHROPIC_FAILURES}
    return {
        fault: Case(embedded_stack, model, embedded_stack.client.review([model], artifact))
        for fault, model in models.items()
    }


@pytest.mark.parametrize("fault", FAILURES)
def test_a_fault_is_named_counted_and_explained(hasty: Stack, cases: dict[str, Case], fault: str) -> None:
    name, requests = FAILURES[fault]
    case = cases[fault]
    assert (case.ended["status"], case.ended["reason"]) == ("failed", "no_answers")
    assert case.ended["who_answered"]["missing"] == {"A": name}
    assert hasty.requests(case.model) == hasty.attempts(case.model) == requests
    page = unescape(hasty.client.page(f"/sessions/{case.code}/"))
    assert explain(name) in page
    assert explain("no_answers") in page


@pytest.mark.parametrize("fault", RECOVERIES)
def test_a_passing_fault_is_survived(hasty: Stack, cases: dict[str, Case], fault: str) -> None:
    case = cases[fault]
    assert case.ended["status"] == "completed"
    assert [data["code"] for data in hasty.client.told(case.code, "call.retrying")] == RECOVERIES[fault]
    assert hasty.requests(case.model) == hasty.attempts(case.model)


def test_an_answer_that_stays_unusable_is_asked_for_twice_more(hasty: Stack) -> None:
    model = hasty.model("unusable:length")
    code = hasty.client.review([model], hasty.client.artifact("short.py", "a = 1"))
    assert hasty.client.rest(code)["who_answered"]["missing"] == {"A": "unusable_answer"}
    asked = [data["path"] for data in hasty.client.told(code, "call.started")]
    assert asked == ["review/a", "review/a/reask-1", "review/a/reask-2"]
    assert hasty.requests(model) == hasty.attempts(model) == 3


def test_an_answer_cut_by_its_token_limit_keeps_what_it_had_and_says_so(hasty: Stack) -> None:
    model = hasty.model("halved:length")
    code = hasty.client.review([model], hasty.client.artifact("steps.py", ARTIFACT))
    assert hasty.client.completed(code)["who_answered"]["sentence"] == "1 of 1 answered: A may miss findings"
    assert hasty.client.get(f"/api/v1/sessions/{code}/findings")["findings"]


def test_a_redirect_is_not_followed(hasty: Stack, cases: dict[str, Case]) -> None:
    assert cases["redirect"].ended["status"] == "failed"
    assert "/canary" not in hasty.provider.seen("path")


def test_a_wait_that_the_provider_asks_for_is_kept(hasty: Stack) -> None:
    model = hasty.model("patient:429:after=2:times=1", vendor="patient")
    code = hasty.client.review([model], hasty.client.artifact("steps.py", ARTIFACT))
    hasty.client.completed(code)
    (told,) = hasty.client.told(code, "call.retrying")
    assert (told["code"], told["wait_ms"]) == ("rate_limited", 2_000)
    assert hasty.requests(model) == hasty.attempts(model) == 3  # refused, the review, its summary


@pytest.mark.parametrize("after", ["nan", "-5", "soon"])
def test_a_senseless_wait_is_ours_to_choose(hasty: Stack, after: str) -> None:
    model = hasty.model(f"senseless:429:after={after}:times=1", vendor=f"senseless{after}")
    code = hasty.client.review([model], hasty.client.artifact("steps.py", ARTIFACT))
    hasty.client.completed(code)
    assert [data["wait_ms"] for data in hasty.client.told(code, "call.retrying")] == [500]


def test_a_wait_of_years_is_capped_and_a_person_can_end_it(hasty: Stack) -> None:
    model = hasty.model("absurd:429:after=99999999", vendor="absurd")
    code = hasty.client.review([model], hasty.client.artifact("steps.py", ARTIFACT))
    (told,) = eventually(lambda: hasty.client.told(code, "call.retrying"))
    assert told["wait_ms"] == 60_000
    assert "Next try in 60.0 s" in hasty.client.page(f"/sessions/{code}/?tab=timeline")
    assert hasty.client.post(f"/api/v1/sessions/{code}/stop")["status"] == "cancelled"
    assert hasty.requests(model) == hasty.attempts(model) == 1


def test_one_instance_of_three_that_fails_is_named_and_the_others_count(hasty: Stack, cases: dict[str, Case]) -> None:
    case = cases["one of three"]
    ended = case.ended
    assert (ended["status"], ended["reason"]) == ("completed", "2_of_3_answered")
    assert ended["who_answered"]["sentence"] == "2 of 3 answered: C timed out"
    assert "2 of 3 answered: C timed out" in hasty.client.page(f"/sessions/{case.code}/")
    assert hasty.client.get(f"/api/v1/sessions/{case.code}/findings")["findings"]


def test_when_all_fail_the_review_fails_and_a_retry_asks_again(hasty: Stack) -> None:
    models = [hasty.model(f"thrice-{name}:401:times=1") for name in "abc"]
    code = hasty.client.review(models, hasty.client.artifact("steps.py", ARTIFACT))
    ended = hasty.client.rest(code)
    assert (ended["status"], ended["who_answered"]["sentence"].split(":")[0]) == ("failed", "0 of 3 answered")
    assert ended["problem"] == explain("no_answers")
    hasty.client.post(f"/api/v1/sessions/{code}/retry")
    assert hasty.client.completed(code)["who_answered"]["sentence"] == "3 of 3 answered"


def test_a_prompt_that_was_cut_silently_is_told(hasty: Stack) -> None:
    model = hasty.model("cutter:short")
    code = hasty.client.review([model], hasty.client.artifact("long.py", ARTIFACT * 12))
    ended = hasty.client.completed(code)
    assert ended["who_answered"]["sentence"] == "1 of 1 answered: A read only part"
    assert ended["instances"][0]["partial"]
    assert "read only part" in hasty.client.page(f"/sessions/{code}/")


@pytest.mark.parametrize("fault", ANTHROPIC_FAILURES)
def test_a_fault_in_anthropics_format_is_named_too(
    embedded: Stack, anthropic_cases: dict[str, Case], fault: str
) -> None:
    name, requests = ANTHROPIC_FAILURES[fault]
    case = anthropic_cases[fault]
    assert (case.ended["status"], case.ended["who_answered"]["missing"]) == ("failed", {"A": name})
    assert embedded.requests(case.model) == embedded.attempts(case.model) == requests
