"""What a review will ask, cost and take: guessed from prompts that are built, and answers that were given."""

from dataclasses import replace

import pytest

from billing.pricing import Price
from sessions.engine.patterns.review import ReviewSpec
from sessions.engine.roster import Member, Source
from sessions.forecast import PlannedCall, Seated, Usage, forecast, planned_calls

PRICE = Price(input=1_000_000_000, output=4_000_000_000)
SOURCE = Source("s", "pay.py", "code", "x = 1\n" * 300, "d")
MODEL = Seated("lab/large", "lab", PRICE, bills=True, lanes=16)
CALL = PlannedCall("review", "A", "lab/large", prompt_tokens=1_000, most_output=8_000)


def spec(*roles: str, text: str = SOURCE.text, second_opinion: str = "off") -> ReviewSpec:
    members = tuple(Member(chr(65 + place), f"Seat {place}", role, "lab/large") for place, role in enumerate(roles))
    return ReviewSpec(
        members=members, sources=(replace(SOURCE, text=text),), title="", brief="", focus="", nonce_seed="00" * 32,
        second_opinion=second_opinion,
    )  # fmt: skip


def stages(made: ReviewSpec) -> list[tuple[str, str]]:
    return [(call.stage, call.letter) for call in planned_calls(made)]


def test_everybody_reviews_and_one_sums_up() -> None:
    assert stages(spec("reviewer", "synthesizer")) == [("review", "A"), ("review", "B"), ("summary", "B")]


def test_a_lead_writes_a_brief_first() -> None:
    assert stages(spec("reviewer", "lead"))[0] == ("brief", "B")


def test_second_opinions_may_cost_nothing_or_several_calls() -> None:
    asked = planned_calls(spec("reviewer", "reviewer", second_opinion="lone_critical"))
    assert [call.times for call in asked if call.stage == "opinion"] == [(0, 1, 3)]


def test_a_longer_text_makes_a_longer_prompt_until_the_window_is_full() -> None:
    short, long, longest = (planned_calls(spec("reviewer", text="x = 1\n" * lines))[0] for lines in (10, 1_000, 90_000))
    assert short.prompt_tokens < long.prompt_tokens < longest.prompt_tokens < 128_000 / 2


def test_low_typical_and_high_keep_their_order() -> None:
    found = forecast(planned_calls(spec("lead", "reviewer")), {"lab/large": MODEL})
    assert found.low is not None
    assert found.typical is not None
    assert found.high is not None
    assert 0 < found.low < found.typical < found.high


def test_the_cost_is_that_of_the_tokens() -> None:
    seated = replace(MODEL, usage={"review": Usage((100, 200, 400), 3.0)})
    found = forecast([replace(CALL, times=(1, 1, 2))], {"lab/large": seated})
    assert (found.low, found.typical, found.high) == (
        1_000_000 + 400_000, 1_000_000 + 800_000, 2 * (1_000_000 + 1_600_000),
    )  # fmt: skip


def test_without_a_price_the_cost_is_unknown_and_the_model_named() -> None:
    found = forecast([CALL], {"lab/large": replace(MODEL, price=None)})
    assert (found.typical, found.models_without_price) == (None, ("lab/large",))


def test_a_server_of_ones_own_without_a_price_costs_nothing() -> None:
    found = forecast([CALL], {"lab/large": replace(MODEL, price=None, bills=False)})
    assert (found.typical, found.models_without_price) == (0, ())


def test_what_a_model_took_before_is_what_it_will_take() -> None:
    found = forecast([CALL], {"lab/large": replace(MODEL, usage={"review": Usage((1, 1, 1), 41.2)})})
    assert found.seconds == 42


@pytest.mark.parametrize(("lanes", "seconds"), [(16, 10), (2, 20), (1, 40)])
def test_a_provider_that_takes_one_call_at_a_time_takes_longer(lanes: int, seconds: int) -> None:
    seated = replace(MODEL, lanes=lanes, usage={"review": Usage((1, 1, 1), 10.0)})
    assert forecast([CALL] * 4, {"lab/large": seated}).seconds == seconds


def test_stages_follow_each_other() -> None:
    usage = Usage((1, 1, 1), 10.0)
    seated = replace(MODEL, usage={"review": usage, "summary": usage})
    assert forecast([CALL, CALL, replace(CALL, stage="summary")], {"lab/large": seated}).seconds == 20


def test_no_answer_is_expected_to_be_longer_than_it_may_be() -> None:
    found = forecast([replace(CALL, most_output=10)], {"lab/large": MODEL})
    assert found.high == 1_000_000 + 10 * 4_000
