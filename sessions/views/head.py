"""The head that every tab of a session shares: its title and state, who answered, what it cost, what can be done, and
the tabs themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from sessions.access import WRITE
from sessions.caps import uncounted_models
from sessions.kinds import KINDS
from sessions.models import Session
from sessions.queries import SeatView, WhoAnswered, charge_notice, seats_of, simulated_notice
from sessions.queries.deliberation import DeliberationView, deliberation_of
from sessions.queries.seats import who_answered_in
from sessions.reports.costs import spent_words, unpriced_of
from sessions.reports.verdict_words import everybody_answered, who_sentence
from sessions.states import AT_REST, after
from sessions.views.base import render
from sessions.views.log import SessionLog
from sessions.views.parts import BUTTONS, DOCUMENTS, FINDINGS, Button

# Tabs beside those of the kind itself: the view, its word, the name of its address.
OTHER_TABS = (("analytics", "Analytics"), ("gate", "Gate"), ("report", "Report"))
LEADING = frozenset({"gate", "report"})  # tabs with a primary button of their own


@dataclass(frozen=True, slots=True)
class Tab:
    """`view` is what it shows, as `Head.view` names it."""

    view: str
    label: str
    address: str


class Head:
    """One session as somebody with these grants sees it on the tab `view`."""

    def __init__(self, session: Session, grants: frozenset[str], view: str, log: SessionLog | None = None) -> None:
        self.session = session
        self.grants = grants
        self.view = view
        self.log = log or SessionLog(session, 0, is_shown=False)

    @property
    def kind_word(self) -> str:
        return KINDS[self.session.kind].label.lower()

    @property
    def has_together(self) -> bool:
        return self.session.kind == "review"

    @property
    def tabs(self) -> Iterator[Tab]:
        session, here = self.session, reverse("sessions:detail", args=[self.session.code])
        yield Tab(session.kind if session.kind in DOCUMENTS else FINDINGS, KINDS[session.kind].label, here)
        if session.kind == "deliberation":
            yield Tab(FINDINGS, "Findings", f"{here}?tab={FINDINGS}")
        yield Tab("timeline", "Timeline", f"{here}?tab=timeline")
        if session.finished_at:
            yield Tab("replay", "Replay", reverse("sessions:replay", args=[session.code]))
        for view, label in OTHER_TABS:
            yield Tab(view, label, reverse(f"sessions:{view}", args=[session.code]))

    @property
    def tab_label(self) -> str:
        """The word of the tab that is shown; empty for the first, which goes by the title alone."""
        return next((tab.label for place, tab in enumerate(self.tabs) if place and tab.view == self.view), "")

    # --- how it stands

    @cached_property
    def seats(self) -> list[SeatView]:
        return seats_of(self.session)

    @cached_property
    def deliberation(self) -> DeliberationView | None:
        return deliberation_of(self.session)

    @cached_property
    def who(self) -> WhoAnswered:
        letters = [seat.letter for seat in self.seats if seat.first_round == 1]
        return who_answered_in(self.log.told, letters, at_rest=self.at_rest)

    @property
    def who_sentence(self) -> str:
        return who_sentence(self.who, self.deliberation)

    @property
    def is_partial(self) -> bool:
        """Whether an answer is missing."""
        found = self.deliberation
        return bool(self.who.missing) or (found is not None and not everybody_answered(found))

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
    def spent(self) -> str:
        return spent_words(self.session, unpriced_of(self.session), "some models")

    @cached_property
    def uncounted(self) -> list[str]:
        return uncounted_models(self.session)

    @property
    def elapsed(self) -> timedelta | None:
        """From the start to the end, or to now."""
        started = self.session.started_at
        return (self.session.finished_at or timezone.now()) - started if started else None

    # --- what may be done

    @property
    def may_write(self) -> bool:
        return WRITE in self.grants

    @property
    def may_settle(self) -> bool:
        """Whether a review can go on as a deliberation: several instances, and something was found."""
        done = self.may_write and self.has_together and self.session.status == "completed"
        return done and len(self.seats) > 1 and any(told["findings"] for told in self.log.told_as("findings.ranked"))

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
            replace(button, primary=(button.primary or failed) and self.view not in LEADING)
            for button in found
            if not (whole and button.url_name == "retry")
        ]


def show_tab(
    request: HttpRequest, head: Head, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page that extends `sessions/tab.html`, or a part of one; `context` is what it has beside the head."""
    session = head.session
    shared = {"room": head, "session": session, "project": session.project, "may": head.grants, "tab": "sessions"}
    return render(request, template, shared | context, status)
