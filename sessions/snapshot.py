"""What is read of a session's journal when its lease is taken: steps, attempts and notes as they were left."""

import hashlib
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from sessions.engine.run import Reply, Usage
from sessions.models import Attempt, Event, Session, Step

# Notes whose effect `session.retried` takes back: said again in the next generation even when nothing changed.
UNDONE_BY_RETRY = frozenset({"instance.missing"})


@lru_cache
def code_version() -> str:
    """Twelve hex digits over the source that decides prompts; journals of another version replay with leniency."""
    engine = Path(__file__).parent / "engine"
    digest = hashlib.sha256()
    for path in sorted(engine.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A step as it was left. `inherited` steps come from an earlier generation."""

    pk: uuid.UUID
    fingerprint: str
    code_version: str
    state: str
    reply: Reply | None
    error_code: str
    value: Any
    attempts: int
    inherited: bool


@dataclass(slots=True)
class Snapshot:
    """Everything a lease needs to go on where the last one stopped. `notes` holds digests by key."""

    session_id: int
    project_id: int
    code: uuid.UUID
    fence: int
    generation: int
    cost: int
    soft_cap: int | None
    hard_cap: int | None
    steps: dict[str, Recorded] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)


def fresh(session: Session) -> Snapshot:
    """The journal of a session nobody has carried before."""
    return Snapshot(
        session_id=session.pk,
        project_id=session.project_id,
        code=session.code,
        fence=session.fence,
        generation=session.generation,
        cost=session.cost_microcredits,
        soft_cap=session.soft_cap_microcredits,
        hard_cap=session.hard_cap_microcredits,
    )


def load(session: Session) -> Snapshot:
    """Read the journal of a session. Steps of the running generation win over inherited ones, and those over what a
    session that is reused recorded."""
    snapshot = fresh(session)
    counts: dict[uuid.UUID, int] = {}
    for step_id, ordinal in Attempt.objects.filter(session=session).values_list("step_id", "ordinal"):
        counts[step_id] = max(counts.get(step_id, 0), ordinal)
    for reused in reversed(_reused(session)):
        for row in (
            Step.objects.filter(session=reused, state="done", kind="call", output__erased_at=None)
            .select_related("output")
            .order_by("generation")
        ):
            snapshot.steps[row.path] = _recorded(row, 0, True)
    for row in Step.objects.filter(session=session).select_related("output").order_by("generation"):
        inherited = row.generation != session.generation
        if row.state == "done" or not inherited:
            snapshot.steps[row.path] = _recorded(row, counts.get(row.pk, 0), inherited)
    notes = Event.objects.filter(session=session, key__isnull=False).values_list("key", "kind", "data")
    for key, kind, data in notes:
        snapshot.notes[str(key)] = "" if kind in UNDONE_BY_RETRY else note_digest(data)
    return snapshot


def _reused(session: Session) -> list[int]:
    """The session whose answers are taken, the one whose answers that took, and so on."""
    found: list[int] = []
    at = session.reuses_id
    while at is not None:
        found.append(at)
        at = Session.objects.values_list("reuses_id", flat=True).get(pk=at)
    return found


def _recorded(row: Step, attempts: int, inherited: bool) -> Recorded:
    reply = None
    if row.kind == "call" and row.state == "done":
        result = dict(row.result)
        usage = Usage(**result.pop("usage"))
        reply = Reply(text=row.output.text if row.output else "", usage=usage, **result)
    return Recorded(
        row.pk, row.fingerprint, row.code_version, row.state, reply, row.error_code,
        row.result.get("value"), attempts, inherited,
    )  # fmt: skip


def note_key(path: str, generation: int) -> str:
    return f"{path}@{generation}" if generation else path


def note_digest(data: Any) -> str:
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()
