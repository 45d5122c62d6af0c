"""The finding that is open on a session's page: how it came to be what it is, and what can be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.safestring import SafeString

from sessions.queries import FoundFinding, SeatView
from sessions.views.finding_rows import merge_options
from sessions.views.log import SessionLog
from sessions.views.timeline import Entry


@dataclass(frozen=True)
class OpenFinding:
    """`finding` among `findings`; `others` are the instances that may be asked for a second opinion on a finding of
    this session."""

    finding: FoundFinding
    findings: Sequence[FoundFinding]
    others: Sequence[SeatView]
    log: SessionLog

    @cached_property
    def history(self) -> list[Entry]:
        """How people remade it, the oldest first."""
        return self.log.remakes_of(self.finding.number)

    @property
    def merge_options(self) -> SafeString:
        """What it can be merged into."""
        return merge_options(one for one in self.findings if one.number != self.finding.number)

    @cached_property
    def askable(self) -> list[SeatView]:
        """Who can give a second opinion: neither raised it nor gave one."""
        if self.finding.erased:
            return []
        given = {opinion.letter for opinion in self.finding.opinions if opinion.verdict != "missing"}
        known = {*self.finding.raised_by, *given}
        return [seat for seat in self.others if seat.letter not in known]

    @property
    def asking_is_simulated(self) -> bool:
        return all(seat.simulated for seat in self.askable)

    @property
    def asking_cost(self) -> int | None:
        """At most about this, in micro-credits: what their reviews cost. None when a price is not known."""
        costs = [seat.cost for seat in self.askable if not seat.simulated]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None
