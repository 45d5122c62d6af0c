"""The later rounds of a deliberation: what an instance is asked, and what is made of its answer.

It judges the claims of the ledger, not their authors, and takes one position on every listed finding. Findings it
names that are not listed are rejected; whatever it would change (new findings, merges, splits) is a proposal.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sessions.engine.answer_fields import confidence_of, fields_of, severity_of, words_of
from sessions.engine.blind import BlindSpec
from sessions.engine.findings import FAMILIES, SEVERITIES
from sessions.engine.parsing import (
    FINDINGS,
    MAX_CHARACTERS,
    MAX_ITEMS,
    Listed,
    find_list,
    problem_of,
    validate_findings,
)
from sessions.engine.positions import AMENDED_FIELDS, STANCES, Stance
from sessions.engine.prompts import (
    DIFF_RULE,
    FENCE_RULES,
    build_prompt,
    fact,
    facts_of,
    fence,
    material,
    nonce,
    what_of,
)
from sessions.engine.roster import Member
from sessions.engine.run import OutputSchema, Prompt
from sessions.engine.schemas import MAX_CLAIM, MAX_EVIDENCE, REVIEW, OutputFinding, object_schema
from sessions.engine.text import number_lines

TEMPLATE_VERSION = "deliberation-1"
TEMPERATURE = 0.2
MAX_RATIONALE = 700

TASK = "Take a position on every listed finding about {what}: is its claim true of the material?"

RULES = """\
- Several instances judge the same findings. You are not told who raised or argued what; judge the claims alone.
- Your position answers one question: is this claim true of this material? Not: is it well put, or popular.
- Keep your view unless new evidence in the material or a listed argument convinces you. Then name it in
  `changed_because`: `evidence`, or the ID of the argument, such as F-002.1. Otherwise write `none`. Never change
  because others may differ.
- agree: the claim is true as it stands. amend: true, but severity, wording, scope, suggestion or location should
  change; say which in `amend_field` and what to in `amend_value`. disagree: the material shows that it is not true.
  abstain: you cannot tell.
- `new_evidence` is copied character for character from the material, 8 to 300 characters, without the line number;
  empty when you have nothing beyond the quotes that are listed.
- `same_as` names another listed finding that is about the very same defect, else null.
- Every listed ID gets exactly one position. Do not invent IDs; a defect that is not listed goes into `findings`.
- New findings: only what you can prove with a quote and what is not listed. When a listed finding holds two defects,
  give each part as a new finding with the ID in `split_from`. An empty list is a good answer."""

CONTRACT = """\
Answer with one JSON object and nothing else. Its fields, in this order:
- analysis: at most three sentences on how you went about it
- positions: a list, one for each listed finding, each with
  finding (its ID), rationale (one to three sentences, what decides it), new_evidence (a verbatim quote or ""),
  changed_because ("evidence", the ID of an argument, or "none"), same_as (an ID or null),
  amend_field (one of: none, {fields}), amend_value (the new value, "" for none), confidence (0 to 1 in steps of 0.05),
  stance (one of: agree, amend, disagree, abstain)
