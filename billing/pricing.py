"""What calls cost, in micro-credits (1 credit = US$0.001, so a dollar is 10^9 micro-credits). Whole numbers only."""

from dataclasses import dataclass

MICROCREDITS_PER_DOLLAR = 1_000_000_000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-credits per million tokens. `cached` is the price of cached input; None means the full input price."""

    input: int
    output: int
    cached: int | None = None


def cost(price: Price, prompt_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int:
    """Micro-credits of one attempt, rounded up so that fractions are never lost. `prompt_tokens` includes cached."""
    cached_price = price.input if price.cached is None else price.cached
    fresh = max(prompt_tokens - cached_tokens, 0)
    parts = fresh * price.input + cached_tokens * cached_price + output_tokens * price.output
    return -(-parts // _MILLION)


def dollars(microcredits: int) -> str:
    """For people: two digits from a dollar on, else as many as show something."""
    value = microcredits / MICROCREDITS_PER_DOLLAR
    if microcredits == 0:
        return "$0.00"
    return f"${value:.2f}" if abs(value) >= 1 else f"${value:.4f}" if abs(value) >= 0.0001 else "<$0.0001"
