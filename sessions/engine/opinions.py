"""Second opinions: an instance that did not raise a finding is shown its claim and quote, not who raised it, and says
whether the material bears it out. A finding is confirmed or refuted by what stands in the material; nothing is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import orjson
from pydantic import Field, ValidationError

from sessions.engine.answer_fields import confidence_of, fields_of, words_of
from sessions.engine.evidence import Evidence
from sessions.engine.fallback import ask_member
from sessions.engine.findings import Location, Report
from sessions.engine.parsing import find_mapping
from sessions.engine.prompts import (
    DIFF_RULE,
    FENCE_RULES,
    build_prompt,
    facts_of,
    fence,
    material,
    nonce,
    place_words,
    reask_prompt,
    what_of,
)
from sessions.engine.roster import Member
from sessions.engine.run import CallFailed, OutputSchema, Prompt, Run
from sessions.engine.schemas import MAX_EVIDENCE, MAX_NOTE, Output, object_schema
from sessions.engine.text import number_lines

if TYPE_CHECKING:
    from sessions.engine.patterns.review import ReviewSpec

Verdict = Literal["confirmed", "refuted", "cannot_tell"]
REASKS = 1

OPINION_TASK = "Say whether one finding about {what} is borne out by the material."

OPINION_RULES = """\
- Somebody raised the finding; you are not told who. It may be right or wrong: try to refute it first, then to prove it.
- Judge the claim, not its wording or its severity. Report no other findings.
- `evidence` is copied character for character from the material, 8 to 300 characters, without the line number: the
  words that settle it. When nothing settles it, leave it empty and say so with `cannot_tell`.
- confirmed: the material shows the defect. refuted: the material shows that it is not one. cannot_tell: neither."""

OPINION_CONTRACT = """\
Answer with one JSON object and nothing else. Its fields, in this order:
- analysis: at most five sentences on what the material shows
- evidence: the verbatim quote, or an empty string
- confidence: 0 to 1 in steps of 0.05
- verdict (one of: confirmed, refuted, cannot_tell)"""

OPINION = OutputSchema(
    "opinion",
    object_schema(
        analysis={"type": "string"},
        evidence={"type": "string"},
        confidence={"type": "number"},
        verdict={"type": "string", "enum": ["confirmed", "refuted", "cannot_tell"]},
    ),
)
_VERDICT_WORDS: dict[str, Verdict] = {
    **dict.fromkeys(("confirmed", "confirm", "confirms", "agree", "agrees", "true", "yes", "valid"), "confirmed"),
    **dict.fromkeys(("refuted", "refute", "refutes", "disagree", "disagrees", "false", "no", "invalid"), "refuted"),
    **dict.fromkeys(("cannot_tell", "cannot tell", "unclear", "unknown", "unsure", "undecided"), "cannot_tell"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A finding others are asked about: its number, its canonical words, and who raised it."""

    number: int
    words: Report
    raised_by: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"F-{self.number:03d}"


class OpinionOutput(Output):
    """`cannot_tell` needs no quote; the other verdicts count as proven only with one that stands in the material."""

    analysis: str = Field(default="", max_length=MAX_NOTE)
    evidence: str = Field(default="", max_length=MAX_EVIDENCE)
    confidence: float = Field(default=0.5, ge=0, le=1)
    verdict: Verdict


async def ask_opinions(
    run: Run, spec: "ReviewSpec", members: Sequence[Member], asked: Sequence[Asked], judged: Sequence[Evidence]
) -> None:
    """Ask every member about every finding it did not raise, all at once; each answer and each missing one is noted."""
    pairs = [(finding, member) for finding in asked for member in members if member.letter not in finding.raised_by]
    await run.each(pairs, lambda pair: _ask(run, spec, *pair, judged))


async def _ask(run: Run, spec: "ReviewSpec", finding: Asked, member: Member, judged: Sequence[Evidence]) -> None:
    place = f"{finding.label}/{member.letter.lower()}"
    try:
        key = f"opinion/{place}"
        _, opinion = await ask_member(run, key, member, lambda path, one: _answer(run, spec, finding, one, path))
    except CallFailed as failure:
        await run.note(
            f"given/{place}", "opinion.missing", number=finding.number, letter=member.letter, code=failure.code
        )
        return
    words = opinion.model_dump(include={"analysis", "evidence", "confidence"})
    await run.note(
        f"given/{place}",
        "opinion.given",
        number=finding.number,
        letter=member.letter,
        verdict=opinion.verdict,
        verified=_stands(opinion.evidence, finding.words.location, judged),
        texts={"words": orjson.dumps(words, option=orjson.OPT_SORT_KEYS).decode()},
    )


async def _answer(run: Run, spec: "ReviewSpec", finding: Asked, member: Member, key: str) -> OpinionOutput:
    prompt = opinion_prompt(spec, member, finding)
    for reask in range(REASKS + 1):
        reply = await run.call(f"{key}/reask-{reask}" if reask else key, prompt)
        if opinion := parse_opinion(reply.text):
            return opinion
        prompt = reask_prompt(prompt, reply.text, "It holds no JSON object with a `verdict`.")
    raise CallFailed("unusable_answer", member.letter)


def opinion_prompt(spec: "ReviewSpec", member: Member, finding: Asked) -> Prompt:
    mark = nonce(spec.nonce_seed, member.letter)
    rules = [FENCE_RULES.format(nonce=mark), OPINION_RULES]
    if any(source.kind == "diff" for source in spec.sources):
        rules.append(DIFF_RULE)
    words = finding.words
    said = f"{words.title}\n{words.claim}\nat {place_words(words.location)}\nquote: {words.evidence}"
    return build_prompt(
        member,
        OPINION,
        task=OPINION_TASK.format(what=what_of(spec)),
        rules=rules,
        facts=facts_of(spec),
        blocks=[*material(spec, member, mark), fence(mark, "the finding", number_lines(said))],
        contract=OPINION_CONTRACT,
    )


def parse_opinion(text: str) -> OpinionOutput | None:
    """The opinion in an answer; None when there is no verdict in it."""
    found = find_mapping(text, "verdict")
    if found is None:
        return None
    fields = fields_of(found)
    try:
        return OpinionOutput(
            analysis=words_of(fields.get("analysis"), MAX_NOTE),
            evidence=words_of(fields.get("evidence"), MAX_EVIDENCE + 1)[:MAX_EVIDENCE],
            confidence=confidence_of(fields.get("confidence")),
            verdict=_VERDICT_WORDS[words_of(fields.get("verdict"), 40).lower()],
        )
    except (KeyError, ValidationError):
        return None


def _stands(quote: str, location: Location, judged: Sequence[Evidence]) -> bool:
    return bool(quote) and any(evidence.verify(quote, location)[0] for evidence in judged)
