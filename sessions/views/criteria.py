"""Criteria against instances, as the page of a certification lays them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sessions.engine.certifying import Criterion
from sessions.queries import SeatView
from sessions.queries.certification import AttestationView, CertificationView, CriterionAnswer, CriterionRow
from sessions.reports.certification import verdict_sentence

AGAINST = ("not_met", "cannot_determine", "not_applicable", "met")


@dataclass(frozen=True, slots=True)
class CriterionCells:
    """`cells` holds one answer for each seat, None where there is none. `is_disputed`: some say it is met, some not."""

    criterion: Criterion
    answers: tuple[CriterionAnswer, ...]
    cells: tuple[CriterionAnswer | None, ...]

    @property
    def standing(self) -> int:
        """What speaks most against certifying first: 0 not met and proven, 1 not met, 2 cannot tell, 3 neither."""
        refused = [answer for answer in self.answers if answer.said == "not_met"]
        if refused:
            return 0 if any(answer.verified for answer in refused) else 1
        return 2 if any(answer.said == "cannot_determine" for answer in self.answers) else 3

    @property
    def reasons(self) -> list[CriterionAnswer]:
        """The answers, those that speak against certifying first."""
        return sorted(self.answers, key=lambda answer: AGAINST.index(answer.said))

    @property
    def is_disputed(self) -> bool:
        return {"met", "not_met"} <= {answer.said for answer in self.answers}


def vetoes(verdict: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """(criterion, letters), in the order in which they were cast."""
    found: dict[str, list[str]] = {}
    for veto in verdict.get("vetoes", ()):
        found.setdefault(veto["criterion"], []).append(veto["letter"])
    return list(found.items())


def criterion_cells(row: CriterionRow, letters: Sequence[str]) -> CriterionCells:
    by_letter = row.by_letter
    return CriterionCells(row.criterion, row.answers, tuple(by_letter.get(letter) for letter in letters))


@dataclass(frozen=True, slots=True)
class Certifying:
    """One certification as its page shows it."""

    found: CertificationView
    seats: Sequence[SeatView]

    @property
    def sentence(self) -> str:
        return verdict_sentence(self.found)

    @property
    def criteria(self) -> list[CriterionCells]:
        """In the order of the standard; once there is a verdict, what speaks against certifying first."""
        letters = [seat.letter for seat in self.seats]
        rows = [criterion_cells(row, letters) for row in self.found.rows]
        return sorted(rows, key=lambda row: row.standing) if self.found.verdict else rows

    @property
    def vetoes(self) -> list[tuple[str, list[str]]]:
        return vetoes(self.found.verdict)

    @property
    def verdicts(self) -> list[AttestationView | None]:
        """By seat; None where there is no attestation yet."""
        found = {one.letter: one for one in self.found.attestations}
        return [found.get(seat.letter) for seat in self.seats]
