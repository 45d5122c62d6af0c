"""Certification."""

import uuid

from sessions.events.data import Code, Data, Letter, TextRef
from sessions.events.findings import CutSource


class CriterionAnswer(Data):
    """`verified`: the instance's quote proves it; the place is that of the quote, if it stands somewhere."""

    criterion: Code
    said: Code
    verified: bool
    flags: list[Code] = []
    source: uuid.UUID | None
    start_line: int | None
    end_line: int | None


class AttestationSubmitted(Data):
    """`own` is the verdict that the instance names, `derived` what follows from its answers; the stricter is
    `verdict`."""

    letter: Letter
    answers: list[CriterionAnswer]
    own: Code
    derived: Code
    verdict: Code
    mismatch: bool
    partial: bool
    read_in_part: bool
    cut: list[CutSource] = []
    words: TextRef


class Veto(Data):
    criterion: Code
    letter: Letter


class VerdictReached(Data):
    """Of a certification. `withheld` says why there is no certificate although it is certified."""

    outcome: Code
    reason: Code
    confidence: Code
    quorum: int
    certify: list[Letter]
    refuse: list[Letter]
    abstain: list[Letter]
    vetoes: list[Veto]
    withheld: Code = ""


class CertificateIssued(Data):
    certificate: TextRef


class CertificateSuperseded(Data):
    """What was judged has this newer version."""

    version: uuid.UUID


KINDS: dict[str, type[Data]] = {
    "attestation.submitted": AttestationSubmitted,
    "verdict.reached": VerdictReached,
    "certificate.issued": CertificateIssued,
    "certificate.superseded": CertificateSuperseded,
}
