"""A deliberation: instances take positions in rounds until they agree, or it is understood where they do not.

Round 1 is a blind review, at the same paths and with the same prompts. Every later round shows the ledger with the best
argument of each side, unnamed, and asks everybody for one position on every finding. The platform counts; a round is
published when it is complete, with its synthesis, and never changes. What ends it is computed (`engine.convergence`).

A fork goes through the rounds it takes from the record under the spec of that record, so they come out as they were;
then its own roster and texts take over.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sessions.engine.agreement import RoundFigures, Rules, basis_points, figures, quorum
from sessions.engine.arguments import arguments_of
from sessions.engine.assessing import TEMPLATE_VERSION
from sessions.engine.blind import BlindSpec, Submission, ask_lead, rank_findings, submit
from sessions.engine.convergence import Decision, decide, stability
from sessions.engine.decision import close
from sessions.engine.evidence import Evidence
from sessions.engine.findings import Report, ledger_order
from sessions.engine.hearing import Answer, Question, hear
from sessions.engine.ledger import (
    Ledger,
    amended,
    entries_of,
    for_next_round,
    next_ledger,
    open_ledger,
    put_only,
    ranked,
    withdrawn,
)
from sessions.engine.positions import Position, Round, standing
from sessions.engine.prompts import TEMPLATE_VERSION as BLIND_TEMPLATE
from sessions.engine.reports import finding_data
from sessions.engine.roster import Member
from sessions.engine.rounds import Opening, ledger_record, listed_in, published, seal, words_of
from sessions.engine.run import CallFailed, Run
from sessions.engine.synthesis import round_prompt
from sessions.engine.writers import Written, first_to_write, unknown_labels

NOTHING_LEFT = -1
"""Micro-credits: a cap kept somebody from being asked, so no further round is paid for."""


@dataclass(frozen=True, slots=True)
class DeliberationSpec(BlindSpec):
    """`rules` say who must agree and for how long to try; the letters in them are those of `members`. Findings from
    `block_severity` up decide how sure the result is. `generation` counts retries: a retry publishes rounds of its own.
    `artifact` is the id of the artifact that the decision becomes a version of, 0 without one. `only`: the findings of
    the first round that later ones are asked about, None for all. A fork takes its first `taken` rounds from the
    session whose spec is `before`; an instance with the same letter in both is the same one."""

    rules: Rules = Rules(("A",))
    block_severity: str = "critical"
    generation: int = 0
    artifact: int = 0
    only: frozenset[int] | None = None
    before: "DeliberationSpec | None" = None
    taken: int = 0

    def in_round(self, number: int) -> "DeliberationSpec":
        """The spec under which round `number` is held."""
        if self.before is None or number > self.taken:
            return self
        return self.before.in_round(number)

    @property
    def differs(self) -> bool:
        """Whether others take part, or more is read, than in the last round that is taken from the record."""
        then = self.in_round(self.taken) if self.taken else self
        return (then.rules.letters, len(then.sources)) != (self.rules.letters, len(self.sources))


@dataclass(frozen=True, slots=True)
class DeliberationResult:
    rounds: tuple[Round, ...]
    outcome: str
    reason: str
    decision: str


@dataclass(slots=True)
class Table:
    """What lies on the table while the rounds go on: everything follows from the journal, nothing is kept elsewhere.
    `spec` is that of the round being held, `taken` counts those that come from a record; `added` is the evidence that
    came with a fork, which a position may quote. `answering` is who answered last under each letter, the instance or
    its fallback."""

    spec: DeliberationSpec
    judged: Sequence[Evidence]
    taken: int = 0
    added: Sequence[Evidence] = ()
    rounds: list[Round] = field(default_factory=list)
    ledger: Ledger = ()
    answering: dict[str, Member] = field(default_factory=dict)
    seal: str = ""
    spent: int = 0
    left: int | None = None


Heard = TypeVar("Heard", Submission, Answer)


async def deliberation(run: Run, spec: DeliberationSpec) -> DeliberationResult:
    """Raises CallFailed("no_answers") when no instance gave a usable answer in the first round."""
    judged = [Evidence(source) for source in spec.sources if not source.context]
    table = Table(spec.in_round(1), judged, spec.taken)
    await _first_round(run, table)
    while (what := _what_follows(table, spec)).reason is None:
        await _later_round(run, table, what)
    outcome, text = await close(run, spec, table.rounds, table.ledger, what.reason, table.answering)
    return DeliberationResult(tuple(table.rounds), outcome, what.reason, text)


def _what_follows(table: Table, spec: DeliberationSpec) -> Decision:
    """Whether there is another round. The first one of a fork's own is held whatever its record came to, when somebody
    or something new takes part in it."""
    number = len(table.rounds) + 1
    if (now := spec.in_round(number)) is not table.spec:
        _take_over(table, now)
    if number == now.taken + 1 and now.differs:
        return Decision("next")
    return decide(table.rounds, now.rules, table.left)


def _take_over(table: Table, spec: DeliberationSpec) -> None:
    """From here on `spec` holds: its roster decides, its texts are read. What was decided before stays so."""
    letters, known = table.spec.rules.letters, {source.ref for source in table.spec.sources}
    table.rounds = [replace(one, letters=one.letters or letters) for one in table.rounds]
    table.added = [*table.added, *(Evidence(source) for source in spec.sources if source.ref not in known)]
    table.spec = spec


async def _first_round(run: Run, table: Table) -> None:
    spec = table.spec
    opening = Opening(spec.generation, 1, "blind", spec.rules.letters, (), BLIND_TEMPLATE, "")
    await _open(run, opening)
    brief = await ask_lead(run, spec)

    async def ask(member: Member, again: str) -> Submission:
        return await submit(run, spec, member, brief, table.judged, again)

    handed, attempt = await _ask_all(run, table, opening, ask)
    answered = [one for one in handed if not one.code]
    if not answered:
        raise CallFailed("no_answers")
    table.answering |= {one.member.letter: one.member for one in answered}
    table.ledger = open_ledger(await rank_findings(run, [report for one in answered for report in one.reports]))
    if spec.only is not None:
        table.ledger = put_only(table.ledger, spec.only)
    one = Round(
        number=1,
        answered=frozenset(one.member.letter for one in answered),
        entries=entries_of(table.ledger),
        positions=_raised(table.ledger, [report for one in answered for report in one.reports], 1),
        empty_lists=frozenset(one.member.letter for one in answered if not one.parsed.items),
        attempt=attempt,
    )
    await _publish(run, table, opening, one, {one.member.letter: one.code for one in handed if one.code})


async def _later_round(run: Run, table: Table, what: Decision) -> None:
    spec, number = table.spec, len(table.rounds) + 1
    table.ledger = for_next_round(table.ledger, number - 1)
    listed = listed_in(table.ledger, what.asked)
    held_by = standing(table.rounds, spec.rules.letters)
    shown = arguments_of(listed, held_by, spec.nonce_seed, number)
    opening = Opening(
        spec.generation,
        number,
        "assessment" if what.asked is None else "confirmation",
        spec.rules.letters,
        tuple((held.number, held.entry.version) for held in listed),
        TEMPLATE_VERSION,
        ledger_record(listed, shown),
    )
    await _open(run, opening)
    question = Question(spec, spec.generation, number, table.ledger, listed, shown, held_by, table.judged, table.added)

    async def ask(member: Member, again: str) -> Answer:
        return await hear(run, question, member, again)

    answers, attempt = await _ask_all(run, table, opening, ask)
    heard = [answer for answer in answers if not answer.code]
    table.answering |= {answer.member.letter: answer.member for answer in heard}
    table.ledger, reports = next_ledger(table.ledger, [one.proposals for one in heard], number, len(spec.members))
    one = Round(
        number=number,
        answered=frozenset(answer.member.letter for answer in heard),
        entries=entries_of(table.ledger),
        positions=_raised(table.ledger, reports, number) + tuple(said for one in heard for said in one.positions),
        empty_lists=frozenset(answer.member.letter for answer in heard if answer.nothing_new),
        asked=what.asked,
        attempt=attempt,
    )
    await _publish(run, table, opening, one, {answer.member.letter: answer.code for answer in answers if answer.code})


async def _ask_all(
    run: Run, table: Table, opening: Opening, ask: Callable[[Member, str], Awaitable[Heard]]
) -> tuple[list[Heard], int]:
    """What everybody said, and at which attempt. A round that too few answered is void; those who are missing are asked
    once more, unless there is nothing left to pay them with."""
    members = table.spec.members
    heard = await run.each(members, lambda member: ask(member, ""))
    missing = {one.member.letter: one.code for one in heard if one.code}
    if len(members) == 1 or len(members) - len(missing) >= quorum(len(members)) or "cap_reached" in missing.values():
        return heard, 1
    await run.note(
        f"voided/round-{opening.number}",
        "round.voided",
        generation=opening.generation,
        round=opening.number,
        missing=[{"letter": letter, "code": code} for letter, code in sorted(missing.items())],
    )
    absent = [member for member in members if member.letter in missing]
    again = await run.each(absent, lambda member: ask(member, "/again"))
    came = {one.member.letter: one for one in again}
    return [came.get(one.member.letter, one) for one in heard], 2


def _raised(ledger: Ledger, reports: Sequence[Report], number: int) -> tuple[Position, ...]:
    """Whoever raises a finding agrees with it, at the highest severity it gave."""
    numbers = {report.id: held.number for held in ledger for report in held.reports if held.entry.state != "split"}
    versions = {held.number: held.entry.version for held in ledger}
    positions: dict[tuple[str, int], Position] = {}
    for report in sorted(reports, key=ledger_order):
        finding = numbers[report.id]
        positions.setdefault(
            (report.raised_by, finding),
            Position(
                letter=report.raised_by,
                number=finding,
                round=number,
                stance="agree",
                version=versions[finding],
                severity=report.severity,
                confidence=round(report.confidence * 100),
                rationale=report.claim,
                evidence=report.evidence,
                evidence_verified=report.evidence_verified,
            ),
        )
    return tuple(positions.values())


async def _open(run: Run, opening: Opening) -> None:
    texts = {"ledger": opening.ledger} if opening.ledger else {}
    await run.note(f"opened/round-{opening.number}", "round.opened", texts=texts, **opening.data())


async def _publish(run: Run, table: Table, opening: Opening, one: Round, missing: Mapping[str, str]) -> None:
    """The result of a complete round, with its synthesis: counted, written, sealed, said."""
    rules = table.spec.rules
    now = figures([*table.rounds, one], rules)
    if not now.is_void:
        one = _with_amendments(table, one, now)
        now = figures([*table.rounds, one], rules)
    if one.number > 1:
        await _rank(run, table, one.number, now)
    written = Written() if now.is_void else await _synthesise(run, table, one, now)
    one = replace(one, cost=await _count_cost(run, table, one.number, missing))
    table.rounds.append(one)
    moved = basis_points(stability(table.rounds, rules.letters).share)
    labels = [entry.label for entry in one.entries]
    data = published(opening, one, now, missing, stability_bp=moved) | {
        "writer": written.letter,
        "unknown": unknown_labels(written.text, labels),
    }
    texts = {"words": words_of(one)} | ({"synthesis": written.text} if written.text else {})
    previous, table.seal = table.seal, seal(table.seal, data, texts)
    await run.note(
        f"published/round-{one.number}", "round.published", texts=texts, **data, previous=previous, seal=table.seal
    )


async def _count_cost(run: Run, table: Table, number: int, missing: Mapping[str, str]) -> int:
    """What the round cost, in micro-credits; what is left for others is laid on the table."""
    budget = await run.observe(f"budget/round-{number}", "budget")
    cost, table.spent = budget["spent"] - table.spent, budget["spent"]
    table.left = None if budget["cap"] is None else budget["cap"] - budget["spent"]
    if "cap_reached" in missing.values() and number > table.taken:
        table.left = NOTHING_LEFT
    return int(cost)


def _with_amendments(table: Table, one: Round, now: RoundFigures) -> Round:
    """The round with the marks of what its positions changed: severities count from the next round on."""
    held_by = standing([*table.rounds, one], table.spec.rules.letters)
    table.ledger = amended(table.ledger, held_by, now, one.number)
    versioned = {held.number: held.entry.versioned_round for held in table.ledger}
    return replace(one, entries=tuple(replace(entry, versioned_round=versioned[entry.number]) for entry in one.entries))


async def _rank(run: Run, table: Table, number: int, now: RoundFigures) -> None:
    await run.note(
        f"findings/round-{number}",
        "findings.ranked",
        findings=[finding_data(finding) for finding in [*ranked(table.ledger, now), *withdrawn(table.ledger)]],
        merged=[held.number for held in table.ledger if not (held.is_open or held.is_withdrawn)],
    )


async def _synthesise(run: Run, table: Table, one: Round, now: RoundFigures) -> Written:
    spec = table.spec
    members = [table.answering[member.letter] for member in spec.members if member.letter in one.answered]
    held_by = standing([*table.rounds, one], spec.rules.letters)
    shown = arguments_of(listed_in(table.ledger, None), held_by, spec.nonce_seed, one.number + 1)
    return await first_to_write(
        run,
        f"synthesis/round-{one.number}",
        members,
        lambda member: round_prompt(spec, member, table.ledger, shown, now),
    )
