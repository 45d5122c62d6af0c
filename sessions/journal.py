"""Where a run remembers: Step, Attempt and Event rows behind the group commit.

One `SessionJournal` serves one lease of one session. It answers recalls from the snapshot that was read with the lease,
and writes through the process's `Writer` under the lease's fence. An attempt is committed before its request leaves. A
finish is one entry: the words, the attempt, the step, the cost and the event. Nobody waits for it: all that a session
writes stands in one queue, so it is durable before anything that follows from it is, or leaves this process.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from sessions import faultpoints
from sessions.engine.run import CallFailed, JournalMismatch, Prompt, Reply, Usage, WaitingForHuman
from sessions.events import checked, digest_of, text_ref
from sessions.models import Attempt, Content, Outbox, Step
from sessions.models.ids import uuid7
from sessions.projections import Change, Patch, Put
from sessions.snapshot import Recorded, Snapshot, code_version, note_digest, note_key
from sessions.writer import Draft, Entry, Writer

# status at the end -> what people are told of it (`sessions.deliveries`)
ANNOUNCED = {"completed": "finished", "failed": "failed"}


@dataclass(slots=True)
class OpenAttempt:
    """An attempt in flight; the gateway fills in what it measured before it ends."""

    pk: uuid.UUID
    step_pk: uuid.UUID
    path: str
    letter: str
    ordinal: int
    held: int
    started_at: datetime
    received: int = 0
    first_token_ms: int | None = None
    usage: Usage = field(default_factory=lambda: Usage(reported=False))
    cost: int | None = 0

    def milliseconds(self, now: datetime) -> int:
        return int((now - self.started_at).total_seconds() * 1000)


class SessionJournal:
    """Implements `engine.run.Journal`, and the attempts that the gateway needs."""

    def __init__(self, snapshot: Snapshot, writer: Writer, observers: dict[str, Callable[..., Any]]) -> None:
        self._at, self._writer, self._observers = snapshot, writer, observers
        self._open: dict[str, OpenAttempt] = {}
        self._settling: list[tuple[OpenAttempt, Future[int]]] = []
        self._broken: list[BaseException] = []

    # --- the Journal of a Run

    async def recall(self, path: str, fingerprint: str) -> Reply | None:
        step = self._at.steps.get(path)
        if step is None or step.state == "running":
            return None
        if step.fingerprint != fingerprint:
            if step.inherited and not step.binding:
                return None
            if step.code_version == code_version():
                raise JournalMismatch(path)
            self._once(f"drifted/{path}/{code_version()}", "replay.drifted", path=path, recorded_by=step.code_version)
        if step.state == "failed":
            raise CallFailed(step.error_code, path=path)
        return step.reply

    async def finish(self, path: str, fingerprint: str, reply: Reply) -> None:
        attempt, now = self._open[path], datetime.now(UTC)
        content, put = self.text("output", reply.text)
        result = {
            "finish_reason": reply.finish_reason,
            "read_in_part": reply.read_in_part,
            "usage": {
                "prompt_tokens": reply.usage.prompt_tokens,
                "output_tokens": reply.usage.output_tokens,
                "cached_tokens": reply.usage.cached_tokens,
                "reported": reply.usage.reported,
            },
        }
        step = Patch(
            Step,
            {"id": attempt.step_pk},
            {"state": "done", "output_id": put.pk, "result": result, "finished_at": now},
        )
        event = Draft(
            "call.finished",
            {
                "letter": attempt.letter,
                "path": path,
                "attempt": attempt.ordinal,
                "prompt_tokens": reply.usage.prompt_tokens,
                "output_tokens": reply.usage.output_tokens,
                "cost_microcredits": attempt.cost,
                "milliseconds": attempt.milliseconds(now),
                "output": content,
                "read_in_part": reply.read_in_part,
            },
        )
        self._settle(attempt, [put, self._ended(attempt, "delivered", "", now), step], event, progress=True)

    async def fail(self, path: str, fingerprint: str, failure: CallFailed) -> None:
        now = datetime.now(UTC)
        attempt = self._open.get(path)
        fields = {"state": "failed", "error_code": failure.code, "finished_at": now}
        event = Draft("call.lost", {"letter": failure.member, "path": path, "code": failure.code})
        if attempt is None:
            new = self._new_step(path, fingerprint, failure.member, now, fields)[1]
            self._later([new], [event], progress=True)
        else:
            step = Patch(Step, {"id": attempt.step_pk}, fields)
            self._settle(attempt, [self._ended(attempt, "failed", failure.code, now), step], event, progress=True)

    async def note(self, path: str, kind: str, data: dict[str, Any], texts: dict[str, str]) -> None:
        puts: list[Change] = []
        for name, words in texts.items():
            ref, put = self.text(name, words, key=f"{path}#{name}")
            data, puts = {**data, name: ref}, [*puts, put]
        data = checked(kind, data)
        key, digest = note_key(path, self._at.generation), note_digest(data)
        if key in self._at.notes or digest == self._noted_before(path):
            return
        faultpoints.reach(kind)
        self._at.notes[key] = digest
        self._later(puts, [Draft(kind, data, key, checked=True)])

    async def observe(self, path: str, name: str, args: dict[str, Any]) -> Any:
        fingerprint = hashlib.sha256(orjson.dumps([name, args], option=orjson.OPT_SORT_KEYS)).hexdigest()
        step = self._at.steps.get(path)
        if step is not None and (step.binding or not step.inherited):
            return step.value
        value = await self._observers[name](**args)
        now = datetime.now(UTC)
        fields = {"state": "done", "result": {"value": value}, "finished_at": now, "kind": "observation"}
        pk, put = self._new_step(path, fingerprint, "", now, fields)
        self._at.steps[path] = Recorded(pk, fingerprint, code_version(), "done", None, "", value, 0, False)
        self._later([put], [])
        return value

    async def ask(self, path: str, question: dict[str, Any]) -> Any:
        raise WaitingForHuman(question["kind"])

    # --- attempts, for the gateway

    async def begin(self, path: str, fingerprint: str, prompt: Prompt, request_hash: str, held: int) -> OpenAttempt:
        """Commit an attempt before its request leaves. Raises CallFailed or WaitingForHuman at a cost cap."""
        await self._check_caps(held)
        now = datetime.now(UTC)
        ordinal = self._at.attempts.get(path, self._recorded_attempts(path)) + 1
        self._at.attempts[path] = ordinal
        step_pk, put = self._step_for(path, fingerprint, prompt.member, now)
        attempt = OpenAttempt(uuid7(), step_pk, path, prompt.member, ordinal, held, now)
        row = Put(
            Attempt,
            attempt.pk,
            {
                "step_id": step_pk,
                "session_id": self._at.session_id,
                "ordinal": ordinal,
                "fence": self._at.fence,
                "letter": prompt.member,
                "model_id": prompt.model_id,
                "request_hash": request_hash,
                "held_microcredits": held,
                "started_at": now,
            },
        )
        self._open[path] = attempt
        event = Draft("call.started", {"letter": prompt.member, "path": path, "attempt": ordinal})
        await self._writer.commit(self._entry([*put, row], [event]))
        return attempt

    async def end(self, attempt: OpenAttempt, code: str, wait_seconds: float) -> None:
        """Record that `attempt` failed and that another follows after `wait_seconds`."""
        event = Draft(
            "call.retrying",
            {
                "letter": attempt.letter,
                "path": attempt.path,
                "attempt": attempt.ordinal,
                "code": code,
                "wait_ms": int(wait_seconds * 1000),
            },
        )
        self._settle(attempt, [self._ended(attempt, "failed", code, datetime.now(UTC))], event)

    # --- the session's own

    def text(self, kind: str, words: str, key: str = "") -> tuple[dict[str, str], Put]:
        """A content row for `words` and how events name it. With `key` the same words get the same id again."""
        digest = digest_of(words)
        pk = uuid.uuid5(self._at.code, f"{key}:{digest}") if key else uuid7()
        put = Put(
            Content,
            pk,
            {
                "project_id": self._at.project_id,
                "session_id": self._at.session_id,
                "kind": kind,
                "text": words,
                "digest": digest,
                "size": len(words.encode("utf-8", "replace")),
            },
        )
        return text_ref(pk, digest), put

    async def close(
        self, draft: Draft, release: dict[str, Any], *, changes: Iterable[Change] = (), broken: bool = False
    ) -> None:
        """Write the last entry of this lease: it gives the lease back with the status in `release`, and makes `changes`
        that belong to no event. Raises what kept an earlier entry from being written, unless the end is said to be
        `broken`; attempts that are still open then are lost."""
        if broken:
            self._broken = []
        lost = {"state": "lost", "error_code": "internal", "finished_at": datetime.now(UTC)}
        unsettled = [attempt for attempt, written in self._settling if written.done() and written.exception()]
        opened = [*self._open.values(), *unsettled]
        ended = [Patch(Attempt, {"id": attempt.pk}, lost) for attempt in opened]
        entry = self._entry([*ended, *changes, *self._announced(release)], [draft])
        entry.release = release
        await self._writer.commit(entry)

    @property
    def cost(self) -> int:
        return self._at.cost

    # --- inside

    def _announced(self, release: dict[str, Any]) -> list[Change]:
        """The message that people are told of this end; waiting for a person is none."""
        pk, what = uuid7(), ANNOUNCED.get(release["status"])
        payload = {"session": self._at.session_id, "what": what, "cause": str(pk)}
        return [Put(Outbox, pk, {"kind": "announce", "payload": payload})] if what else []

    async def _check_caps(self, held: int) -> None:
        bound = self._at.cost + sum(attempt.held for attempt in self._open.values()) + held
        if self._at.hard_cap is not None and bound > self._at.hard_cap:
            self._once(f"cap/hard/{self._at.hard_cap}", "cap.reached", cap="hard", microcredits=self._at.hard_cap)
            raise CallFailed("cap_reached")
        if self._at.soft_cap is not None and bound > self._at.soft_cap:
            self._once(f"cap/soft/{self._at.soft_cap}", "cap.reached", cap="soft", microcredits=self._at.soft_cap)
            raise WaitingForHuman("cap")

    def _once(self, key: str, kind: str, **data: Any) -> None:
        """Append an event of our own unless one with that key stands in the log."""
        if key not in self._at.notes:
            self._at.notes[key] = ""
            self._later([], [Draft(kind, data, key)])

    def _step_for(self, path: str, fingerprint: str, letter: str, now: datetime) -> tuple[uuid.UUID, list[Change]]:
        step = self._at.steps.get(path)
        if step is not None and not step.inherited and step.fingerprint == fingerprint:
            return step.pk, []
        pk, put = self._new_step(path, fingerprint, letter, now, {})
        self._at.steps[path] = Recorded(pk, fingerprint, code_version(), "running", None, "", None, 0, False)
        return pk, [put]

    def _new_step(
        self, path: str, fingerprint: str, letter: str, now: datetime, fields: dict[str, Any]
    ) -> tuple[uuid.UUID, Put]:
        pk = uuid.uuid5(self._at.code, f"step-{self._at.generation}-{path}")
        base = {
            "session_id": self._at.session_id,
            "generation": self._at.generation,
            "path": path,
            "letter": letter,
            "fingerprint": fingerprint,
            "code_version": code_version(),
            "created_at": now,
        }
        return pk, Put(Step, pk, {**base, **fields})

    def _recorded_attempts(self, path: str) -> int:
        step = self._at.steps.get(path)
        return step.attempts if step is not None and not step.inherited else 0

    def _ended(self, attempt: OpenAttempt, state: str, code: str, now: datetime) -> Patch:
        return Patch(
            Attempt,
            {"id": attempt.pk},
            {
                "state": state,
                "error_code": code,
                "prompt_tokens": attempt.usage.prompt_tokens,
                "output_tokens": attempt.usage.output_tokens,
                "cached_tokens": attempt.usage.cached_tokens,
                "usage_reported": attempt.usage.reported,
                "cost_microcredits": attempt.cost,
                "first_token_ms": attempt.first_token_ms,
                "finished_at": now,
            },
        )

    def _noted_before(self, path: str) -> str | None:
        """The digest of the same note in the last generation that appended it: what has not changed is not said
        again."""
        keys = (note_key(path, generation) for generation in reversed(range(self._at.generation)))
        return next((self._at.notes[key] for key in keys if key in self._at.notes), None)

    def _entry(self, changes: list[Change], drafts: list[Draft]) -> Entry:
        return Entry(self._at.session_id, self._at.code, self._at.fence, changes, drafts, broken=self._broken)

    def _settle(self, attempt: OpenAttempt, changes: list[Change], event: Draft, *, progress: bool = False) -> None:
        """Record how an attempt ended, and what it cost instead of what was held for it."""
        del self._open[attempt.path]
        self._at.cost += attempt.cost or 0
        written = self._later(changes, [event], cost=attempt.cost, progress=progress)
        waiting = [(other, done) for other, done in self._settling if not done.done() or done.exception()]
        self._settling = [*waiting, (attempt, written)]

    def _later(
        self, changes: list[Change], drafts: list[Draft], *, cost: int | None = 0, progress: bool = False
    ) -> "Future[int]":
        """Write without waiting: it stands in the queue before whatever follows from it, which fails when it does."""
        entry = self._entry(changes, drafts)
        entry.cost, entry.progress = cost, progress
        return self._writer.later(entry)
