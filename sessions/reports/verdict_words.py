"""How a deliberation stands, in sentences: its verdict, what people should do next, who answered."""

from collections.abc import Iterable, Sequence

from sessions.engine.agreement import FindingFigures, RoundFigures, quorum
from sessions.engine.confidence import LEVELS
from sessions.engine.decision import SETTLED_BY
from sessions.engine.divergence import Crux, DivergenceReport
from sessions.engine.findings import SEVERITIES
from sessions.glossary import label, meaning
from sessions.queries import FoundFinding, WhoAnswered
from sessions.queries.deliberation import DeliberationView, PublishedRound
from sessions.queries.open_round import OpenRound
from sessions.queries.seats import cut_short, did

MOST_NAMED = 4
_UNSETTLED = ("contested", "undecided")


def verdict(found: DeliberationView) -> str:
    """One sentence; for a deliberation without a decision it says how far it came."""
    if not found.rounds or found.figures is None:
        return "No round was finished: there is nothing to decide on."
    last, decided = found.figures, found.decided
    if decided is None:
        return f"It ended after {_rounds(last.number)} without a decision."
    if decided.data["outcome"] == "quorum_lost":
        answered = f"{last.answered} of {len(found.members)} answered round {last.number}"
        return f"No verdict: {answered}, {last.quorum} are needed."
    if decided.data["outcome"] == "single_assessor":
        return "One instance alone judged this; nobody could agree or disagree."
    return _agreed(last) if decided.data["outcome"] == "converged" else _not_agreed(last)


def _agreed(last: RoundFigures) -> str:
    if not last.key:
        return f"They agree after {_rounds(last.number)}: nobody found a defect."
    holds, wrong = _count(last.key, "accepted"), _count(last.key, "rejected")
    one = len(last.key) == 1
    if not wrong:
        what = "it holds" if one else "they hold"
    elif not holds:
        what = "it does not hold" if one else "none of them holds"
    else:
        what = f"{holds} {'hold' if holds > 1 else 'holds'}, {wrong} {'do' if wrong > 1 else 'does'} not"
    return f"They agree on {_every(len(last.key))} after {_rounds(last.number)}: {what}."


def _not_agreed(last: RoundFigures) -> str:
    left, number = sum(one.status in _UNSETTLED for one in last.key), len(last.key)
    if not left:  # all are settled, and something came in that nobody has looked at
        return f"Not agreed after {_rounds(last.number)}: something new came in that the others have not assessed."
    findings = "key finding" if number == 1 else "key findings"
    return f"They still disagree on {left} of {number} {findings} after {_rounds(last.number)}."


def _every(number: int) -> str:
    return {1: "the one key finding", 2: "both key findings"}.get(number, f"all {number} key findings")


def under_way(found: DeliberationView, now: OpenRound | None) -> str:
    """What happens while it runs."""
    if now is None:
        return "The decision is being written." if found.rounds else "It begins."
    n, most = len(found.members), found.rules.max_rounds
    named = "The confirmation round" if now.mode == "confirmation" else f"Round {now.number} of at most {most}"
    again = ", asked once more because too few answered" if now.repeated else ""
    return f"{named} is under way{again}: {len(now.heard)} of {n} answered, {quorum(n)} are needed."


def confidence_words(found: DeliberationView, block_severity: str) -> str:
    """What the confidence of a decision rests on: its least sure finding, of those from the blocking severity up or of
    all key ones where none is, and what lowered it. Empty without a decision."""
    if found.decided is None or found.figures is None:
        return ""
    data, key = found.decided.data, found.figures.key
    lowered = "".join(f" Lowered: {meaning('confidence_cap', cap)}" for cap in data["caps"])
    if not key:
        return f"No finding counts, so no quote can prove it.{lowered}"
    levels = {one["number"]: one["confidence"] for one in data["findings"]}
    grave = [one.number for one in key if SEVERITIES[one.severity] >= SEVERITIES[block_severity]]
    least = min((levels[number] for number in grave or [one.number for one in key]), key=LEVELS.index)
    which = f"finding from {label('severity', block_severity).lower()} up" if grave else "key finding"
    return f"By its least sure {which}: {label('confidence', least).lower()}. {meaning('confidence', least)}{lowered}"