- findings: a list of defects that are not listed, usually empty; each with title, claim, evidence, location (path,
  start_line, end_line, anchor; null where it does not apply), suggestion, category, confidence, family (one of:
  {families}), severity (blocker, critical, major, minor or info), split_from (an ID or null)"""

_STRING, _STRING_OR_NULL = {"type": "string"}, {"type": ["string", "null"]}
_FINDING = REVIEW.schema["properties"]["findings"]["items"]["properties"]
ASSESSMENT = OutputSchema(
    "assessment",
    object_schema(
        analysis=_STRING,
        positions={
            "type": "array",
            "items": object_schema(
                finding=_STRING,
                rationale=_STRING,
                new_evidence=_STRING,
                changed_because=_STRING,
                same_as=_STRING_OR_NULL,
                amend_field={"type": "string", "enum": ["none", *AMENDED_FIELDS]},
                amend_value=_STRING,
                confidence={"type": "number"},
                stance={"type": "string", "enum": list(STANCES)},
            ),
        },
        findings={"type": "array", "items": object_schema(**_FINDING, split_from=_STRING_OR_NULL)},
    ),
)

_STANCE_WORDS: dict[str, Stance] = {
    **dict.fromkeys(("agree", "agrees", "agreed", "accept", "support", "confirm", "confirmed", "yes", "true"), "agree"),
    **dict.fromkeys(("amend", "amended", "partly", "partial", "agree in part", "modify", "partially agree"), "amend"),
    **dict.fromkeys(("disagree", "disagrees", "reject", "oppose", "refute", "refuted", "no", "false"), "disagree"),
    **dict.fromkeys(("abstain", "cannot tell", "unsure", "unclear", "undecided", "neutral", "cannot_tell"), "abstain"),
}
_NAMES = {
    "finding": ("finding", "finding_id", "id", "label", "number"),
    "stance": ("stance", "position", "verdict", "vote"),
    "rationale": ("rationale", "reason", "reasoning", "because", "argument", "explanation"),
    "new_evidence": ("new_evidence", "evidence", "quote"),
    "changed_because": ("changed_because", "changed", "cites"),
    "amend_field": ("amend_field", "field"),
    "amend_value": ("amend_value", "value", "new_value"),
}
_LABEL = re.compile(r"\s*(?:(?:finding\s?)?f?(?:(?<=f)[-_ ]|#)?)0{0,6}([1-9][0-9]{0,5})\s*", re.IGNORECASE)
_ARGUMENT = re.compile(r"F-?0*([1-9][0-9]{0,5})[./ ]([1-9])\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Said:
    """A position as an instance put it; `field` is empty unless it amends, `same_as` 0 unless it names a finding."""

    number: int
    stance: Stance
    rationale: str
    evidence: str
    because: str
    field: str
    value: str
    same_as: int
    confidence: float


@dataclass(frozen=True, slots=True)
class ParsedAssessment:
    """`said` in the order of acceptance, at most one for each listed finding. `parts` holds new findings with the
    number of the one they are split from. `lists_findings`: the list of new findings was there, be it empty. `problem`
    is what the model must be told, None when there is nothing to ask for."""

    said: tuple[Said, ...] = ()
    new: tuple[OutputFinding, ...] = ()
    parts: tuple[tuple[int, OutputFinding], ...] = ()
    rejected: tuple[str, ...] = ()
    partial: bool = False
    lists_findings: bool = False
    problem: str | None = None

    def then(self, later: "ParsedAssessment") -> "ParsedAssessment":
        """This answer completed by the one to a re-ask; on the same finding the later word counts."""
        again = {one.number for one in later.said}
        return replace(
            later,
            said=tuple(one for one in self.said if one.number not in again) + later.said,
            new=self.new + tuple(one for one in later.new if one not in self.new),
            parts=self.parts + tuple(one for one in later.parts if one not in self.parts),
            rejected=self.rejected + later.rejected,
            partial=later.partial or (self.partial and later.problem is not None),
            lists_findings=self.lists_findings or later.lists_findings,
        )


def assessment_prompt(spec: BlindSpec, member: Member, number: int, ledger: str, own: str) -> Prompt:
    """Of round `number`. `ledger` is what `arguments.ledger_text` makes for this member, `own` where it stands now."""
    mark = nonce(spec.nonce_seed, member.letter)
    rules = [FENCE_RULES.format(nonce=mark), RULES]
    if any(source.kind == "diff" for source in spec.sources):
        rules.append(DIFF_RULE)
    prompt = build_prompt(
        member,
        ASSESSMENT,
        task=TASK.format(what=what_of(spec)),
        rules=rules,
        facts=[
            *facts_of(spec),
            *fact("Your own focus", member.focus),
            *fact("Round", str(number)),
            *fact("Your positions so far", own),
        ],
        blocks=[*material(spec, member, mark), fence(mark, "the findings ledger", number_lines(ledger))],
        contract=CONTRACT.format(families=", ".join(FAMILIES), fields=", ".join(AMENDED_FIELDS)),
    )
    return replace(prompt, temperature=TEMPERATURE if member.temperature is None else member.temperature)


def parse_assessment(text: str, listed: Mapping[int, str], finish_reason: str = "stop") -> ParsedAssessment:
    """The positions in an answer. `listed` holds the severity of every finding that was asked about, by number."""
    partial = finish_reason == "length" or len(text) > MAX_CHARACTERS
    value, is_whole = find_list(text, POSITIONS)
    if value is None:
        return ParsedAssessment(partial=partial, problem=problem_of(text, partial, "positions"))
    said, rejected = _positions(value["positions"], listed)
    raw = next((value[name] for name in FINDINGS.names if isinstance(value.get(name), list)), None)
    new, parts, unusable = _new_findings(raw or [], listed)
    parsed = ParsedAssessment(said, new, parts, rejected + unusable, partial or not is_whole, raw is not None)
    return replace(parsed, problem=_problem(parsed, listed, is_whole))


def _positions(items: Sequence[Any], listed: Mapping[int, str]) -> tuple[tuple[Said, ...], tuple[str, ...]]:
    taken: dict[int, Said] = {}
    rejected = []
    for at, item in enumerate(items[:MAX_ITEMS], 1):
        one = _said(fields_of(item), listed) if isinstance(item, dict) else "is no object"
        if isinstance(one, str):
            rejected.append(f"position {at} {one}")
        else:
            taken.pop(one.number, None)  # the last one counts, in its place
            taken[one.number] = one
    return tuple(taken.values()), tuple(rejected)


def _said(fields: Mapping[str, Any], listed: Mapping[int, str]) -> Said | str:
    """The position, or why it is none."""
    number = number_of(_pick(fields, "finding"))
    if number not in listed:
        return f"is about {words_of(_pick(fields, 'finding'), 40) or 'no finding'}, which is not listed"
    stance = _STANCE_WORDS.get(words_of(_pick(fields, "stance"), 40).lower())
    if stance is None:
        return "has no stance of agree, amend, disagree, abstain"
    change = _change(fields, listed[number]) if stance == "amend" else ("", "")
    if change is None:
        return "amends, but says not what"
    changed, value = change
    same_as = number_of(fields.get("same_as"))
    return Said(
        number=number,
        stance="agree" if stance == "amend" and not changed else stance,
        rationale=words_of(_pick(fields, "rationale"), MAX_RATIONALE),
        evidence=words_of(_pick(fields, "new_evidence"), MAX_EVIDENCE + 1)[:MAX_EVIDENCE],
        because=because_of(_pick(fields, "changed_because")),
        field=changed,
        value=value,
        same_as=same_as if same_as in listed and same_as != number else 0,
        confidence=confidence_of(fields.get("confidence")),
    )


def _change(fields: Mapping[str, Any], severity: str) -> tuple[str, str] | None:
    """Field and value of an amendment; empty when it changes nothing, None when it cannot be read."""
    nested = fields.get("amend")
    inside = {**fields, **fields_of(nested)} if isinstance(nested, dict) else fields
    name = words_of(_pick(inside, "amend_field"), 40).lower()
    value = words_of(_pick(inside, "amend_value"), MAX_CLAIM)
    if name == "severity":
        value = severity_of(value)
        return ("", "") if value == severity else (name, value) if value in SEVERITIES else None
    return (name, value) if name in AMENDED_FIELDS and value else None


def _new_findings(
    items: Sequence[Any], listed: Collection[int]
) -> tuple[tuple[OutputFinding, ...], tuple[tuple[int, OutputFinding], ...], tuple[str, ...]]:
    new: list[OutputFinding] = []
    parts: list[tuple[int, OutputFinding]] = []
    rejected: list[str] = []
    for item in items[:MAX_ITEMS]:
        found, unusable = validate_findings([item])
        rejected += unusable
        parent = number_of(fields_of(item).get("split_from")) if isinstance(item, dict) else 0
        for one in found:
            if parent in listed:
                parts.append((parent, one))
            else:
                new.append(one)
    return tuple(new), tuple(parts), tuple(rejected)


def _problem(parsed: ParsedAssessment, listed: Mapping[int, str], is_whole: bool) -> str | None:
    missing = sorted(set(listed) - {one.number for one in parsed.said})
    if missing and not is_whole:
        labels = ", ".join(f"F-{number:03d}" for number in missing)
        return f"It was cut off. Send only the positions on {labels}, with an empty list `findings`."
    if listed and not parsed.said:
        return "No position in it was usable:\n" + "\n".join(f"- {line}" for line in parsed.rejected[:5])
    return None


def number_of(value: Any) -> int:
    """The number in a finding's ID as models write it (`F-001`, `f1`, `#1`, `1`); 0 for anything else."""
    label = _LABEL.fullmatch(words_of(value, 40))
    return int(label[1]) if label else 0


def because_of(value: Any) -> str:
    """`evidence`, the ID of an argument as it is listed, or empty."""
    words = words_of(value, 200)
    if argument := _ARGUMENT.search(words):
        return f"F-{int(argument[1]):03d}.{argument[2]}"
    return "evidence" if words.lower().strip(" .") in ("evidence", "new evidence", "new_evidence") else ""


def _pick(fields: Mapping[str, Any], name: str) -> Any:
    return next((fields[key] for key in _NAMES[name] if fields.get(key) not in (None, "")), None)


def _is_position(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    fields = fields_of(value)
    return _pick(fields, "stance") is not None and _pick(fields, "finding") is not None


POSITIONS = Listed(("positions", "assessments", "stances", "votes", "verdicts"), _is_position)
