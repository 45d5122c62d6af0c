"""What each instance brought to a deliberation or a certification, and what each round of a deliberation cost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sessions.engine.convergence import Flip, flips
from sessions.models import Attempt, Session
from sessions.queries.analytics import round_of
from sessions.queries.certification import CertificationView
from sessions.queries.deliberation import DeliberationView


@dataclass(frozen=True, slots=True)
class Debated:
    """Of the findings that an instance raised those that all hold to be true (`upheld`) or wrong (`rejected`).
    `changed`: how often it changed sides on a key finding; `joined`: towards where most stood; `unexplained`: of these,
    without a reason that holds."""

    upheld: int
    rejected: int
    changed: int
    joined: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Certified:
    """`verdict` of one instance, and how often it gave each answer, by code. `unproven`: not met, without a quote that
    stands in the text."""

    verdict: str
    answers: Mapping[str, int]
    unproven: int


def debated(found: DeliberationView) -> dict[str, Debated]:
    """By letter, those who left a fork among them; empty before the first round is published."""
    if found.figures is None:
        return {}
    status = {one.number: one.status for one in found.figures.findings}
    raised = {entry.number: entry.raised_by for entry in found.told[-1].entries if entry.number in status}
    turns = flips(found.told, found.rules.letters)
    return {
        letter: _debated(
            [status[number] for number, by in raised.items() if letter in by],
            [one for one in turns if one.letter == letter],
        )
        for letter in found.letters
    }


def certified(found: CertificationView) -> dict[str, Certified]:
    """By letter, of those who answered."""
    answers = [answer for row in found.rows for answer in row.answers]
    return {
        one.letter: Certified(
            verdict=one.verdict,
            answers=Counter(answer.said for answer in answers if answer.letter == one.letter),
            unproven=sum(
                answer.said == "not_met" and not answer.verified for answer in answers if answer.letter == one.letter
            ),
        )
        for one in found.attestations
    }


def round_costs(session: Session) -> dict[int, dict[str, int]]:
    """Micro-credits by round and stage, in order; what comes after the rounds is DECISION. One query."""
    costs: dict[int, Counter[str]] = defaultdict(Counter)
    rows = Attempt.objects.filter(session=session).values_list("step__path", "cost_microcredits")
    for path, cost in rows:
        costs[round_of(path)][path.partition("/")[0]] += cost or 0
    return {number: dict(costs[number]) for number in sorted(costs)}


def _debated(came_to: Sequence[str], turns: Sequence[Flip]) -> Debated:
    """`came_to`: the status of each finding it raised."""
    return Debated(
        upheld=came_to.count("accepted"),
        rejected=came_to.count("rejected"),
        changed=len(turns),
        joined=sum(one.toward_majority for one in turns),
        unexplained=sum(one.is_unexplained for one in turns),
    )
