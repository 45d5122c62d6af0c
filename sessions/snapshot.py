"""What is read of a session's journal when its lease is taken: steps, attempts and notes as they were left."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from django.db.models import QuerySet

from sessions.engine.fallback import fallback_path
from sessions.engine.rounds import round_of
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
    """A step as it was left. `inherited` steps come from an earlier generation or another session. `binding` ones are
    taken as they were whether they fit or not, failures too: they are the past of a fork."""

    pk: uuid.UUID
    fingerprint: str
    code_version: str
    state: str
    reply: Reply | None
    error_code: str
    value: Any
    attempts: int
    inherited: bool
    binding: bool = False


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
    session that is reused recorded; nothing wins over the past of a fork."""
    snapshot = fresh(session)
    counts: dict[uuid.UUID, int] = {}
    for step_id, ordinal in Attempt.objects.filter(session=session).values_list("step_id", "ordinal"):
        counts[step_id] = max(counts.get(step_id, 0), ordinal)
    snapshot.steps = _steps(session, Step.objects.filter(session=session), counts)
    notes = Event.objects.filter(session=session, key__isnull=False).values_list("key", "kind", "data")
    for key, kind, data in notes:
        snapshot.notes[str(key)] = "" if kind in UNDONE_BY_RETRY else note_digest(data)
    return snapshot


def _steps(session: Session, own: QuerySet[Step], attempts: Mapping[uuid.UUID, int]) -> dict[str, Recorded]:
    """By path, what the session may take instead of doing it: answers, and failures that a fallback answered for."""
    found = _taken_over(session)
    rows = list(own.select_related("output").order_by("generation"))
    answered = {row.path for row in rows if row.state == "done"}
    for row in rows:
        inherited = row.generation != session.generation
        is_past = row.path in found and found[row.path].binding
        is_final = row.state == "done" or (row.state == "failed" and fallback_path(row.path) in answered)
        if not is_past and (is_final or not inherited):
            found[row.path] = _recorded(row, attempts.get(row.pk, 0), inherited)
    return found


def _taken_over(session: Session) -> dict[str, Recorded]:
    """What comes from the session whose answers are taken, and from those whose answers that one took. A fork is bound
    by whatever belongs to the rounds it takes; but what it may spend is counted anew."""
    if session.reuses is None:
        return {}
    readable = Step.objects.filter(session=session.reuses).exclude(output__erased_at__isnull=False)
    found: dict[str, Recorded] = {}
    recorded = _steps(session.reuses, readable, {})
    for path, step in recorded.items():
        number = round_of(path)
        is_past = number is not None and number <= (session.fork_round or 0) and not path.startswith("budget/")
        fallback = recorded.get(fallback_path(path))
        is_replaced = step.state == "failed" and fallback is not None and fallback.reply is not None
        if step.reply is not None or is_replaced or (is_past and step.state != "running"):
            found[path] = replace(step, inherited=True, binding=is_past)
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
