"""What became of the findings of the session this one continues."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sessions.models import Session
from sessions.queries.findings import FoundFinding


@dataclass(frozen=True, slots=True)
class Standing:
    """Against the review of the earlier version. `still` pairs a finding of now with its earlier self; `fixed`: the
    quote is gone and nobody raised it; `unraised`: the quote stands and nobody raised it again."""

    earlier: Session
    still: tuple[tuple[FoundFinding, FoundFinding], ...]
    new: tuple[FoundFinding, ...]
    fixed: tuple[FoundFinding, ...]
    unraised: tuple[FoundFinding, ...]


def standing_of(
    previous: Session, compared: dict[str, Any], before: Iterable[FoundFinding], findings: Sequence[FoundFinding]
) -> Standing:
    """Out of the data of `findings.compared`, and of the findings `before` and now."""
    earlier = {finding.number: finding for finding in before}
    pairs = {pair["number"]: pair["earlier"] for pair in compared["pairs"]}
    return Standing(
        earlier=previous,
        still=tuple(
            (finding, earlier[pairs[finding.number]]) for finding in findings if pairs.get(finding.number) in earlier
        ),
        new=tuple(finding for finding in findings if finding.number not in pairs),
        fixed=tuple(earlier[number] for number in compared["fixed"] if number in earlier),
        unraised=tuple(earlier[number] for number in compared["unraised"] if number in earlier),
    )
