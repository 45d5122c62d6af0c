"""What the page of one session shows, in parts. The page includes every part; the live view sends those that changed.

A part is the template `sessions/_<part>.html` with the element `#<part>` around everything. It reads a `Room`, whose
values are looked up when a template first asks for them: a fragment costs only the queries it needs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from uuid import UUID

from django.utils import timezone

from sessions.access import WRITE, Actor, grants_in
from sessions.models import Content, Event, Session, SessionSource
from sessions.queries import (
    Analytics,
    FoundFinding,
    LoggedEvent,
    SeatView,
    WhoAnswered,
    Wording,
    analytics,
    events_after,
    findings_of,
    reports_arriving,
    seats_of,
    simulated_notice,
    who_answered,
)
from sessions.states import after
from sessions.views.timeline import Entry, entries

PARTS = ("head", "seats", "words", "arriving", "findings", "figures")
# What an event changes beside the head, by the first word of its kind.
TOUCHED = {
    "session": PARTS,
    "call": ("seats", "figures"),
    "brief": ("seats", "words"),
    "reports": ("seats", "arriving", "figures"),
    "instance": ("seats", "arriving", "figures"),
    "findings": ("arriving", "findings", "figures"),
    "summary": ("seats", "words", "figures"),
    "cap": (),
    "replay": (),
}


def parts_touched(events: Iterable[LoggedEvent]) -> list[str]:
    """The parts to send, in the order of the page."""
    touched = {part for event in events for part in TOUCHED.get(event["kind"].partition(".")[0], PARTS)}
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


class Room:
    """One session as `actor` sees it, with the events after number `after`."""

    def __init__(self, session: Session, actor: Actor, after: int = 0) -> None:
        self.session = session
        self.actor = actor
        self.after = after

    @cached_property
    def events(self) -> list[LoggedEvent]:
        """Up to the one the session's row was read at: what is looked up later is at least as new, so whoever goes on
        from the last of these misses nothing."""
        found = events_after(self.session.pk, self.after)
        return [event for event in found if event["seq"] < self.session.next_seq]

    @property
    def seq(self) -> int:
        return self.events[-1]["seq"] if self.events else self.after

    @cached_property
    def timeline(self) -> list[Entry]:
        return entries(self.events)

    @cached_property
    def grants(self) -> frozenset[str]:
        return grants_in(self.actor, self.session.project)

    @cached_property
    def seats(self) -> list[SeatView]:
        return seats_of(self.session)

    @cached_property
    def simulated(self) -> str:
        return simulated_notice(self.seats)

    @property
    def all_simulated(self) -> bool:
        return all(seat.simulated for seat in self.seats)

    @cached_property
    def who(self) -> WhoAnswered:
        return who_answered(self.session)

    @cached_property
    def findings(self) -> list[FoundFinding]:
        return findings_of(self.session)

    @cached_property
    def arriving(self) -> list[tuple[SeatView, list[Wording]]]:
        """Per instance what it raised that is not merged yet."""
        raised = reports_arriving(self.session)
        return [(seat, raised[seat.letter]) for seat in self.seats if seat.letter in raised]

    @property
    def reports_count(self) -> int:
        return sum(len(finding.wordings) for finding in self.findings)

    @cached_property
    def merged(self) -> bool:
        return Event.objects.filter(session=self.session, kind="findings.ranked").exists()

    @cached_property
    def fell_back(self) -> bool:
        return Event.objects.filter(session=self.session, kind="session.fell_back").exists()

    @property
    def elapsed(self) -> timedelta | None:
        """From the start to the end, or to now."""
        started = self.session.started_at
        return (self.session.finished_at or timezone.now()) - started if started else None

    @cached_property
    def figures(self) -> Analytics:
        return analytics(self.session)

    @cached_property
    def lead_brief(self) -> Content | None:
        written = Event.objects.filter(session=self.session, kind="brief.written").order_by("-seq").first()
        return Content.objects.filter(pk=written.data["brief"]["id"]).first() if written else None

    @cached_property
    def sources(self) -> list[SessionSource]:
        rows = SessionSource.objects.filter(session=self.session).select_related("version__artifact")
        return list(rows.defer("version__content"))

    @cached_property
    def sources_by_version(self) -> dict[UUID, SessionSource]:
        return {row.version_id: row for row in self.sources}

    @property
    def buttons(self) -> list[Button]:
        """What may be done now. A review that everybody answered has nothing to retry."""
        session = self.session
        if WRITE not in self.grants:
            return []
        found = [button for trigger, button in BUTTONS.items() if after(session.status, trigger)]
        whole = session.status == "completed" and not self.who.missing
        return [button for button in found if not (whole and button.url_name == "retry")]
