"""The events of one session as its page reads them: those it has not shown yet, and what earlier ones told."""

from functools import cached_property
from typing import Any

from django.db.models import BigAutoField

from sessions.compiled import CompiledRows, Given
from sessions.models import Event, Session
from sessions.queries import EVENTS_AT_ONCE, LoggedEvent, events_after
from sessions.queries.gates import policy_labels
from sessions.views.timeline import REMADE, Entry, entries, remakes

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


class SessionLog:
    """The log of `session` for somebody who has seen the events up to number `after`. `is_shown`: the page lists
    events, so that a short log is read once for both uses."""

    def __init__(self, session: Session, after: int, *, is_shown: bool) -> None:
        self._session = session
        self._after = after
        self._is_shown = is_shown

    @cached_property
    def events(self) -> list[LoggedEvent]:
        """Up to the one the session's row was read at: what is looked up later is at least as new, so whoever goes on
        from the last of these misses nothing."""
        found = events_after(self._session.pk, self._after)
        return [event for event in found if event["seq"] < self._session.next_seq]

    @property
    def seq(self) -> int:
        """The last event that what is shown holds."""
        return self.events[-1]["seq"] if self.events else self._after

    @property
    def last_seq(self) -> int:
        return self._session.next_seq - 1

    @cached_property
    def timeline(self) -> list[Entry]:
        return entries(self.events, self._policies)

    @cached_property
    def _kept(self) -> list[LoggedEvent]:
        if self._is_shown and not self._after and len(self.events) < EVENTS_AT_ONCE:
            return self.events
        return _TOLD(session=self._session.pk)

    @cached_property
    def told(self) -> list[tuple[str, dict[str, Any]]]:
        return [(event["kind"], event["data"]) for event in self._kept if event["kind"] in TOLD]

    def told_as(self, kind: str) -> list[dict[str, Any]]:
        """The data of those of that kind, which is one of TOLD."""
        return [data for name, data in self.told if name == kind]

    @cached_property
    def merged(self) -> bool:
        """Whether the reports were made into findings."""
        return bool(self.told_as("findings.ranked"))

    @property
    def fell_back(self) -> bool:
        return bool(self.told_as("session.fell_back"))

    @property
    def compared(self) -> dict[str, Any] | None:
        """How the last comparison with the earlier version came out."""
        return next(reversed(self.told_as("findings.compared")), None)

    def remakes_of(self, number: int) -> list[Entry]:
        """How people remade the finding of that number, the oldest first."""
        return entries((event for event in self._kept if remakes(event, number)), self._policies)

    def _policies(self) -> dict[str, str]:
        return policy_labels(self._session.project)
