"""What a pattern may read from outside its spec, by name. Each answer is recorded by the journal before it is used."""

from collections.abc import Awaitable, Callable
from typing import Any

from sessions.db import db
from sessions.models import Event, Project, Report, Session
from sessions.snapshot import Snapshot

Observer = Callable[..., Awaitable[Any]]


def observers_of(session: Session, snapshot: Snapshot) -> dict[str, Observer]:
    known = [session.reuses_id] if session.reuses_id and session.params.get("only") else []
    known += [session.pk] if session.generation else []

    def _gathered(read: Callable[[int], dict[str, int]]) -> dict[str, int]:
        return {name: number for one in known for name, number in read(one).items()}

    async def issued_numbers() -> dict[str, int]:
        """Finding numbers already issued in this session or in the review it settles, by report id: a number once
        issued never changes hands."""
        return await db(_gathered, _issued_numbers)

    async def moved_reports() -> dict[str, int]:
        """By report id, the finding that people put it into."""
        return await db(_gathered, _moved_reports)

    async def is_demo_project() -> bool:
        """Simulated instances may certify there, and nowhere else."""
        return await db(_is_demo_project, session.project_id)

    async def budget() -> dict[str, int | None]:
        """Micro-credits spent so far, and the cap at which the session ends; null without one."""
        return {"spent": snapshot.cost, "cap": snapshot.hard_cap}

    return {
        "issued_numbers": issued_numbers,
        "moved_reports": moved_reports,
        "is_demo_project": is_demo_project,
        "budget": budget,
    }


def _is_demo_project(project_id: int) -> bool:
    return Project.objects.filter(pk=project_id, is_demo=True).exists()


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
