"""What a pattern may read from outside its spec, by name. Each answer is recorded by the journal before it is used."""

from collections.abc import Awaitable, Callable
from typing import Any

from sessions.db import db
from sessions.models import Report, Session

Observer = Callable[..., Awaitable[Any]]


def observers_of(session: Session) -> dict[str, Observer]:
    async def issued_numbers() -> dict[str, int]:
        """Finding numbers already issued in this session, by report id: a number once issued never changes hands."""
        return await db(_issued_numbers, session.pk) if session.generation else {}

    return {"issued_numbers": issued_numbers}


def _issued_numbers(session_id: int) -> dict[str, int]:
    rows = Report.objects.filter(session_id=session_id, finding__isnull=False).select_related("finding")
    return {f"{row.letter}-{row.ordinal}": row.finding.number for row in rows if row.finding}
