"""What the page of one session shows, in parts. The page includes every part; the live view sends those that changed.

A part is the template `sessions/_<part>.html` with the element `#<part>` around everything. It reads a `Room`, whose
values are looked up when a template first asks for them: a fragment costs only the queries it needs.
"""

from functools import cached_property
from uuid import UUID

from django.utils.safestring import SafeString

from sessions.access import APPROVE, WRITE
from sessions.actions.findings import DISPOSITIONS, REASONS
from sessions.engine.findings import SEVERITIES
from sessions.engine.positions import Position
from sessions.gate_states import WAITING
from sessions.models import Content, Session
from sessions.queries import (
    Coverage,
    FoundFinding,
    SeatView,
    Together,
    Wording,
    findings_and_notes,
    reports_arriving,
    standing_of,
    together,
)
from sessions.queries.certification import certification_of
from sessions.queries.coverage import coverage_in, examined_in
from sessions.queries.gates import state_of
from sessions.queries.reworded import reworded
from sessions.queries.seats import next_tries
from sessions.views.choice import Choice
from sessions.views.criteria import Certifying
from sessions.views.deliberation import Debate
from sessions.views.earlier import AgainstEarlier, still_or_new
from sessions.views.finding_rows import finding_row
from sessions.views.head import Head
from sessions.views.log import SessionLog
from sessions.views.matrix import Matrix, matrix
from sessions.views.open_finding import OpenFinding
from sessions.views.parts import DOCUMENT_PARTS, DOCUMENTS, FINDINGS, TIMELINE_PARTS, parts_touched
from sessions.views.stances import ICONS
from sessions.views.texts import Texts


