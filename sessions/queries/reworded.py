"""The findings of a deliberation in the words that its rounds left them with."""

from collections.abc import Sequence
from dataclasses import replace

from sessions.engine.agreement import history
from sessions.engine.ledger import REWORDS, Rewording, rewordings
from sessions.engine.positions import standings
from sessions.models import Session
from sessions.queries.deliberation import DeliberationView, deliberation_of
from sessions.queries.findings import FoundFinding, findings_of


def reworded(findings: Sequence[FoundFinding], found: DeliberationView | None) -> list[FoundFinding]:
    """With the claims and suggestions that were adopted; what each instance wrote stays in its wordings."""
    told = found.told if found else ()
    amendments = ((one.number, one.amendment) for each in told for one in each.positions if one.amendment)
    asked = {number for number, amendment in amendments if amendment.field in REWORDS}
    if found is None or not asked:
        return list(findings)
    held, counted = standings(told, found.rules.letters), history(told, found.rules)
    return [
        _with(finding, rewordings(finding.number, held, counted)) if finding.number in asked else finding
        for finding in findings
    ]


def findings_now(session: Session) -> list[FoundFinding]:
    """As `findings_of`; of a deliberation in its last words."""
    return reworded(findings_of(session), deliberation_of(session))


def _with(finding: FoundFinding, changes: Sequence[Rewording]) -> FoundFinding:
    if not changes or finding.erased:
        return finding
    last = {one.part: one.words for one in changes}
    claim, suggestion = last.get("claim", finding.claim), last.get("suggestion", finding.suggestion)
    return replace(finding, claim=claim, suggestion=suggestion, rewordings=tuple(changes))
