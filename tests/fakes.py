"""A scripted model and a journal in memory: what a pattern needs to run without anything outside."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sessions.engine.run import CallFailed, JournalMismatch, Prompt, Reply, Run, WaitingForHuman

Answer = str | Reply | CallFailed


class Crashed(BaseException):
    """The process died here. Nothing may catch it."""


class ScriptedLLM:
    """Answers from a queue per step path and keeps every prompt it was given, in order.

    `delays` holds event-loop turns by path: who answers late. A path without an answer fails the test.
    """

    def __init__(self, script: Mapping[str, Answer | list[Answer]], delays: Mapping[str, int] | None = None) -> None:
        self.queues = {path: list(answer) if isinstance(answer, list) else [answer] for path, answer in script.items()}
        self.delays = delays or {}
        self.history: list[tuple[str, Prompt]] = []

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.history]

    def prompt(self, path: str) -> Prompt:
        return next(prompt for asked, prompt in self.history if asked == path)

    async def __call__(self, path: str, fingerprint: str, prompt: Prompt) -> Reply:
        self.history.append((path, prompt))
        for _ in range(self.delays.get(path, 0)):
            await asyncio.sleep(0)
        if not self.queues.get(path):
            raise AssertionError(f"nothing is scripted for {path}")
        answer = self.queues[path].pop(0)
        if isinstance(answer, CallFailed):
            raise CallFailed(answer.code)
        return answer if isinstance(answer, Reply) else Reply(answer)


class MemoryJournal:
    """The Journal of `engine.run` in dicts. Carry it to a second run to resume.

    After `crash_after` recorded steps, notes and observations every further use raises Crashed, as in a process that
    was killed right after that commit.
    """

    def __init__(self, *, crash_after: int | None = None, answers: Mapping[str, Any] | None = None) -> None:
        self.steps: dict[str, tuple[str, Reply | CallFailed]] = {}
        self.notes: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {}
        self.observed: dict[str, Any] = {}
        self.world: dict[str, Any] = {
            "issued_numbers": {},
            "moved_reports": {},
            "budget": {"spent": 0, "cap": None},
        }
        self.answers = dict(answers or {})
        self.crash_after = crash_after
        self.recorded = 0

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.notes.values()]

    async def recall(self, path: str, fingerprint: str) -> Reply | None:
        self._alive()
        if path not in self.steps:
            return None
        recorded, outcome = self.steps[path]
        if recorded != fingerprint:
            raise JournalMismatch(path)
        if isinstance(outcome, CallFailed):
            raise CallFailed(outcome.code, outcome.member, path)
        return outcome

    async def finish(self, path: str, fingerprint: str, reply: Reply) -> None:
        self._record(self.steps, path, (fingerprint, reply))

    async def fail(self, path: str, fingerprint: str, failure: CallFailed) -> None:
        self._record(self.steps, path, (fingerprint, failure))

    async def note(self, path: str, kind: str, data: dict[str, Any], texts: dict[str, str]) -> None:
        self._alive()
        if path not in self.notes:
            self._record(self.notes, path, (kind, data, texts))
        elif self.notes[path] != (kind, data, texts):
            raise JournalMismatch(path)

    async def observe(self, path: str, name: str, args: dict[str, Any]) -> Any:
        self._alive()
        if path not in self.observed:
            seen = self.world[name]
            self._record(self.observed, path, seen(path) if callable(seen) else seen)
        return self.observed[path]

    async def ask(self, path: str, question: dict[str, Any]) -> Any:
        self._alive()
        if path not in self.answers:
            raise WaitingForHuman(path)
        return self.answers[path]

    def _record(self, rows: dict[str, Any], path: str, row: Any) -> None:
        self._alive()
        rows[path] = row
        self.recorded += 1

    def _alive(self) -> None:
        if self.crash_after is not None and self.recorded >= self.crash_after:
            raise Crashed


def run_with(llm: ScriptedLLM, journal: MemoryJournal | None = None, limit: int = 64) -> Run:
    return Run(journal or MemoryJournal(), llm, limit=limit)
