"""What figures say, as sentences: rules, each with the numbers it rests on."""

from collections.abc import Iterable, Sequence

from billing.pricing import dollars
from sessions.queries import Analytics, InstanceFigures
from sessions.queries.calls import TimedAttempt
from sessions.templatetags.crucible import milliseconds

NOTHING_YET = "No call has ended yet"


def cost_insight(figures: Analytics) -> str:
    """Who cost most, and what only that instance brought."""
    if not figures.measured:
        return NOTHING_YET
    total = ("at least " if figures.price_unknown else "") + dollars(figures.cost_microcredits)
    dearest = max(figures.instances, key=lambda instance: instance.cost_microcredits)
    if not figures.cost_microcredits:
        return "No known price: the cost cannot be told" if figures.price_unknown else "Nothing was paid"
    if len(figures.instances) == 1:
        return f"{dearest.letter} cost {total}"
    percent = round(100 * dearest.cost_microcredits / figures.cost_microcredits)
    return f"{dearest.letter} cost {percent} % of {total}{_brought(dearest, figures)}"


def time_insight(attempts: Sequence[TimedAttempt]) -> str:
    """Who took longest, and how much of the time went into tries that failed."""
    ended = [attempt for attempt in attempts if not attempt.running]
    if not ended:
        return NOTHING_YET
    took = {letter: _covered(attempt for attempt in ended if attempt.letter == letter) for letter in _letters(ended)}
    slowest = max(took, key=lambda letter: took[letter])
    lost = _covered(attempt for attempt in ended if not attempt.answered)
    whole = max(attempt.end for attempt in attempts)
    waste = f"; tries that failed took {milliseconds(lost)}" if lost else ""
    return f"{slowest} was asked for {milliseconds(took[slowest])} of {milliseconds(whole)}{waste}"


def estimate_insight(figures: Analytics) -> str:
    """How far off the estimate was; empty while the session runs, or when there is nothing to compare."""
    expected = (figures.estimate or {}).get("typical")
    if figures.milliseconds is None or not expected or figures.price_unknown:
        return ""
    percent = round(100 * (figures.cost_microcredits - expected) / expected)
    if not percent:
        return "It cost what was expected"
    return f"It cost {abs(percent)} % {'more' if percent > 0 else 'less'} than expected"


def _brought(instance: InstanceFigures, figures: Analytics) -> str:
    if not figures.merged:
        return " so far"
    alone, what = instance.findings_only_by_it, "finding"
    if figures.judged:
        alone, what = instance.confirmed_only_by_it, "confirmed finding"
    if not alone:
        return f" and raised no {what} that only it saw"
    return f" and alone saw {alone} {what}{'' if alone == 1 else 's'}"


def _letters(attempts: Sequence[TimedAttempt]) -> list[str]:
    return sorted({attempt.letter for attempt in attempts})


def _covered(attempts: Iterable[TimedAttempt]) -> int:
    """Milliseconds in which one of them was under way: an instance may be asked for several opinions at once."""
    total = until = 0
    for attempt in sorted(attempts, key=lambda one: one.start):
        total += max(attempt.end - max(attempt.start, until), 0)
        until = max(until, attempt.end)
    return total
