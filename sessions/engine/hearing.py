"""One instance in a later round: asked, understood, and turned into positions and proposals.

An answer is asked for again when it cannot be read or breaks off; who gives no position at all is missing in that
round, with a code. Nothing is carried over from an earlier round in its place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from sessions.engine.arguments import Shown, ledger_text, own_words
from sessions.engine.assessing import ParsedAssessment, Said, assessment_prompt, parse_assessment
from sessions.engine.blind import BlindSpec
from sessions.engine.evidence import Evidence
from sessions.engine.fallback import ask_member
from sessions.engine.findings import Location
from sessions.engine.ledger import Held, Ledger, Proposals
from sessions.engine.positions import Position, Standing, amendment_of, explains
from sessions.engine.prompts import LEDGER_SHARE, characters
from sessions.engine.reasking import ask_until_usable
from sessions.engine.reports import build_reports, report_data, words_text
from sessions.engine.roster import Member
from sessions.engine.run import CallFailed, Prompt, Reply, Run


@dataclass(frozen=True, slots=True)
class Question:
    """What round `number` asks everybody: the `listed` findings of the ledger with the arguments that are `shown`.
    Findings are about the `judged` texts; a position may also quote evidence that was `added` since."""

    spec: BlindSpec
    generation: int
    number: int
    ledger: Ledger
    listed: Sequence[Held]
    shown: Shown
    held_by: Standing
    judged: Sequence[Evidence]
    added: Sequence[Evidence] = ()

    @property
    def severities(self) -> dict[int, str]:
        return {held.number: held.entry.severity for held in self.listed}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one instance said, or its fallback as `member`. `nothing_new`: its list of new findings was there and empty.
    `code` says why there is nothing."""

    member: Member
    positions: tuple[Position, ...] = ()
    proposals: Proposals = Proposals("")
    nothing_new: bool = False
    code: str = ""


async def hear(run: Run, question: Question, member: Member, again: str = "") -> Answer:
    """`again` is the end of the path when the member is asked once more."""
    key = f"round-{question.number}/{member.letter.lower()}{again}"
    said: dict[str, Any] = {"generation": question.generation, "round": question.number, "letter": member.letter}
    read = _reader(question.severities)

    async def ask(path: str, one: Member) -> tuple[ParsedAssessment, bool]:
        return await ask_until_usable(run, path, _prompt(question, one), read, lambda parsed: parsed.said)

    try:
        member, (parsed, cut) = await ask_member(run, f"assess/{key}", member, ask)
    except CallFailed as failure:
        await run.note(f"positions/{key}", "positions.missing", **said, code=failure.code)
        return Answer(member, code=failure.code)
    proposals = _proposals(question, member, parsed)
    reports = [*proposals.reports, *(part for _, part in proposals.parts)]
    await run.note(
        f"positions/{key}",
        "positions.submitted",
        **said,
        taken=len(parsed.said),
        omitted=sorted(set(question.severities) - {one.number for one in parsed.said}),
        rejected=len(parsed.rejected),
        partial=parsed.partial,
        read_in_part=cut or not question.spec.reads_all(member),
        reports=[report_data(int(report.id.rpartition("-")[2]), report) for report in reports],
        texts={"raised": words_text(reports)} if reports else {},
    )
    positions = tuple(_position(question, member, one) for one in parsed.said)
    return Answer(member, positions, proposals, nothing_new=parsed.lists_findings and not reports)


def _prompt(question: Question, member: Member) -> Prompt:
    """CallFailed("context_too_long") when the ledger does not fit into the member's window."""
    seed, room = question.spec.nonce_seed, characters(member, LEDGER_SHARE)
    ledger = ledger_text(question.listed, question.shown, seed, question.number, member.letter, room)
    own = own_words(question.listed, question.held_by, member.letter)
    return assessment_prompt(question.spec, member, question.number, ledger, own)


def _reader(severities: Mapping[int, str]) -> Callable[[Reply, ParsedAssessment | None], ParsedAssessment]:
    def read(reply: Reply, before: ParsedAssessment | None) -> ParsedAssessment:
        parsed = parse_assessment(reply.text, severities, reply.finish_reason)
        return before.then(parsed) if before else parsed

    return read


def _position(question: Question, member: Member, said: Said) -> Position:
    entry = next(held.entry for held in question.listed if held.number == said.number)
    verified = bool(said.evidence) and any(
        one.verify(said.evidence, Location())[0] for one in (*question.judged, *question.added)
    )
    arguments = {argument.id for argument in question.shown.get(said.number, ())}
    return Position(
        letter=member.letter,
        number=said.number,
        round=question.number,
        stance=said.stance,
        version=entry.version,
        amendment=amendment_of(said.field, said.value, entry.severity) if said.stance == "amend" else None,
        confidence=round(said.confidence * 100),
        rationale=said.rationale,
        evidence=said.evidence,
        evidence_verified=verified,
        explained=explains(said.because, arguments, verified),
    )


def _proposals(question: Question, member: Member, parsed: ParsedAssessment) -> Proposals:
    """Ordinals of an instance's reports go on where its earlier rounds ended."""
    spec, letter = question.spec, member.letter
    known = {report.id for held in question.ledger for report in held.reports if report.raised_by == letter}
    built = build_reports(letter, parsed.new, question.judged, floor=spec.severity_floor, limit=spec.max_findings)
    parts = [
        (parent, report)
        for parent, item in parsed.parts
        for report in build_reports(letter, [item], question.judged, floor=spec.severity_floor, limit=1)
    ]
    ids = (f"{letter}-{ordinal}" for ordinal in count(len(known) + 1))
    return Proposals(
        letter,
        tuple(replace(report, id=next(ids)) for report in built),
        frozenset((min(one.number, one.same_as), max(one.number, one.same_as)) for one in parsed.said if one.same_as),
        tuple((parent, replace(report, id=next(ids))) for parent, report in parts),
    )
