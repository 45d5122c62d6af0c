"""What is written about a round, and about the whole deliberation, by one instance that can decide nothing.

It reads the ledger with the figures the platform computed. Status, counts and severities are facts it may not change;
every sentence cites the findings it speaks of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sessions.engine.agreement import RoundFigures, basis_points, percent
from sessions.engine.answer_fields import fields_of, word_list, words_of
from sessions.engine.arguments import Argument, Shown
from sessions.engine.assessing import number_of
from sessions.engine.blind import BlindSpec
from sessions.engine.ledger import Held, Ledger
from sessions.engine.parsing import find_mapping, visible_text
from sessions.engine.prompts import FENCE_RULES, LEDGER_SHARE, build_prompt, characters, facts_of, fence, nonce
from sessions.engine.roster import Member
from sessions.engine.run import OutputSchema, Prompt
from sessions.engine.schemas import MAX_NOTE, object_schema
from sessions.engine.text import number_lines, single_line

MAX_SUMMARY = 6_000
MAX_LINE = 500
MAX_QUESTIONS = 8

ROUND_TASK = "Write the synthesis of one round of a deliberation for people who follow it."
FINAL_TASK = "Write the synthesis of a finished deliberation for the people who have to act on it."

RULES = """\
- Status, counts, severities and percentages are facts computed by the platform. Do not change, recount or predict them,
  and give no verdict of your own.
- Every sentence about a finding cites its ID, such as F-001. Cite no ID that is not listed.
- Say fairly what each side holds. A minority that is right stays right: do not smooth dissent over."""

ROUND_CONTRACT = (
    "Answer with at most 150 words of plain text: what moved, what is agreed, what is still argued, and why."
)

FINAL_CONTRACT = """\
Answer with one JSON object and nothing else. Its fields, in this order:
- summary: at most 350 words in plain paragraphs. Begin with what to do first. Then what is agreed, then what is not.
- settle: a list, one for each finding that is contested or undecided, each with finding (its ID) and question (the one
  thing somebody would have to find out to settle it)
- open_questions: a list of at most {most} questions that the deliberation leaves open, empty when there are none"""

_STRING = {"type": "string"}
SYNTHESIS = OutputSchema(
    "synthesis",
    object_schema(
        summary=_STRING,
        settle={"type": "array", "items": object_schema(finding=_STRING, question=_STRING)},
        open_questions={"type": "array", "items": _STRING},
    ),
)


@dataclass(frozen=True, slots=True)
class Synthesis:
    """`settle` says by number what would settle a finding."""

    summary: str = ""
    settle: Mapping[int, str] = field(default_factory=dict)
    questions: tuple[str, ...] = ()


def round_prompt(spec: BlindSpec, member: Member, ledger: Ledger, shown: Shown, figures: RoundFigures) -> Prompt:
    return _prompt(spec, member, ROUND_TASK, ROUND_CONTRACT, None, _figures_line([figures]), ledger, shown, figures)


def final_prompt(
    spec: BlindSpec, member: Member, ledger: Ledger, shown: Shown, told: Sequence[RoundFigures], outcome: str
) -> Prompt:
    facts = f"{_figures_line(told)} Outcome, computed: {outcome}."
    contract = FINAL_CONTRACT.format(most=MAX_QUESTIONS)
    return _prompt(spec, member, FINAL_TASK, contract, SYNTHESIS, facts, ledger, shown, told[-1])


def parse_synthesis(text: str, known: Sequence[int]) -> Synthesis:
    """What a synthesiser wrote; plain text is a summary without the rest. What speaks of unknown findings is left
    out of `settle`."""
    found = find_mapping(text, "summary")
    if found is None:
        return Synthesis(visible_text(text)[:MAX_SUMMARY])
    fields = fields_of(found)
    return Synthesis(
        words_of(fields.get("summary"), MAX_SUMMARY),
        {number: question for number, question in _settle(fields.get("settle")) if number in known},
        word_list(fields.get("open_questions") or [])[:MAX_QUESTIONS],
    )


def _settle(items: Any) -> list[tuple[int, str]]:
    rows = [fields_of(item) for item in items[:200] if isinstance(item, dict)] if isinstance(items, list) else []
    said = [(number_of(row.get("finding")), words_of(row.get("question"), MAX_NOTE)) for row in rows]
    return [(number, question) for number, question in said if number and question]


def _prompt(
    spec: BlindSpec, member: Member, task: str, contract: str, schema: OutputSchema | None, facts: str,
    ledger: Ledger, shown: Shown, figures: RoundFigures,
) -> Prompt:  # fmt: skip
    mark = nonce(spec.nonce_seed, member.letter)
    room = characters(member, LEDGER_SHARE)
    return build_prompt(
        member,
        schema,
        task=task,
        rules=[FENCE_RULES.format(nonce=mark), RULES],
        facts=[*facts_of(spec), facts],
        blocks=[fence(mark, "the findings with their figures", number_lines(_ledger(ledger, shown, figures, room)))],
        contract=contract,
    )


def _figures_line(told: Sequence[RoundFigures]) -> str:
    shares = (f"round {one.number} {_percent(one)}" for one in told)
    return f"Agreement on the key findings: {', '.join(shares)}."


def _percent(one: RoundFigures) -> str:
    points = basis_points(one.agreement)
    return "without a figure" if points is None else f"{percent(points)} %"


def _ledger(ledger: Ledger, shown: Shown, figures: RoundFigures, room: int) -> str:
    """Key findings first, in full while they fit, then by title only."""
    by_number = {held.number: held for held in ledger}
    lines: list[str] = []
    for one in sorted(figures.findings, key=lambda one: (not one.is_key, one.number)):
        tally, held = one.tally, by_number[one.number]
        counts = f"{tally.agree + tally.minor} agree, {tally.material} in part, {tally.disagree} disagree"
        head = f"{held.entry.label} {one.severity}, {one.status} ({counts}): {held.words.title}"
        entry = [head, *_arguments(held, shown.get(one.number, ()))]
        room -= sum(map(len, entry))
        lines += [single_line(line, MAX_LINE) for line in (entry if room > 0 else entry[:1])]
    return "\n".join(lines) or "No finding was raised."


def _arguments(held: Held, arguments: Sequence[Argument]) -> list[str]:
    return [f"claim: {held.words.claim}", *(f"argument {one.side}: {one.text}" for one in arguments)]
