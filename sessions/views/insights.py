"""What figures say, as sentences: rules, each with the numbers it rests on."""

from collections.abc import Iterable, Mapping, Sequence

from billing.pricing import dollars
from sessions.engine.agreement import percent
from sessions.kinds import KINDS
from sessions.queries import Analytics, InstanceFigures
from sessions.queries.brought import Certified
from sessions.queries.calls import TimedAttempt
from sessions.queries.project_figures import ProjectFigures
from sessions.templatetags.crucible import milliseconds

MOST_NAMED = 3
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
    """How far off the estimate was, while the session runs how much of it is spent; empty when there is nothing to
    compare."""
    expected = (figures.estimate or {}).get("typical")
    if not expected or figures.price_unknown:
        return ""
    if figures.milliseconds is None:
        return f"{dollars(figures.cost_microcredits)} of about {dollars(expected, about=True)} expected so far"
    percent = round(100 * (figures.cost_microcredits - expected) / expected)
    if not percent:
        return "It cost what was expected"
    return f"It cost {abs(percent)} % {'more' if percent > 0 else 'less'} than expected"


def rounds_insight(costs: Mapping[int, Mapping[str, int]], agreed: Sequence[int | None]) -> str:
    """What the first round cost of all, and what the later ones brought. `costs` as `queries.brought.round_costs` has
    them, `agreed` in basis points by published round, None for one without an agreement."""
    total, first = (sum(sum(costs[number].values()) for number in numbers) for numbers in (costs, {1} & set(costs)))
    if not total:
        return "Nothing was paid"
    words = f"Round 1 cost {round(100 * first / total)} % of {dollars(total)}"
    shares = [f"{percent(share)} % after round {number}" for number, share in enumerate(agreed, 1) if share is not None]
    if not shares:
        return words
    return f"{words}; agreement was {' and '.join(dict.fromkeys((shares[0], shares[-1])))}"


def answers_insight(certified: Mapping[str, Certified]) -> str:
    """How many certify, and who finds criteria not met."""
    certify = sum(one.verdict == "certify" for one in certified.values())
    against = [
        f"{letter} finds {count} not met" for letter, one in certified.items() if (count := one.answers.get("not_met"))
    ]
    return f"{certify} of {len(certified)} certify" + "".join(f"; {words}" for words in against[:MOST_NAMED])


def spent_insight(figures: ProjectFigures, days: int) -> str:
    """What all sessions cost, and which kind most of it."""
    total = ("at least " if figures.price_unknown else "") + dollars(figures.cost)
    dearest = max(figures.kinds, key=lambda one: one.cost)
    if not figures.cost:
        return f"Nothing was paid in {days} days"
    share = round(100 * dearest.cost / figures.cost)
    return f"{KINDS[dearest.kind].label}s cost {share} % of {total} in {days} days"


def models_insight(figures: ProjectFigures) -> str:
    """The dearest model, and what only it saw of all that was found."""
    if not figures.models:
        return "No model was asked"
    dearest, total = figures.models[0], sum(one.cost for one in figures.models)
    share = f" cost {round(100 * dearest.cost / total)} %" if total else " cost nothing"
    alone = f"alone saw {dearest.alone} of the {dearest.raised} finding{'' if dearest.raised == 1 else 's'} it raised"
    return f"{dearest.label}{share} and {alone}"


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
