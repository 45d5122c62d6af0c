"""What instances raise, what becomes of it, and what people decide about it."""

import uuid
from typing import Annotated

from pydantic import Field

from sessions.events.data import Code, Data, Letter, TextRef


class BriefWritten(Data):
    letter: Letter
    brief: TextRef


class BriefMissing(Data):
    letter: Letter
    code: Code


class ReportData(Data):
    ordinal: int
    severity: Code
    family: Code
    confidence: Annotated[int, Field(ge=0, le=100)]
    verified: bool
    flags: list[Code] = []
    source: uuid.UUID | None
    start_line: int | None
    end_line: int | None


class CutSource(Data):
    """An instance read only the first `lines` whole lines of `total`."""

    source: uuid.UUID
    lines: int
    total: int


class ReportsSubmitted(Data):
    """`examined` is what the instance says of its own coverage."""

    letter: Letter
    reports: list[ReportData]
    partial: bool
    read_in_part: bool
    rejected: int = 0
    cut: list[CutSource] = []
    words: TextRef
    examined: TextRef | None = None


class InstanceMissing(Data):
    letter: Letter
    code: Code


class FindingData(Data):
    number: int
    severity: Code
    disputed: bool
    verified: bool
    canonical: Code
    reports: list[Code]
    raised_by: list[Letter]
    fingerprint: Code = ""


class FindingsRanked(Data):
    findings: list[FindingData]
    merged: list[int] = []


class SummaryWritten(Data):
    letter: Letter
    summary: TextRef
    unknown: list[Code] = []


class SummaryMissing(Data):
    code: Code


class SamePair(Data):
    number: int
    earlier: int


class CarriedDismissal(Data):
    number: int
    because: Code


class FindingsCompared(Data):
    """With the session this one continues: `fixed` and `unraised` are its numbers."""

    pairs: list[SamePair]
    dismissed: list[CarriedDismissal]
    fixed: list[int]
    unraised: list[int]


class OpinionsAsked(Data):
    by: int
    numbers: list[int]
    generation: int


class OpinionGiven(Data):
    number: int
    letter: Letter
    verdict: Code
    verified: bool
    words: TextRef


class OpinionMissing(Data):
    number: int
    letter: Letter
    code: Code


class FindingDecided(Data):
    """By a person. `revision` of a finding grows with everything people change."""

    number: int
    disposition: Code
    because: Code = ""
    by: int
    revision: int


class FindingRegraded(Data):
    number: int
    severity: Code
    by: int
    revision: int


class Grouped(FindingData):
    """A finding as it stands after a person moved reports."""

    rank: int
    fingerprint: Code
    revision: int


class FindingJoined(Data):
    """`number` is gone: its reports are in `into` now."""

    number: int
    revision: int
    into: Grouped
    by: int


class FindingSplit(Data):
    """Some reports of `rest` are the finding `new` now."""

    rest: Grouped
    new: Grouped
    by: int


class FindingCommented(Data):
    id: uuid.UUID
    number: int
    comment: TextRef
    by: int


KINDS: dict[str, type[Data]] = {
    "brief.written": BriefWritten,
    "brief.missing": BriefMissing,
    "reports.submitted": ReportsSubmitted,
    "instance.missing": InstanceMissing,
    "findings.ranked": FindingsRanked,
    "summary.written": SummaryWritten,
    "summary.missing": SummaryMissing,
    "findings.compared": FindingsCompared,
    "opinions.asked": OpinionsAsked,
    "opinion.given": OpinionGiven,
    "opinion.missing": OpinionMissing,
    "finding.decided": FindingDecided,
    "finding.regraded": FindingRegraded,
    "finding.joined": FindingJoined,
    "finding.split": FindingSplit,
    "finding.commented": FindingCommented,
}
