"""The certificate: what was judged, against which criteria, and what every instance said, as one document that can be
checked without anything else.

It holds digests, codes and numbers; of words only the standard's name. Each attestation is chained to the one before,
the first to what was judged. `faults` computes everything again, so that a document that was put together by somebody
who holds the key but not by the rules is found out too.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sessions.engine.certifying import (
    ANSWERS,
    STRICTNESS,
    Answer,
    Attestation,
    Criterion,
    Judgement,
    Standard,
    judge,
)
from sessions.engine.roster import Member, Source

FORMAT = "crucible-certificate-1"


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation, who gave it, and the SHA-256 of its words."""

    member: Member
    attestation: Attestation
    words_digest: str


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no white space, UTF-8; whole numbers only. Raises TypeError for a float."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def subject_of(
    standard: Standard, sources: Sequence[Source], missing: Mapping[str, str], *, seated: int, rule: str,
    allow_single: bool,
) -> dict[str, Any]:  # fmt: skip
    """What is judged, by what and how; `missing` holds error codes by letter."""
    named = {"key": standard.key, "name": standard.name, "version": standard.version, "digest": standard.digest}
    return {
        "artifacts": [{"digest": one.digest, "kind": one.kind, "judged": not one.context} for one in sources],
        "standard": named,
        "criteria": [{"id": one.id, "mandatory": one.mandatory, "critical": one.critical} for one in standard.criteria],
        "rule": rule,
        "allow_single": allow_single,
        "seated": seated,
        "missing": dict(missing),
    }


def document(
    subject: Mapping[str, Any], criteria: Sequence[Criterion], attested: Sequence[Attested], judgement: Judgement
) -> dict[str, Any]:
    attestations = [_attestation_data(one, criteria) for one in attested]
    links = chain(subject, attestations)
    return {
        "format": FORMAT,
        **subject,
        "simulated": any(one.member.simulated for one in attested),
        "attestations": [data | {"link": link} for data, link in zip(attestations, links, strict=True)],
        "chain": links[-1],
        "verdict": _verdict_data(judgement),
    }


def chain(subject: Mapping[str, Any], attestations: Iterable[Mapping[str, Any]]) -> list[str]:
    """SHA-256 of each attestation behind the one before; of the first behind the digest of the subject."""
    links, previous = [], digest(subject)
    for attestation in attestations:
        previous = hashlib.sha256(previous.encode() + b"\n" + canonical(attestation)).hexdigest()
        links.append(previous)
    return links


def faults(found: Mapping[str, Any]) -> str:
    """Why this document does not hold, as a sentence; empty when it does."""
    try:
        return _faults(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return "It is not a certificate of this kind: something in it is missing or of another sort."


def _faults(found: Mapping[str, Any]) -> str:
    if found["format"] != FORMAT:
        return "It is of a format that this version does not know."
    subject = {name: found[name] for name in _SUBJECT}
    bare = [{name: value for name, value in one.items() if name != "link"} for one in found["attestations"]]
    links = chain(subject, bare)
    if [*(one["link"] for one in found["attestations"]), found["chain"]] != [*links, links[-1]]:
        return "The chain of its attestations is broken: one was changed, added, removed or moved."
    criteria = [Criterion(one["id"], "", one["mandatory"], one["critical"]) for one in found["criteria"]]
    attestations = [_attestation(one) for one in bare]
    for one, data in zip(attestations, bare, strict=True):
        if data["verdict"] != one.verdict(criteria):
            return f"The verdict of instance {one.letter} does not follow from its answers."
    judgement = judge(criteria, attestations, found["seated"], rule=found["rule"], allow_single=found["allow_single"])
    if _verdict_data(judgement) != found["verdict"] or judgement.outcome != "certified":
        return "Its verdict does not follow from its attestations."
    if found["simulated"] != any(one["simulated"] for one in bare):
        return "It does not say rightly whether its instances are simulated."
    return ""


_SUBJECT = ("artifacts", "standard", "criteria", "rule", "allow_single", "seated", "missing")


def _attestation_data(one: Attested, criteria: Sequence[Criterion]) -> dict[str, Any]:
    attestation, member = one.attestation, one.member
    return {
        "letter": attestation.letter,
        "model": member.model_id,
        "family": attestation.family,
        "simulated": member.simulated,
        "answers": {
            answer.criterion: {"said": answer.said, "verified": answer.verified} for answer in attestation.answers
        },
        "own": attestation.own,
        "verdict": attestation.verdict(criteria),
        "read_in_part": attestation.read_in_part,
        "words": one.words_digest,
    }


def _attestation(data: Mapping[str, Any]) -> Attestation:
    """Raises ValueError for an answer or a verdict that is none."""
    answers = tuple(Answer(key, row["said"], row["verified"]) for key, row in data["answers"].items())
    if any(answer.said not in ANSWERS for answer in answers) or data["own"] not in ("", *STRICTNESS):
        raise ValueError(data["letter"])
    return Attestation(data["letter"], data["family"], answers, data["own"], data["read_in_part"])


def _verdict_data(judgement: Judgement) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(judgement)))  # type: ignore[no-any-return]


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("canonical JSON holds whole numbers only")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        _refuse_floats(part)
