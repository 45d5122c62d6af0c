"""Lists: the sessions of a project, the log of a session."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sessions.models import Event, Finding, Participant, Project, Session
from sessions.queries.findings import MERGED

EVENTS_AT_ONCE = 1_000


class LoggedEvent(TypedDict):
    seq: int
    kind: str
    at: datetime
    data: Any


@dataclass(frozen=True, slots=True)
class ListedSession:
    session: Session
    findings: int
    seats: int


def events_after(session_id: int, after: int, limit: int = EVENTS_AT_ONCE) -> list[LoggedEvent]:
    """Up to `limit` events with numbers above `after`."""
    rows = Event.objects.filter(session_id=session_id, seq__gt=after).order_by("seq")
    return [LoggedEvent(**row) for row in rows.values("seq", "kind", "at", "data")[:limit]]


def sessions_of(project: Project, *, limit: int = 100, offset: int = 0) -> list[ListedSession]:
    """The sessions of a project, newest first; three queries."""
    rows = Session.objects.filter(project=project, deleted_at=None).order_by("-created_at", "-pk")
    page = list(rows[offset : offset + limit])
    findings = _counted(Finding.objects.filter(session__in=page).exclude(status=MERGED).values_list("session_id"))
    seats = _counted(Participant.objects.filter(session__in=page).values_list("session_id"))
    return [ListedSession(session, findings.get(session.pk, 0), seats.get(session.pk, 0)) for session in page]


def _counted(pairs: Iterable[tuple[int]]) -> Counter[int]:
    return Counter(pk for (pk,) in pairs)
