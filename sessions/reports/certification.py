"""A certification in the export document, and in words for people."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sessions.engine.agreement import quorum
from sessions.glossary import label
from sessions.models import Session
from sessions.queries.certification import CertificationView, CriterionAnswer, CriterionRow, certification_of
from sessions.reports import markdown as md


def certification_data(session: Session) -> dict[str, Any] | None:
    """None for a session of another kind."""
    found = certification_of(session)
    if found is None:
        return None
    certificate = found.certificate
    return {
        "standard": {"key": found.key, "name": found.name, "version": found.version},
        "rule": found.rule,
        "verdict": found.verdict or None,
        "criteria": [_criterion(row) for row in found.rows],
        "attestations": [asdict(one) for one in found.attestations],
        "certificate": certificate
        and {
            "id": str(certificate.id),
            "digest": certificate.digest,
            "issued_at": certificate.issued_at.isoformat(),
            "state": certificate.worth.state,
            "because": certificate.worth.because,
            "erased": certificate.erased,
        },
    }


def certification_markdown(session: Session) -> list[str]:
    """Blocks: the verdict, and a table of criteria and instances with the reasons below. Empty for another kind."""
    found = certification_of(session)
    if found is None:
        return []
    standard = f"{md.line(found.name)}, version {found.version}"
    blocks = [f"## {label('field', 'certification')}: {standard}", verdict_sentence(found)]
    blocks.append("\n".join(_table(found)))
    return [*blocks, *(_reasons(row) for row in found.rows if row.answers)]


def verdict_sentence(found: CertificationView) -> str:
    """What came of it, for people: `4 of 5 certify, E refuses. Confidence: medium.`"""
    verdict = found.verdict
    if not verdict:
        return "There is no verdict yet."
    sides = [
        f"{label('instance_verdict', side)}: {', '.join(verdict[side]) or 'nobody'}"
        for side in ("certify", "refuse", "abstain")
    ]
    because = label("verdict_reason", verdict["reason"])
    said = [f"{label('outcome', verdict['outcome'])}{f' ({because})' if because else ''}"]
    if verdict["withheld"]:
        said.append(label("certificate", f"withheld_{verdict['withheld']}"))
    return f"{'. '.join(said)}. {'; '.join(sides)}. Confidence: {verdict['confidence']}."


_SHARES = {"unanimous": "all of those", "supermajority": "two thirds of those", "majority": "more than half of those"}


def rule_sentence(seats: int, rule: str, allow_single: bool) -> str:
    """Who must agree, of so many instances: `At least 2 of 3 must take a side, and all of those must certify.`"""
    if seats < 2:
        allowed = "One instance alone decides, with low confidence."
        return allowed if allow_single else "One instance alone ends as inconclusive. Seat another, or let it decide."
    return f"At least {quorum(seats)} of {seats} must take a side, and {_SHARES.get(rule, '')} must certify."


def _criterion(row: CriterionRow) -> dict[str, Any]:
    return asdict(row.criterion) | {"answers": [_answer(answer) for answer in row.answers]}


def _answer(answer: CriterionAnswer) -> dict[str, Any]:
    copied = ("letter", "said", "verified", "evidence", "start_line", "end_line", "erased")
    return {
        **{name: getattr(answer, name) for name in copied},
        "reason": answer.words,
        "source": str(answer.source) if answer.source else None,
        "flags": list(answer.flags),
    }


def _table(found: CertificationView) -> Iterator[str]:
    letters = [one.letter for one in found.attestations]
    yield f"| Criterion | | {' | '.join(letters)} |"
    yield "|---" * (2 + len(letters)) + "|"
    for row in found.rows:
        said = [label("criterion", row.by_letter[x].said) if x in row.by_letter else "-" for x in letters]
        criterion = f"{md.line(row.criterion.id)}: {md.line(row.criterion.text, 700)}"
        yield f"| {criterion} | {weight(row)} | {' | '.join(said)} |"
    verdicts = [label("instance_verdict", one.verdict) for one in found.attestations]
    yield f"| Verdict | | {' | '.join(verdicts)} |"


def weight(row: CriterionRow) -> str:
    mandatory = label("weight", "mandatory" if row.criterion.mandatory else "optional")
    return f"{mandatory}, {label('weight', 'critical').lower()}" if row.criterion.critical else mandatory


def _reasons(row: CriterionRow) -> str:
    lines = [f"### {md.line(row.criterion.id)}"]
    for answer in row.answers:
        quote = f" Quote {'verified' if answer.verified else 'not verified'}: {md.code(answer.evidence)}"
        words = "(erased)" if answer.erased else f"{md.line(answer.words, 1_000)}{quote if answer.evidence else ''}"
        lines.append(f"- {answer.letter}, {label('criterion', answer.said)}: {words}")
    return "\n".join(lines)