def to_do(found: DeliberationView, report: DivergenceReport) -> list[str]:
    """At most three lines, what is gravest first."""
    decided = found.decided
    if decided is None or found.figures is None:
        return []
    if decided.data["outcome"] == "quorum_lost":
        return ["Retry: only who is missing is asked again.", "Or run it again with other models."]
    lines = [_crux_line(report.cruxes)] if report.cruxes else []
    holding = _gravest(one for one in found.figures.findings if one.status == "accepted" and one.is_key)
    wrong = [one.number for one in found.figures.findings if one.status == "rejected"]
    lines += [f"Fix what holds: {_named(holding)}."] if holding else []
    lines += (
        [f"Look yourself at {_named(report.unassessed)}: the others never assessed it."] if report.unassessed else []
    )
    what = "it does not hold" if len(wrong) == 1 else "they do not hold"
    lines += [f"Leave {_named(wrong)}: they agree that {what}."] if wrong else []
    return (lines or ["Nothing has to change: nobody found a defect that matters."])[:3]


def _crux_line(cruxes: Sequence[Crux]) -> str:
    numbers = [crux.number for crux in cruxes]
    return f"Decide {_named(numbers)}. {SETTLED_BY[cruxes[0].settled_by]}"


def _gravest(findings: Iterable[FindingFigures]) -> list[int]:
    return [one.number for one in sorted(findings, key=lambda one: (-SEVERITIES[one.severity], one.number))]


def _named(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"F-{number:03d}" for number in numbers[:MOST_NAMED])
    left = len(numbers) - MOST_NAMED
    return shown + (f" and {left} more" if left > 0 else "")


def who_sentence(who: WhoAnswered, found: DeliberationView | None) -> str:
    """Whose answers the result rests on. `found` is the view of a deliberation, which counts every published round."""
    if found is None or not found.rounds:
        return who.sentence
    return ", ".join([who_took_part(found.rounds, found.rules.letters), *cut_short(who)])


def everybody_answered(found: DeliberationView) -> bool:
    """Whether nobody missed a published round."""
    return all(one.told.answered >= set(one.told.letters or found.rules.letters) for one in found.rounds)


def who_took_part(rounds: Sequence[PublishedRound], letters: Sequence[str]) -> str:
    """`3 of 3 answered every round`, or who missed which."""
    if not rounds:
        return f"0 of {len(letters)} answered"
    absent = [letter for letter in letters if missed(rounds, letter)]
    whole = len(letters) - len(absent)
    every = "answered" if len(rounds) == 1 else "answered every round"
    return f"{whole} of {len(letters)} {every}" + "".join(f", {missed(rounds, letter)}" for letter in absent)


def missed(rounds: Sequence[PublishedRound], letter: str) -> str:
    """`B missed round 2 (timed out)`; empty for who answered every round it took part in."""
    parts = [
        f"round {one.number} ({did(one.missing[letter])})" if letter in one.missing else f"round {one.number}"
        for one in rounds
        if letter not in one.told.answered and _takes_part(one, letter)
    ]
    return f"{letter} missed {', '.join(parts)}" if parts else ""


def took_part(rounds: Sequence[PublishedRound], letter: str) -> str:
    """Of a fork, the rounds of an instance that did not take part in all: `from round 2 on`; else `every round`."""
    numbers = [one.number for one in rounds if _takes_part(one, letter)]
    if not numbers:
        return "joins in the next round"
    if numbers[0] > rounds[0].number:
        return f"from round {numbers[0]} on"
    return f"until round {numbers[-1]}" if numbers[-1] < rounds[-1].number else "every round"


def _takes_part(one: PublishedRound, letter: str) -> bool:
    return not one.told.letters or letter in one.told.letters


def brief_about(finding: FoundFinding, question: str) -> str:
    """The brief of a session about one point that was not settled; `question` is what would settle it, if said."""
    settle = f"\n\nWhat would settle it: {question}" if question else ""
    return f"Settle this one point, on which an earlier deliberation did not agree: {finding.claim}{settle}"


def _count(findings: Iterable[FindingFigures], status: str) -> int:
    return sum(one.status == status for one in findings)


def _rounds(number: int) -> str:
    return f"{number} round{'s' if number > 1 else ''}"