class Room(Head):
    """One session as somebody with these grants sees it: what was chosen to be shown, and the events after number
    `after`."""

    dispositions = DISPOSITIONS
    reasons = REASONS
    severities = sorted(SEVERITIES, key=lambda name: -SEVERITIES[name])  # from the gravest to the least

    def __init__(self, session: Session, grants: frozenset[str], choice: Choice, after: int = 0) -> None:
        log = SessionLog(session, after, is_shown=bool(choice.tab))
        super().__init__(session, grants, _view(session, choice), log)
        self.choice = choice

    # --- what stands on it

    @property
    def touched(self) -> list[str]:
        """The parts to send for `events`, in the order of the page."""
        if self.view == "timeline":
            return [part for part in self._parts if part in TIMELINE_PARTS]
        return self._parts

    @property
    def _parts(self) -> list[str]:
        parts = parts_touched(self.log.events)
        if self.view in DOCUMENTS:
            return [*(part for part in parts if part in DOCUMENT_PARTS), self.view]
        return parts if self.has_together else [part for part in parts if part != "together"]

    # --- a deliberation

    @cached_property
    def debate(self) -> Debate | None:
        found = self.deliberation
        by_number = {finding.number: finding for finding in self.findings} if found else {}
        return Debate(self.session, found, self.seats, by_number) if found else None

    @property
    def positions(self) -> list[tuple[int, list[Position]]]:
        """On the open finding, round by round, newest first."""
        return self.debate.positions_on(self.choice.number) if self.debate else []

    @cached_property
    def gate_link(self) -> str:
        """What the way to the gate says: what this person can do there. Empty where there is nothing to see yet."""
        state = state_of(self.session)
        if not state:
            return "Ask for a gate" if WRITE in self.grants else ""
        return "Decide the gate" if APPROVE in self.grants and state in WAITING else "See the gate"

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
    def certification(self) -> Certifying | None:
        found = certification_of(self.session)
        return Certifying(found, self.seats) if found else None

    # --- instances

    @cached_property
    def together(self) -> Together:
        return together(self.findings, self.seats, self.who)

    @cached_property
    def matrix(self) -> Matrix:
        due = next_tries(self.session, self.seats)
        return matrix(self.seats, self.findings, self.together, due, merged=self.log.merged)

    # --- findings

    @cached_property
    def findings(self) -> list[FoundFinding]:
        """Of a deliberation in its last words."""
        return reworded(self._found[0][self.session.pk], self.deliberation) if self.log.merged else []

    @cached_property
    def _found(self) -> tuple[dict[int, list[FoundFinding]], dict[UUID, str]]:
        """By session id those of this one, and of the earlier one that it was compared with; by content id what
        instances wrote about the work itself."""
        earlier = [self.session.previous_id] if self.session.previous_id and self.log.compared else []
        return findings_and_notes([self.session.pk, *earlier], self._notes)

    @cached_property
    def listed(self) -> list[FoundFinding]:
        """What the filters leave."""
        return [finding for finding in self.findings if self.choice.shows(finding)]

    @property
    def rows(self) -> list[SafeString]:
        """Of the list, each with how the finding stands against the earlier version."""
        base, one_text = self.choice.of_findings, self.texts.is_one
        standings = still_or_new(self.log.compared, self.findings)
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
    def opened(self) -> OpenFinding | None:
        """The one that is open, with what can be done about it."""
        if self.finding is None:
            return None
        asked = self.has_together and self.session.status == "completed"
        others = [seat for seat in self.seats if asked and seat.letter in self.who.answered]
        return OpenFinding(self.finding, self.findings, others, self.log)

    @property
    def reports_count(self) -> int:
        return sum(len(finding.wordings) for finding in self.findings)

    @cached_property
    def arriving(self) -> list[tuple[SeatView, list[Wording]]]:
        """Per instance what it raised that is not merged yet, in the order of arrival: what is on the page stays
        where it is."""
        if self.log.merged and self.at_rest:
            return []
        raised = reports_arriving(self.session)
        seats = {seat.letter: seat for seat in self.seats}
        came = [str(data["letter"]) for data in self.log.told_as("reports.submitted")]
        return [(seats[letter], raised[letter]) for letter in dict.fromkeys(came) if letter in raised]

    @cached_property
    def against(self) -> AgainstEarlier | None:
        """Of a review of a new version."""
        previous, compared = self.session.previous, self.log.compared
        if previous is None or compared is None:
            return None
        return AgainstEarlier(standing_of(previous, compared, self._found[0][previous.pk], self.findings))

    # --- texts

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.session, self.choice, self.findings, self.arriving, self.finding)

    @property
    def _notes(self) -> list[UUID]:
        return [UUID(ref) for ref in (*examined_in(self.log.told_as("reports.submitted")), *self._lead_refs)]

    @cached_property
    def _words(self) -> dict[str, str]:
        """What instances wrote about the work itself, by content id."""
        if self.log.merged:
            found = self._found[1]
        else:
            found = dict(Content.objects.filter(pk__in=self._notes).values_list("pk", "text"))
        return {str(pk): text for pk, text in found.items()}

    @property
    def _lead_refs(self) -> list[str]:
        return [str(data["brief"]["id"]) for data in self.log.told_as("brief.written")[-1:]]

    @property
    def lead_brief(self) -> str:
        """What the lead wrote for the others; empty when nobody did or it was erased."""
        return "".join(self._words.get(ref, "") for ref in self._lead_refs)

    @cached_property
    def covered_seats(self) -> list[tuple[SeatView, Coverage]]:
        """The instances, each with what it read and examined."""
        covered = coverage_in(self.log.told_as("reports.submitted"), self._words, self.texts.names)
        return [(seat, covered.get(seat.letter, Coverage())) for seat in self.seats]


def _view(session: Session, choice: Choice) -> str:
    """What stands below the tabs: timeline, findings (the three panes), or the part that a kind has of its own."""
    if choice.tab == FINDINGS and session.kind == "deliberation":
        return FINDINGS
    if choice.tab:
        return "timeline"
    return session.kind if session.kind in DOCUMENTS else FINDINGS
