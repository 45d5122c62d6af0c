"""What a pattern may read from outside its spec, by name. Each answer is recorded by the journal before it is used."""

from collections.abc import Awaitable, Callable
from typing import Any

from sessions.db import db
from sessions.models import Event, Report, Session

Observer = Callable[..., Awaitable[Any]]


def observers_of(session: Session) -> dict[str, Observer]:
    async def issued_numbers() -> dict[str, int]:
        """Finding numbers already issued in this session, by report id: a number once issued never changes hands."""
        return await db(_issued_numbers, session.pk) if session.generation else {}

    async def moved_reports() -> dict[str, int]:
        """By report id, the finding that people put it into."""
        return await db(_moved_reports, session.pk) if session.generation else {}

    return {"issued_numbers": issued_numbers, "moved_reports": moved_reports}


def _issued_numbers(session_id: int) -> dict[str, int]:
    rows = Report.objects.filter(session_id=session_id, finding__isnull=False).select_related("finding")
    return {f"{row.letter}-{row.ordinal}": row.finding.number for row in rows if row.finding}


def _moved_reports(session_id: int) -> dict[str, int]:
    moves = Event.objects.filter(session=session_id, kind__in=("finding.joined", "finding.split"))
    touched = {
        move[name]["number"]
        for move in moves.values_list("data", flat=True)
        for name in ("into", "rest", "new")
        if name in move
    }
    return {name: number for name, number in _issued_numbers(session_id).items() if number in touched}
