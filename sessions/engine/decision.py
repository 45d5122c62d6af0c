"""The end of a deliberation: outcome and confidence by rule, the final synthesis, and the decision as a document.

The document is put together by the platform: evidence, dissent and confidence are three parts of it. What instances
wrote stands in it as quotations, so that nothing they claim can pass for the verdict.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessions.engine.agreement import FindingFigures, RoundFigures, agreement_words, basis_points, percent
from sessions.engine.arguments import arguments_of
from sessions.engine.confidence import Confidence, confidence
from sessions.engine.convergence import Reason, forecast, slope
from sessions.engine.divergence import Crux, DivergenceReport, divergence
from sessions.engine.findings import Location
from sessions.engine.ledger import Held, Ledger
from sessions.engine.positions import Position, Round, Standing, standing
from sessions.engine.roster import Member
from sessions.engine.rounds import canonical, listed_in
from sessions.engine.run import Run
from sessions.engine.synthesis import Synthesis, final_prompt, parse_synthesis
from sessions.engine.text import single_line
from sessions.engine.writers import Written, first_to_write, unknown_labels

if TYPE_CHECKING:
    from sessions.engine.patterns.deliberation import DeliberationSpec

OUTCOMES: dict[Reason, str] = {
    "converged": "converged",
    "single_assessor": "single_assessor",
    "quorum_lost": "quorum_lost",
}
"""Whatever else ends a deliberation leaves it diverged."""

VERDICTS: dict[Reason, str] = {
    "converged": "The instances agree on every key finding.",
    "max_rounds": "The instances do not agree on every key finding after the last round.",
    "stalled": "The instances do not agree on every key finding, and nobody moves any more.",
    "budget": "The instances do not agree on every key finding, and another round would exceed the cap.",
    "quorum_lost": "Too few instances gave usable answers to decide anything.",
    "single_assessor": "One instance alone judged this; nobody could agree or disagree.",
}
STATUSES = {
    "accepted": "agreed: it holds",
    "rejected": "agreed: it does not hold",
    "contested": "contested",
    "undecided": "not decided",
}
SETTLED_BY = {
    "more_answers": "Too few instances decided; more of them have to be asked.",
    "a_quote": "Nobody could quote the place; somebody has to show it.",
    "a_wording": "They differ in what exactly is claimed; somebody has to put it in words all can sign.",
    "a_person": "Both sides have argued; a person has to decide.",
}


@dataclass(frozen=True, slots=True)
class Part:
    """An instance, the first round it took part in and the last; None: to the end. `by` is who answered last for it,
    itself or its fallback."""

    member: Member
    first: int = 1
    last: int | None = None
    by: Member | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Everything the decision is made of. `members` decided in the end, `parts` are all who ever took part."""

    title: str
    outcome: str
    members: tuple[Member, ...]
    parts: tuple[Part, ...]
    ledger: Ledger
    held_by: Standing
    report: DivergenceReport
    sure: Confidence
    synthesis: Synthesis

    @property
    def last(self) -> RoundFigures:
        return self.report.rounds[-1]


async def close(
    run: Run,
    spec: "DeliberationSpec",
    rounds: Sequence[Round],
    ledger: Ledger,
    reason: Reason,
    answering: Mapping[str, Member],
) -> tuple[str, str]:
    """Outcome and decision, which are noted. There is a decision even when nobody writes a synthesis. `answering` says
    by letter who answered last, the instance or its fallback: how independent they are follows from that."""
    members = tuple(answering.get(member.letter, member) for member in spec.members)
    report = divergence(rounds, spec.rules, members, reason)
    sure = confidence(rounds, spec.rules, members, spec.block_severity)
    outcome, held_by = OUTCOMES.get(reason, "diverged"), standing(rounds, spec.rules.letters)
    known = [held.number for held in ledger]
    shown = arguments_of(listed_in(ledger, None), held_by, spec.nonce_seed, len(rounds) + 1)
    answered = [member for member in members if member.letter in answering]
    written = await first_to_write(
        run,
        "decision",
        answered,
        lambda member: final_prompt(spec, member, ledger, shown, report.rounds, outcome),
        read=lambda text: text if parse_synthesis(text, known).summary else "",
    )
    synthesis = parse_synthesis(written.text, known)
    parts = tuple(replace(part, by=answering.get(letter)) for letter, part in parts_of(spec).items())
    ended = Ended(spec.title, outcome, members, parts, ledger, held_by, report, sure, synthesis)
    text = decision_text(ended)
    await _note(run, spec, ended, written, text)
    return outcome, text


