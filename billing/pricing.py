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


def dollars(microcredits: int | None, *, about: bool = False) -> str:
    """For people, the one way money is written: two digits from a dollar on, else as many as show something; `about`
    rounds an estimate to cents, or to two digits below one cent. `unknown` for None, which is not nothing."""
    if microcredits is None:
        return "unknown"
    value = microcredits / MICROCREDITS_PER_DOLLAR
    if microcredits == 0 or abs(value) >= 1:
        return f"${value:.2f}"
    if abs(value) < 0.0001:
        return "<$0.0001"
    if not about:
        return f"${value:.4f}"
    return f"${value:.2f}" if value >= 0.01 else f"${float(f'{value:.2g}'):.4f}"
