import pytest

from billing.pricing import Price, cost, dollars

SONNET = Price(input=2_000_000_000, output=10_000_000_000, cached=100_000_000)


def test_a_million_tokens_cost_the_price() -> None:
    assert cost(SONNET, 1_000_000, 0) == 2_000_000_000
    assert cost(SONNET, 0, 1_000_000) == 10_000_000_000


def test_cached_tokens_are_part_of_the_prompt_and_cost_their_own_price() -> None:
    assert cost(SONNET, 1_000, 0, 400) == 600 * 2_000 + 400 * 100


def test_without_a_cached_price_cached_tokens_cost_the_full_one() -> None:
    assert cost(Price(3_000_000, 0), 1_000, 0, 1_000) == 3_000


def test_fractions_are_rounded_up() -> None:
    assert cost(Price(1, 1), 1, 0) == 1


@pytest.mark.parametrize(
    ("microcredits", "shown"),
    [(0, "$0.00"), (1, "<$0.0001"), (41_000_000, "$0.0410"), (1_500_000_000, "$1.50")],
)
def test_dollars_show_as_many_digits_as_matter(microcredits: int, shown: str) -> None:
    assert dollars(microcredits) == shown
