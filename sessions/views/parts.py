"""Which parts a session's page has, what changes each of them, and the buttons it can show: tables."""

from collections.abc import Iterable
from dataclasses import dataclass

from sessions.queries import LoggedEvent

PARTS = ("head", "tabs", "together", "list", "artifact", "detail")
DOCUMENT_PARTS = ("head", "tabs")  # beside the document itself
TIMELINE_PARTS = ("head", "tabs", "together")
FINDINGS = "findings"
DOCUMENTS = ("certification", "deliberation")  # kinds whose first view is one part of that name
# What an event changes beside the head, by its kind or the first word of that.
TOUCHED = {
    "session": PARTS,
    "call": ("together",),
    "brief": ("together", "detail"),
    "reports": ("together", "list", "artifact", "detail"),
    "instance": ("together", "list", "detail"),
    "findings": ("together", "list", "artifact", "detail"),
    "summary": ("together", "detail"),
    "finding": ("together", "list", "artifact", "detail"),
    "finding.decided": ("together", "list", "detail"),
    "finding.commented": ("list", "detail"),
    "opinion": ("together", "list", "detail"),
    "opinions": ("together", "list", "detail"),
    "round": ("detail",),
    "positions": (),
    "decision": ("detail",),
    "attestation": (),
    "verdict": (),
    "certificate": (),
    "gate": (),
    "cap": (),
    "replay": (),
}


def parts_touched(events: Iterable[LoggedEvent]) -> list[str]:
    """The parts to send, in the order of the page."""
    kinds = {event["kind"] for event in events}
    touched = {part for kind in kinds for part in TOUCHED.get(kind, TOUCHED.get(kind.partition(".")[0], PARTS))}
    return [part for part in PARTS if part in touched or part == "head"]


@dataclass(frozen=True, slots=True)
class Button:
    """A form with one button. `url_name` says what it does, `hint` what that keeps or costs."""

    url_name: str
    label: str
    icon: str
    hint: str
    primary: bool = False


# trigger of sessions.states -> the button that pulls it
BUTTONS = {
    "start": Button("start", "Start", "player-play", "Asks every instance; calls cost money unless simulated.", True),
    "answer": Button("continue", "Continue", "player-play", "Goes on above the soft cap; the hard cap stays.", True),
    "retry": Button("retry", "Retry", "refresh", "Asks only what has no answer yet; what was paid for is kept."),
    "stop": Button("stop", "Stop", "player-stop", "Ends the session now; what was answered is kept."),
}