def parts_of(spec: "DeliberationSpec") -> dict[str, Part]:
    """Who took part from when to when, by letter: in a fork not everybody did in all rounds."""
    if spec.before is None:
        return {member.letter: Part(member) for member in spec.members}
    until = spec.taken
    before = {letter: part for letter, part in parts_of(spec.before).items() if part.first <= until}
    gone = {letter: replace(part, last=min(part.last or until, until)) for letter, part in before.items()}
    here = {one.letter: replace(before.get(one.letter, Part(one, until + 1)), last=None) for one in spec.members}
    return dict(sorted((gone | here).items()))


async def _note(run: Run, spec: "DeliberationSpec", ended: Ended, written: Written, text: str) -> None:
    synthesis = ended.synthesis
    said = {
        "settle": {str(number): words for number, words in synthesis.settle.items()},
        "questions": synthesis.questions,
    }
    texts = {"decision": text, "said": canonical(said)}
    await run.note(
        "decision",
        "decision.written",
        texts=texts | ({"summary": synthesis.summary} if synthesis.summary else {}),
        generation=spec.generation,
        artifact=spec.artifact,
        lines=text.count("\n"),
        writer=written.letter,
        code=written.code,
        unknown=unknown_labels(synthesis.summary, [held.entry.label for held in ended.ledger]),
        **decision_data(ended, spec),
    )


def decision_data(ended: Ended, spec: "DeliberationSpec") -> dict[str, Any]:
    """Everything computed about the whole deliberation, in whole numbers and codes."""
    report, levels = ended.report, dict(ended.sure.findings)
    return {
        "outcome": ended.outcome,
        "reason": report.reason,
        "confidence": ended.sure.level,
        "caps": list(ended.sure.caps),
        "findings": [
            {"number": one.number, "status": one.status, "key": one.is_key, "confidence": levels.get(one.number, "")}
            for one in ended.last.findings
        ],
        "cruxes": [{"number": crux.number, "settled_by": crux.settled_by} for crux in report.cruxes],
        "unassessed": list(report.unassessed),
        "late_notes": list(report.late_notes),
        "flips": [
            {
                "letter": flip.letter,
                "number": flip.number,
                "round": flip.round,
                "to": flip.to,
                "toward_majority": flip.toward_majority,
                "explained": flip.explained,
            }
            for flip in report.counted_flips
        ],
        "voids": list(report.voids),
        "conformity_bp": basis_points(report.conformity),
        "ac1_bp": basis_points(report.ac1),
        "slope_bp": basis_points(slope(report.rounds)),
        "forecast": None if ended.outcome == "converged" else forecast(report.rounds, spec.rules.tau),
        "n_eff_hundredths": round(report.effective_votes * 100),
        "next_step": report.next_step,
    }


def decision_text(ended: Ended) -> str:
    """The document, in Markdown."""
    parts = [
        f"# Decision: {single_line(ended.title)}",
        VERDICTS[ended.report.reason],
        "\n".join(_facts(ended)),
        "## Summary",
        _quoted(ended.synthesis.summary) or "Nobody wrote one.",
        "## Evidence",
        *_evidence(ended),
        "## Dissent",
        *_dissent(ended),
        "## Confidence",
        *_confidence(ended),
        "## Open questions",
        *_questions(ended),
        "## Who took part",
        "\n".join(map(_who, ended.parts)),
    ]
    return "\n\n".join(parts) + "\n"


def _who(part: Part) -> str:
    member = part.member
    since = f", from round {part.first}" if part.first > 1 else ""
    until = f", until round {part.last}" if part.last else ""
    stood_in = f", answered by {part.by.model_id}" if part.by and part.by.model_id != member.model_id else ""
    return f"- {member.letter}: {single_line(member.name)}, {member.model_id}{stood_in}{since}{until}"


