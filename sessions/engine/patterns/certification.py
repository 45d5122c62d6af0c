"""A certification: every instance alone judges the artifact against every criterion of a standard; the platform counts.

Order of steps: all instances at once, the verdict, the certificate. Nobody sees another's answers at any time. An
instance without a usable answer is missing, with a code; a criterion it left out counts as one it cannot determine.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sessions.engine.attesting import Judged, ParsedAnswers, certify_prompt, parse_answers
from sessions.engine.certificate import Attested, canonical, document, subject_of
from sessions.engine.certifying import Answer, Attestation, Judgement, Standard, judge
from sessions.engine.evidence import Evidence, locate
from sessions.engine.fallback import ask_member
from sessions.engine.findings import Location
from sessions.engine.reading import Reading
from sessions.engine.reasking import ask_until_usable
from sessions.engine.roster import Member
from sessions.engine.run import CallFailed, Reply, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationSpec(Reading):
    """`rule` is one of `certifying.RULES`."""

    standard: Standard
    rule: str = "unanimous"
    allow_single: bool = False


@dataclass(frozen=True, slots=True)
class CertificationResult:
    judgement: Judgement

    @property
    def outcome(self) -> str:
        return self.judgement.outcome

    @property
    def reason(self) -> str:
        return self.judgement.reason


@dataclass(frozen=True, slots=True)
class Placed:
    """An answer, and `data` as events hold it: with the place of its quote, if that stands somewhere."""

    answer: Answer
    data: dict[str, object]


async def certification(run: Run, spec: CertificationSpec) -> CertificationResult:
    """Raises CallFailed("no_answers") when no instance gave a usable answer."""
    judged = [Evidence(source) for source in spec.sources if not source.context]
    handed_in = await run.each(spec.members, lambda member: _attest(run, spec, member, judged))
    attested = [one for one in handed_in if isinstance(one, Attested)]
    if not attested:
        raise CallFailed("no_answers")
    missing = {member.letter: one for member, one in zip(spec.members, handed_in, strict=True) if isinstance(one, str)}
    judgement = judge(
        spec.standard.criteria,
        [one.attestation for one in attested],
        len(spec.members),
        rule=spec.rule,
        allow_single=spec.allow_single,
    )
    await _announce(run, spec, attested, missing, judgement)
    return CertificationResult(judgement)


async def _attest(run: Run, spec: CertificationSpec, member: Member, judged: Sequence[Evidence]) -> Attested | str:
    """What the instance attests, or the code of why it is missing."""
    key = f"attested/{member.letter.lower()}"
    try:
        path = f"certify/{member.letter.lower()}"
        member, (parsed, cut) = await ask_member(run, path, member, lambda at, one: _answer(run, spec, one, at))
    except CallFailed as failure:
        await run.note(key, "instance.missing", letter=member.letter, code=failure.code)
        return failure.code
    placed = [_place(one, judged) for one in parsed.items]
    answers = tuple(one.answer for one in placed)
    read_in_part = cut or not spec.reads_all(member)
    attestation = Attestation(member.letter, member.family, answers, parsed.own or "", read_in_part)
    words, criteria = _words(parsed), spec.standard.criteria
    await run.note(
        key,
        "attestation.submitted",
        letter=member.letter,
        answers=[one.data for one in placed],
        own=attestation.own,
        derived=attestation.derived(criteria),
        verdict=attestation.verdict(criteria),
        mismatch=attestation.is_mismatched(criteria),
        partial=len(answers) < len(criteria),
        read_in_part=read_in_part,
        cut=spec.cut_for(member),
        texts={"words": words},
    )
    return Attested(member, attestation, hashlib.sha256(words.encode("utf-8", "replace")).hexdigest())


async def _answer(run: Run, spec: CertificationSpec, member: Member, key: str) -> tuple[ParsedAnswers, bool]:
    def read(reply: Reply, before: ParsedAnswers | None) -> ParsedAnswers:
        return parse_answers(reply.text, spec.standard.criteria, before or ParsedAnswers())

    return await ask_until_usable(run, key, certify_prompt(spec, member), read, lambda parsed: parsed.items)


def _place(one: Judged, judged: Sequence[Evidence]) -> Placed:
    source, stands, location = locate(one.evidence, Location(), judged)
    answer = Answer(one.criterion, one.said, stands and not (one.said == "met" and one.is_injected))
    data = {
        "criterion": one.criterion,
        "said": one.said,
        "verified": answer.verified,
        "flags": ["injection"] if one.is_injected else [],
        "source": source.ref if stands else None,
        "start_line": location.start_line if stands else None,
        "end_line": location.end_line if stands else None,
    }
    return Placed(answer, data)


def _words(parsed: ParsedAnswers) -> str:
    """What the instance wrote, as canonical JSON."""
    answers = {one.criterion: {"reason": one.reason, "evidence": one.evidence} for one in parsed.items}
    return orjson.dumps({"analysis": parsed.analysis, "answers": answers}, option=orjson.OPT_SORT_KEYS).decode()


async def _announce(
    run: Run, spec: CertificationSpec, attested: Sequence[Attested], missing: dict[str, str], judgement: Judgement
) -> None:
    """The verdict; and the certificate, unless simulated instances would certify somebody's own file."""
    certified = judgement.outcome == "certified"
    simulated = any(one.member.simulated for one in attested)
    withheld = certified and simulated and not await run.observe("demo", "is_demo_project")
    await run.note(
        "verdict",
        "verdict.reached",
        outcome=judgement.outcome,
        reason=judgement.reason,
        confidence=judgement.confidence,
        quorum=judgement.quorum,
        certify=list(judgement.certify),
        refuse=list(judgement.refuse),
        abstain=list(judgement.abstain),
        vetoes=[{"criterion": criterion, "letter": letter} for criterion, letter in judgement.vetoes],
        withheld="simulated" if withheld else "",
    )
    if certified and not withheld:
        text = canonical(_certificate(spec, attested, missing, judgement)).decode()
        await run.note("certificate", "certificate.issued", texts={"certificate": text})


def _certificate(
    spec: CertificationSpec, attested: Sequence[Attested], missing: dict[str, str], judgement: Judgement
) -> dict[str, Any]:
    how: Any = {"seated": len(spec.members), "rule": spec.rule, "allow_single": spec.allow_single}
    subject = subject_of(spec.standard, spec.sources, missing, **how)
    return document(subject, spec.standard.criteria, attested, judgement)
