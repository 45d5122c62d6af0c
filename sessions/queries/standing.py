"""What became of the findings of the session this one continues."""

from dataclasses import dataclass

from sessions.models import Event, Session
from sessions.queries.findings import FoundFinding, findings_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Against the review of the earlier version. `still` pairs a finding of now with its earlier self; `fixed`: the
    quote is gone and nobody raised it; `unraised`: the quote stands and nobody raised it again."""

    earlier: Session
    still: tuple[tuple[FoundFinding, FoundFinding], ...]
    new: tuple[FoundFinding, ...]
    fixed: tuple[FoundFinding, ...]
    unraised: tuple[FoundFinding, ...]


def standing_of(session: Session, findings: list[FoundFinding]) -> Standing | None:
    """None for a session that continues none, or that has not come so far."""
    if session.previous is None:
        return None
    event = Event.objects.filter(session=session, kind="findings.compared").order_by("-seq").first()
    if event is None:
        return None
    earlier = {finding.number: finding for finding in findings_of(session.previous)}
    pairs = {pair["number"]: pair["earlier"] for pair in event.data["pairs"]}
    return Standing(
        earlier=session.previous,
        still=tuple(
            (finding, earlier[pairs[finding.number]]) for finding in findings if pairs.get(finding.number) in earlier
        ),
        new=tuple(finding for finding in findings if finding.number not in pairs),
        fixed=tuple(earlier[number] for number in event.data["fixed"] if number in earlier),
        unraised=tuple(earlier[number] for number in event.data["unraised"] if number in earlier),
    )
