"""What the page of one session shows, in parts. The page includes every part; the live view sends those that changed.

A part is the template `sessions/_<part>.html` with the element `#<part>` around everything. It reads a `Room`, whose
values are looked up when a template first asks for them: a fragment costs only the queries it needs.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import BigAutoField
from django.utils import timezone
from django.utils.safestring import SafeString

from sessions.access import WRITE
from sessions.actions.findings import DISPOSITIONS, REASONS
from sessions.caps import uncounted_models
from sessions.compiled import CompiledRows, Given
from sessions.engine.findings import SEVERITIES
from sessions.engine.positions import Position
from sessions.kinds import KINDS
from sessions.models import Content, Event, Session
from sessions.queries import (
    EVENTS_AT_ONCE,
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
    findings_and_notes,
    reports_arriving,
    seats_of,
    simulated_notice,
    standing_of,
    together,
)
from sessions.queries.certification import AttestationView, CertificationView, certification_of
from sessions.queries.coverage import coverage_in, examined_in
from sessions.queries.deliberation import deliberation_of
from sessions.queries.seats import who_answered_in
from sessions.reports.certification import verdict_sentence
from sessions.states import AT_REST, after
from sessions.views.choice import Choice
from sessions.views.criteria import CriterionCells, criterion_cells, vetoes
from sessions.views.deliberation import Debate
from sessions.views.finding_rows import finding_row, merge_options
from sessions.views.matrix import Matrix, matrix
from sessions.views.parts import BUTTONS, DOCUMENTS, FINDINGS, TIMELINE_PARTS, Button, parts_touched
from sessions.views.stances import ICONS
from sessions.views.texts import Texts
from sessions.views.timeline import REMADE, Entry, entries, remakes

RETRIES_READ = 50  # the last ones: every instance that waits for its next try is among them
# Events whose data the page reads, apart from the timeline.
TOLD = ("reports.submitted", "attestation.submitted", "instance.missing", "session.retried", "session.fell_back",
        "brief.written", "findings.ranked", "findings.compared")  # fmt: skip

_TOLD = CompiledRows(
    lambda seq, kind, at, data: LoggedEvent(seq=seq, kind=kind, at=at, data=data),
    lambda: (
        Event.objects.filter(session=Given("session", BigAutoField()), kind__in=(*TOLD, *REMADE))
        .order_by("seq")
        .values_list("seq", "kind", "at", "data")
    ),
)


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
    def _log(self) -> list[LoggedEvent]:
        if self.choice.tab and not self.after and len(self.events) < EVENTS_AT_ONCE:
            return self.events
        return _TOLD(session=self.session.pk)

    @cached_property
    def told(self) -> list[tuple[str, dict[str, Any]]]:
        return [(event["kind"], event["data"]) for event in self._log if event["kind"] in TOLD]

    def _told(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.told if name == kind]

    @cached_property
    def merged(self) -> bool:
        return bool(self._told("findings.ranked"))

    @property
    def fell_back(self) -> bool:
        return bool(self._told("session.fell_back"))

    @property
    def touched(self) -> list[str]:
        """The parts to send for `events`, in the order of the page."""
        if self.view == "timeline":
            return [part for part in self._parts if part in TIMELINE_PARTS]
        return self._parts

    @property
    def _parts(self) -> list[str]:
        if self.view in DOCUMENTS:
            return ["head", self.view]
        parts = parts_touched(self.events)
        return parts if self.has_together else [part for part in parts if part != "together"]

    @property
    def view(self) -> str:
        """What stands below the tabs: timeline, findings (the three panes), or the part that a kind has of its own."""
        if self.choice.tab == FINDINGS and self.session.kind == "deliberation":
            return FINDINGS
        if self.choice.tab:
            return "timeline"
        return self.session.kind if self.session.kind in DOCUMENTS else FINDINGS

    @property
    def kind_word(self) -> str:
        return KINDS[self.session.kind].label.lower()

    @property
    def has_together(self) -> bool:
        return self.session.kind == "review"

    # --- a deliberation

    @cached_property
    def debate(self) -> Debate | None:
        found = deliberation_of(self.session)
        by_number = {finding.number: finding for finding in self.findings} if found else {}
        return Debate(self.session, found, self.seats, by_number) if found else None

    @property
    def positions(self) -> list[tuple[int, list[Position]]]:
        """On the open finding, round by round, newest first."""
        return self.debate.positions_on(self.choice.number) if self.debate else []

    @property
    def finding_base(self) -> str:
        """The address of a finding, up to its label."""
        return f"?tab={FINDINGS}&f="

    @property
    def stance_rows(self) -> list[SafeString]:
        return self.debate.rows(self.finding_base) if self.debate else []

    @property
    def stance_icons(self) -> list[tuple[str, str]]:
        return list(ICONS.items())

    # --- a certification

    @cached_property
    def certification(self) -> CertificationView | None:
        return certification_of(self.session)

    @property
    def verdict_sentence(self) -> str:
        return verdict_sentence(self.certification) if self.certification else ""

    @property
    def criteria(self) -> list[CriterionCells]:
        """In the order of the standard; once there is a verdict, what speaks against certifying first."""
        if self.certification is None:
            return []
        letters = [seat.letter for seat in self.seats]
        rows = [criterion_cells(row, letters) for row in self.certification.rows]
        return sorted(rows, key=lambda row: row.standing) if self.certification.verdict else rows

    @property
    def vetoes(self) -> list[tuple[str, list[str]]]:
        return vetoes(self.certification.verdict) if self.certification else []

    @property
    def verdicts(self) -> list[AttestationView | None]:
        """By seat; None where there is no attestation yet."""
        found = {one.letter: one for one in self.certification.attestations} if self.certification else {}
        return [found.get(seat.letter) for seat in self.seats]

    # --- instances

    @cached_property
    def seats(self) -> list[SeatView]:
        return seats_of(self.session)

    @cached_property
    def who(self) -> WhoAnswered:
        letters = [seat.letter for seat in self.seats]
        return who_answered_in(self.told, letters, at_rest=self.at_rest)

    @property
    def who_sentence(self) -> str:
        return self.debate.who_sentence if self.debate and self.debate.found.rounds else self.who.sentence

    @property
    def is_partial(self) -> bool:
        """Whether an answer is missing."""
        return bool(self.who.missing) or bool(self.debate and not self.debate.is_whole)

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
    def next_tries(self) -> dict[str, datetime]:
        """When those whose last try failed are asked again, by letter."""
        if not any(seat.state == "retrying" for seat in self.seats):
            return {}
        told = Event.objects.filter(session=self.session, kind="call.retrying").order_by("-seq")
        due: dict[str, datetime] = {}
        for data, at in told.values_list("data", "at")[:RETRIES_READ]:
            due.setdefault(data["letter"], at + timedelta(milliseconds=data["wait_ms"]))
        return due

    @cached_property
    def together(self) -> Together:
        return together(self.findings, self.seats, self.who)

    @cached_property
    def matrix(self) -> Matrix:
        return matrix(self.seats, self.findings, self.together, self.next_tries, merged=self.merged)

    # --- findings

    @property
    def findings(self) -> list[FoundFinding]:
        return self._found[0][self.session.pk] if self.merged else []

    @cached_property
    def _found(self) -> tuple[dict[int, list[FoundFinding]], dict[UUID, str]]:
        """By session id those of this one, and of the earlier one that it was compared with; by content id what
        instances wrote about the work itself."""
        earlier = [self.session.previous_id] if self.session.previous_id and self._compared else []
        return findings_and_notes([self.session.pk, *earlier], self._notes)

    @cached_property
    def listed(self) -> list[FoundFinding]:
        """What the filters leave."""
        return [finding for finding in self.findings if self.choice.shows(finding)]

    @property
    def rows(self) -> list[SafeString]:
        """Of the list, each with how the finding stands against the earlier version."""
        base, standings, one_text = self.choice.of_findings, self.standings, self.texts.is_one
        letters = [seat.letter for seat in self.seats]
        return [
            finding_row(
                finding,
                standings.get(finding.number, ""),
                base + finding.label,
                letters,
                is_open=finding.number == self.choice.number,
                one_text=one_text,
            )
            for finding in self.listed
        ]

    @cached_property
    def finding(self) -> FoundFinding | None:
        """The one that is open."""
        return next((one for one in self.findings if one.number == self.choice.number), None)

    @cached_property
    def history(self) -> list[Entry]:
        """How people remade the open finding, the oldest first."""
        return entries(event for event in self._log if self.finding and remakes(event, self.finding.number))

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

    @property
    def _compared(self) -> dict[str, Any] | None:
        """How the last comparison with the earlier version came out."""
        return next(reversed(self._told("findings.compared")), None)

    @cached_property
    def standings(self) -> dict[int, str]:
        """Of a review of a new version: still or new, by finding number."""
        if self._compared is None:
            return {}
        known = {pair["number"] for pair in self._compared["pairs"]}
        return {finding.number: "still" if finding.number in known else "new" for finding in self.findings}

    @cached_property
    def standing(self) -> Standing | None:
        previous, compared = self.session.previous, self._compared
        if previous is None or compared is None:
            return None
        return standing_of(previous, compared, self._found[0][previous.pk], self.findings)

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
        if finding is None or not self.has_together or self.session.status != "completed" or finding.erased:
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

    @property
    def _notes(self) -> list[UUID]:
        return [UUID(ref) for ref in (*examined_in(self._told("reports.submitted")), *self._lead_refs)]

    @cached_property
    def _words(self) -> dict[str, str]:
        """What instances wrote about the work itself, by content id."""
        found = self._found[1] if self.merged else Content.objects.filter(pk__in=self._notes).values_list("pk", "text")
        return {str(pk): text for pk, text in dict(found).items()}

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
        failed = session.status == "failed"
        return [
            replace(button, primary=button.primary or failed)
            for button in found
            if not (whole and button.url_name == "retry")
        ]
