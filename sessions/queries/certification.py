"""A certification as pages, exports and the API read it: what every instance said of every criterion, and what came of
it. A fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F

from sessions.engine.certifying import Criterion
from sessions.models import Attestation, Certificate, Event, Session, SessionSource
from sessions.queries.standards import criteria_of, versions_in


@dataclass(frozen=True, slots=True)
class CriterionAnswer:
    """`words` are the reason it gives. `verified`: the quote proves it. `source` and the lines are those of the quote,
    None when it stands nowhere."""

    letter: str
    said: str
    verified: bool
    words: str
    evidence: str
    source: UUID | None
    start_line: int | None
    end_line: int | None
    flags: tuple[str, ...]
    erased: bool


@dataclass(frozen=True, slots=True)
class CriterionRow:
    """One criterion with what the instances say of it, by letter; an instance that left it out has no answer."""

    criterion: Criterion
    answers: tuple[CriterionAnswer, ...]

    @property
    def by_letter(self) -> dict[str, CriterionAnswer]:
        return {answer.letter: answer for answer in self.answers}


@dataclass(frozen=True, slots=True)
class AttestationView:
    """`verdict` is the stricter of the instance's `own`, empty when it named none, and the `derived` one."""

    letter: str
    verdict: str
    own: str
    derived: str
    mismatch: bool
    analysis: str


@dataclass(frozen=True, slots=True)
class Worth:
    """What a certificate is worth now: `valid` or `superseded`, and why. New versions of what was judged count, and a
    later verdict of the same session."""

    state: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class CertificateView:
    id: UUID
    digest: str
    issued_at: datetime
    worth: Worth
    erased: bool


@dataclass(frozen=True, slots=True)
class CertificationView:
    """`verdict` is the data of `verdict.reached`, empty while there is none. `standard` has no words when they were
    erased: then `rows` is empty."""

    key: str
    name: str
    version: int
    rule: str
    rows: tuple[CriterionRow, ...]
    attestations: tuple[AttestationView, ...]
    verdict: dict[str, Any]
    certificate: CertificateView | None


def certification_of(session: Session) -> CertificationView | None:
    """None for a session of another kind."""
    if session.kind != "certification":
        return None
    params = session.params
    standards = versions_in(session.project_id).filter(standard__key=params["standard"], number=params["version"])
    standard = standards[0]
    attested = list(Attestation.objects.filter(session=session).select_related("content"))
    certificate = Certificate.objects.filter(session=session).select_related("content").first()
    return CertificationView(
        key=standard.standard.key,
        name=standard.standard.name,
        version=standard.number,
        rule=params["rule"],
        rows=tuple(_rows(criteria_of(standard), attested)),
        attestations=tuple(_attestation(row) for row in attested),
        verdict=verdict_of(session),
        certificate=_certificate(certificate) if certificate else None,
    )


def verdict_of(session: Session) -> dict[str, Any]:
    """The newest; empty before there is one."""
    reached = Event.objects.filter(session=session, kind="verdict.reached").order_by("-seq")
    found: dict[str, Any] | None = reached.values_list("data", flat=True).first()
    return found or {}


def worth_of(certificate: Certificate) -> Worth:
    """Two queries."""
    judged = SessionSource.objects.filter(session=certificate.session_id, context=False)
    if judged.filter(version__artifact__versions__number__gt=F("version__number")).exists():
        return Worth("superseded", "new_version")
    later = Event.objects.filter(session=certificate.session_id, kind="verdict.reached", at__gt=certificate.issued_at)
    return Worth("superseded", "judged_again") if later.exists() else Worth("valid")


def _certificate(row: Certificate) -> CertificateView:
    return CertificateView(row.pk, row.digest, row.issued_at, worth_of(row), row.content.erased_at is not None)


def _attestation(row: Attestation) -> AttestationView:
    analysis = _words(row).get("analysis", "")
    return AttestationView(row.letter, row.verdict, row.own, row.derived, row.mismatch, analysis)


def _rows(criteria: Sequence[Criterion], attested: Sequence[Attestation]) -> list[CriterionRow]:
    said = [(row, _words(row).get("answers", {})) for row in attested]
    return [
        CriterionRow(
            criterion,
            tuple(
                _answer(row, answer, words.get(criterion.id, {}))
                for row, words in said
                for answer in row.answers
                if answer["criterion"] == criterion.id
            ),
        )
        for criterion in criteria
    ]


def _answer(row: Attestation, answer: dict[str, Any], words: dict[str, str]) -> CriterionAnswer:
    return CriterionAnswer(
        letter=row.letter,
        said=answer["said"],
        verified=answer["verified"],
        words=words.get("reason", ""),
        evidence=words.get("evidence", ""),
        source=UUID(answer["source"]) if answer["source"] else None,
        start_line=answer["start_line"],
        end_line=answer["end_line"],
        flags=tuple(answer["flags"]),
        erased=row.content.erased_at is not None,
    )


def _words(row: Attestation) -> dict[str, Any]:
    return {} if row.content.erased_at else orjson.loads(row.content.text)
