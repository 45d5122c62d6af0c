"""A review of a new version against the review of the earlier one, as the page shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sessions.models import Session
from sessions.queries import FoundFinding, Standing


@dataclass(frozen=True, slots=True)
class AgainstEarlier:
    """How the findings of now stand against those of the earlier version."""

    standing: Standing

    @property
    def earlier(self) -> Session:
        return self.standing.earlier

    @property
    def counts(self) -> list[tuple[str, int]]:
        found = self.standing
        return [(name, len(getattr(found, name))) for name in ("fixed", "still", "new", "unraised")]

    @property
    def gone(self) -> list[tuple[str, tuple[FoundFinding, ...]]]:
        """What is not among the findings of now."""
        return [("fixed", self.standing.fixed), ("unraised", self.standing.unraised)]


def still_or_new(compared: dict[str, Any] | None, findings: Iterable[FoundFinding]) -> dict[int, str]:
    """By finding number, out of the data of `findings.compared`; empty when nothing was compared."""
    if compared is None:
        return {}
    known = {pair["number"] for pair in compared["pairs"]}
    return {finding.number: "still" if finding.number in known else "new" for finding in findings}