def _facts(ended: Ended) -> Iterator[str]:
    for one in ended.report.rounds:
        said = agreement_words(one.number, basis_points(one.agreement))
        yield f"- Round {one.number}: {said}, {one.answered} of {one.seats} instances answered"
    if ended.report.unassessed:
        yield f"- Not assessed by the others: {_labels(ended.report.unassessed)}"
    if ended.report.late_notes:
        yield f"- Raised late, below major: {_labels(ended.report.late_notes)}"
    if left_out := [held.number for held in ended.ledger if held.is_withdrawn]:
        yield f"- Found by the review and not put to the rounds: {_labels(left_out)}"


def _evidence(ended: Ended) -> Iterator[str]:
    by_number = {held.number: held for held in ended.ledger}
    for status, words in STATUSES.items():
        for one in ended.last.findings:
            if one.status == status:
                yield from _finding(by_number[one.number], one, words)
    if not ended.last.findings:
        yield "No finding was raised."


def _finding(held: Held, one: FindingFigures, status: str) -> Iterator[str]:
    tally, words = one.tally, held.words
    counts = f"{tally.agree + tally.minor} agree, {tally.material} agree in part, {tally.disagree} disagree"
    disputed = ", severity disputed" if one.severity_disputed else ""
    yield f"### {held.entry.label} {single_line(words.title)}"
    yield f"{one.severity}{disputed}; {status}: {counts}. At {single_line(_place(words.location))}."
    yield _quoted(words.claim)
    yield "Quote, found in the artifact:" if held.entry.evidence_verified else "Quote, not found in the artifact:"
    yield _quoted(words.evidence)


def _place(location: Location) -> str:
    first, last = location.start_line, location.end_line or location.start_line
    lines = f"lines {first}-{last}" if first != last else f"line {first}" if first else ""
    return ", ".join(part for part in (location.path, lines, location.anchor) if part) or "no place given"


def _dissent(ended: Ended) -> Iterator[str]:
    """Verbatim: whoever holds otherwise than what was agreed, and the best of each side where nothing was."""
    said = [*_minorities(ended), *(part for crux in ended.report.cruxes for part in _crux(crux, ended.synthesis))]
    yield from said or ["None."]


def _minorities(ended: Ended) -> Iterator[str]:
    for one in ended.last.findings:
        against = {"accepted": ("disagree", "material"), "rejected": ("agree", "minor", "material")}.get(one.status, ())
        for _, position in sorted(ended.held_by[one.number].items()):
            if position.kind in against:
                yield f"F-{one.number:03d}, {position.letter} ({position.stance}):"
                yield _words(position)


def _crux(crux: Crux, synthesis: Synthesis) -> Iterator[str]:
    yield f"F-{crux.number:03d} is {STATUSES[crux.status]}. {SETTLED_BY[crux.settled_by]}"
    for side in crux.sides:
        yield f"{', '.join(side.letters)} ({side.kind}):"
        yield _words(side.strongest)
    if question := synthesis.settle.get(crux.number):
        yield "What would settle it, in the words of the synthesis:"
        yield _quoted(question)


def _confidence(ended: Ended) -> Iterator[str]:
    report, caps = ended.report, f" (limited by: {', '.join(ended.sure.caps)})" if ended.sure.caps else ""
    votes = round(report.effective_votes * 100)
    yield f"{ended.sure.level}{caps}. Agreement is not correctness."
    yield f"{len(ended.members)} instances are worth about {votes // 100}.{votes % 100:02d} independent votes."
    if report.conformity is not None:
        yield f"Changed side toward the majority without a reason: {percent(basis_points(report.conformity) or 0)} %."
    rows = [f"- F-{number:03d}: {level}" for number, level in ended.sure.findings]
    if rows:
        yield "\n".join(rows)


def _questions(ended: Ended) -> Iterator[str]:
    yield _quoted("\n".join(ended.synthesis.questions)) or "None."


def _words(position: Position) -> str:
    """The rationale, and the quote when there is one."""
    quote = f"\n\nquoting: {position.evidence}" if position.evidence else ""
    return _quoted(f"{position.rationale or '(no reason given)'}{quote}")


def _labels(numbers: Iterable[int]) -> str:
    return ", ".join(f"F-{number:03d}" for number in numbers)


def _quoted(text: str) -> str:
    """Other people's words as a quotation that none of their lines can leave."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())
