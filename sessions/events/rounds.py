"""The rounds of a deliberation, and its decision."""

from typing import Annotated

from pydantic import Field

from sessions.events.data import Code, Data, Letter, TextRef
from sessions.events.findings import ReportData


class ListedFinding(Data):
    number: int
    version: int


class RoundOpened(Data):
    """What a round asks and of whom, said before anybody answers. `definition` is its digest, `ledger` what is shown;
    a blind round shows nothing. `generation` counts retries: each publishes rounds of its own."""

    generation: int
    round: int
    mode: Code
    asked: list[Letter]
    findings: list[ListedFinding]
    template: Code
    definition: Code
    ledger: TextRef | None = None


class PositionsSubmitted(Data):
    """One instance answered. `omitted` are findings it was asked about and skipped, `reports` defects it adds."""

    generation: int
    round: int
    letter: Letter
    taken: int
    omitted: list[int]
    rejected: int
    partial: bool
    reports: list[ReportData]
    raised: TextRef | None = None
    read_in_part: bool = False


class PositionsMissing(Data):
    generation: int
    round: int
    letter: Letter
    code: Code


class AbsentInstance(Data):
    letter: Letter
    code: Code


class RoundVoided(Data):
    """Too few answered; who was missing is asked once more."""

    generation: int
    round: int
    missing: list[AbsentInstance]


class LedgerRow(Data):
    """A finding as a round left it: `rated` at that severity when it was asked about. `registered`, `versioned`,
    `merged` (of the survivor) and `split` are rounds."""

    number: int
    version: int
    state: Code
    rated: Code
    registered: int
    versioned: int | None
    merged: int | None
    split: int | None
    merged_into: int | None
    split_from: int | None
    raised_by: list[Letter]
    verified: bool


class CountedFinding(LedgerRow):
    """`counts` are agree, minor amendments, material amendments, disagree; shares are basis points."""

    counts: list[int]
    support_bp: int | None
    agreement_bp: int
    status: Code
    severity: Code
    severity_disputed: bool
    key: bool


class TakenPosition(Data):
    letter: Letter
    number: int
    version: int
    stance: Code
    field: Code
    material: bool
    severity: Code
    confidence: Annotated[int, Field(ge=0, le=100)]
    verified: bool
    explained: bool


class RoundPublished(Data):
    """A complete round, which nothing changes any more. `about` null: every open finding was asked about;
    `empty_lists`: who said that there is nothing to add. `words` are what the positions were given with, in their
    order; `seal` chains it to the round before (`engine.rounds.seal`). Shares are basis points, null where there is
    none."""

    generation: int
    round: int
    mode: Code
    attempt: int
    definition: Code
    answered: list[Letter]
    empty_lists: list[Letter]
    about: list[int] | None
    missing: list[AbsentInstance]
    quorum: int
    agreement_bp: int | None
    same_set_bp: int | None
    stability_bp: int | None
    findings: list[CountedFinding]
    closed: list[LedgerRow]
    positions: list[TakenPosition]
    cost_microcredits: int
    writer: Code
    unknown: list[Code]
    words: TextRef
    synthesis: TextRef | None = None
    previous: Code
    seal: Code


class JudgedFinding(Data):
    number: int
    status: Code
    key: bool
    confidence: Code


class CruxData(Data):
    number: int
    settled_by: Code


class FlipData(Data):
    letter: Letter
    number: int
    round: int
    to: Code
    toward_majority: bool
    explained: bool


class DecisionWritten(Data):
    """What a deliberation came to. `decision` is the document, which becomes a version of the `artifact`; `said` is
    what the synthesis says would settle findings, and its open questions. Without a `writer`, `code` says why."""

    generation: int
    artifact: int
    lines: int
    outcome: Code
    reason: Code
    confidence: Code
    caps: list[Code]
    findings: list[JudgedFinding]
    cruxes: list[CruxData]
    unassessed: list[int]
    late_notes: list[int]
    flips: list[FlipData]
    voids: list[int]
    conformity_bp: int | None
    ac1_bp: int | None
    slope_bp: int | None
    forecast: int | None
    n_eff_hundredths: int
    next_step: Code
    writer: Code
    code: Code
    unknown: list[Code]
    decision: TextRef
    said: TextRef
    summary: TextRef | None = None


KINDS: dict[str, type[Data]] = {
    "round.opened": RoundOpened,
    "positions.submitted": PositionsSubmitted,
    "positions.missing": PositionsMissing,
    "round.voided": RoundVoided,
    "round.published": RoundPublished,
    "decision.written": DecisionWritten,
}
