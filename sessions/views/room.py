"""What the page of one session shows, in parts. The page includes every part; the live view sends those that changed.

A part is the template `sessions/_<part>.html` with the element `#<part>` around everything. It reads a `Room`, whose
values are looked up when a template first asks for them: a fragment costs only the queries it needs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString

from sessions.access import WRITE
from sessions.actions.findings import DISPOSITIONS, REASONS
from sessions.caps import uncounted_models
from sessions.engine.findings import SEVERITIES
from sessions.models import Content, Event, Session
from sessions.queries import (
    Coverage,
    FoundFinding,
    LoggedEvent,
    SeatView,
    Standing,
    Together,
    WhoAnswered,
    Wording,
    charge_notice,
    events_after,
    findings_of,
    reports_arriving,
    seats_of,
    simulated_notice,
    standing_of,
    together,
)
from sessions.queries.coverage import coverage_in, examined_in
from sessions.queries.seats import who_answered_in
from sessions.states import AT_REST, after
from sessions.views.choice import Choice
from sessions.views.finding_rows import finding_row, merge_options
from sessions.views.matrix import Matrix, matrix
from sessions.views.texts import Texts
from sessions.views.timeline import Entry, entries

PARTS = ("head", "together", "list", "artifact", "detail")
TIMELINE_PARTS = ("head", "together")
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
    "cap": (),
    "replay": (),
}
# Events whose data the page reads, apart from the timeline.
TOLD = ("reports.submitted", "instance.missing", "session.retried", "session.fell_back", "brief.written",
        "findings.ranked", "findings.compared")  # fmt: skip


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


class Room:
    """One session as somebody with these grants sees it: what was chosen to be shown, and the events after number
    `after`."""

    def __init__(self, session: Session, grants: frozenset[str], choice: Choice, after: int = 0) -> None:
        self.session = session
        self.grants = grants
        self.choice = choice
        self.after = after

    # --- the log

    @cached_property
    def events(self) -> list[LoggedEvent]:
        """Up to the one the session's row was read at: what is looked up later is at least as new, so whoever goes on
        from the last of these misses nothing."""
        found = events_after(self.session.pk, self.after)
        return [event for event in found if event["seq"] < self.session.next_seq]

    @property
    def seq(self) -> int:
        """The last event that what is shown holds."""
        return self.events[-1]["seq"] if self.events else self.after

    @property
    def last_seq(self) -> int:
        return self.session.next_seq - 1

    @cached_property
    def timeline(self) -> list[Entry]:
        return entries(self.events)

    @cached_property
    def told(self) -> list[tuple[str, dict[str, Any]]]:
        rows = Event.objects.filter(session=self.session, kind__in=TOLD).order_by("seq")
        return list(rows.values_list("kind", "data"))

    def _told(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.told if name == kind]

    @property
    def merged(self) -> bool:
        return bool(self._told("findings.ranked"))

    @property
    def fell_back(self) -> bool:
        return bool(self._told("session.fell_back"))

    # --- instances

    @cached_property
    def seats(self) -> list[SeatView]:
        return seats_of(self.session)

    @cached_property
    def who(self) -> WhoAnswered:
        letters = [seat.letter for seat in self.seats]
        return who_answered_in(self.told, letters, at_rest=self.at_rest)

    @property
    def at_rest(self) -> bool:
        return self.session.status in AT_REST

    @property
    def simulated(self) -> str:
        return simulated_notice(self.seats)

    @property
    def charge(self) -> str:
        return charge_notice(self.seats)

    @cached_property
    def uncounted(self) -> list[str]:
        return uncounted_models(self.session)

    @property
    def elapsed(self) -> timedelta | None:
        """From the start to the end, or to now."""
        started = self.session.started_at
        return (self.session.finished_at or timezone.now()) - started if started else None

    @cached_property
    def together(self) -> Together:
        return together(self.findings, self.seats, self.who)

    @cached_property
    def matrix(self) -> Matrix:
        return matrix(self.seats, self.findings, self.together, merged=self.merged)

    # --- findings

    @cached_property
    def findings(self) -> list[FoundFinding]:
        if not self.merged:
            return []
        return findings_of(self.session, frozenset(seat.letter for seat in self.seats if seat.simulated))

    @cached_property
    def listed(self) -> list[FoundFinding]:
        """What the filters leave."""
        return [finding for finding in self.findings if self.choice.shows(finding)]

    @property
    def rows(self) -> list[SafeString]:
        """Of the list, each with how the finding stands against the earlier version."""
        base, standings, one_text = self.choice.of_findings, self.standings, self.texts.is_one
        return [
            finding_row(
                finding,
                standings.get(finding.number, ""),
                base + finding.label,
                is_open=finding.number == self.choice.number,
                one_text=one_text,
            )
            for finding in self.listed
        ]

    @cached_property
    def finding(self) -> FoundFinding | None:
        """The one that is open."""
        return next((one for one in self.findings if one.number == self.choice.number), None)

    @property
    def dispositions(self) -> tuple[str, ...]:
        return DISPOSITIONS

    @property
    def reasons(self) -> tuple[str, ...]:
        return REASONS

    @property
    def severities(self) -> list[str]:
        """From the gravest to the least."""
        return sorted(SEVERITIES, key=lambda name: -SEVERITIES[name])

    @property
    def reports_count(self) -> int:
        return sum(len(finding.wordings) for finding in self.findings)

    @cached_property
    def arriving(self) -> list[tuple[SeatView, list[Wording]]]:
        """Per instance what it raised that is not merged yet, in the order of arrival: what is on the page stays
        where it is."""
        if self.merged and self.at_rest:
            return []
        raised = reports_arriving(self.session)
        seats = {seat.letter: seat for seat in self.seats}
        came = [str(data["letter"]) for data in self._told("reports.submitted")]
        return [(seats[letter], raised[letter]) for letter in dict.fromkeys(came) if letter in raised]

    @cached_property
    def standings(self) -> dict[int, str]:
        """Of a review of a new version: still or new, by finding number."""
        compared = self._told("findings.compared")
        if not compared:
            return {}
        known = {pair["number"] for pair in compared[-1]["pairs"]}
        return {finding.number: "still" if finding.number in known else "new" for finding in self.findings}

    @cached_property
    def standing(self) -> Standing | None:
        return standing_of(self.session, self.findings) if self.standings or self._told("findings.compared") else None

    @property
    def standing_counts(self) -> list[tuple[str, int]]:
        found = self.standing
        return [(name, len(getattr(found, name))) for name in ("fixed", "still", "new", "unraised")] if found else []

    @property
    def standing_gone(self) -> list[tuple[str, tuple[FoundFinding, ...]]]:
        """What is not among the findings of now."""
        found = self.standing
        return [("fixed", found.fixed), ("unraised", found.unraised)] if found else []

    @property
    def merge_options(self) -> SafeString:
        """What the open finding can be merged into."""
        return merge_options(one for one in self.findings if one.number != self.choice.number)

    @property
    def askable(self) -> list[SeatView]:
        """Who can give a second opinion on the open finding."""
        finding = self.finding
        if finding is None or self.session.status != "completed" or finding.erased:
            return []
        given = {opinion.letter for opinion in finding.opinions if opinion.verdict != "missing"}
        known = {*finding.raised_by, *given}
        return [seat for seat in self.seats if seat.letter in self.who.answered and seat.letter not in known]

    @property
    def asking_is_simulated(self) -> bool:
        return all(seat.simulated for seat in self.askable)

    @property
    def asking_cost(self) -> int | None:
        """At most about this, in micro-credits: what their reviews cost. None when a price is not known."""
        costs = [seat.cost for seat in self.askable if not seat.simulated]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None

    # --- texts

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.session, self.choice, self.findings, self.arriving, self.finding)

    @cached_property
    def _words(self) -> dict[str, str]:
        """What instances wrote about the work itself, by content id: one query."""
        refs = [*examined_in(self._told("reports.submitted")), *self._lead_refs]
        return {str(pk): text for pk, text in Content.objects.filter(pk__in=refs).values_list("pk", "text")}

    @property
    def _lead_refs(self) -> list[str]:
        return [str(data["brief"]["id"]) for data in self._told("brief.written")[-1:]]

    @property
    def lead_brief(self) -> str:
        """What the lead wrote for the others; empty when nobody did or it was erased."""
        return "".join(self._words.get(ref, "") for ref in self._lead_refs)

    @cached_property
    def covered_seats(self) -> list[tuple[SeatView, Coverage]]:
        """The instances, each with what it read and examined."""
        covered = coverage_in(self._told("reports.submitted"), self._words, self.texts.names)
        return [(seat, covered.get(seat.letter, Coverage())) for seat in self.seats]

    # --- what may be done

    @property
    def may_write(self) -> bool:
        return WRITE in self.grants

    @property
    def buttons(self) -> list[Button]:
        """What may be done now. A review that everybody answered has nothing to retry."""
        session = self.session
        if not self.may_write:
            return []
        found = [button for trigger, button in BUTTONS.items() if after(session.status, trigger)]
        whole = session.status == "completed" and not self.who.missing
        return [button for button in found if not (whole and button.url_name == "retry")]
