"""Sessions that really run: queued, driven by a worker of this process, answered by a scripted provider."""

import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.lifecycle import retry_session, start_session
from sessions.engine.opinions import OPINION
from sessions.engine.schemas import REVIEW
from sessions.engine.synthesis import SYNTHESIS
from sessions.models import Project, Session
from sessions.providers.base import ProviderCall
from sessions.worker import worker
from tests import factories
from tests.doubles import END, Turn

LONG_AGO = "2020-01-01T00:00:00Z"


def lab(*names: str, **fields: Any) -> list[str]:
    """Models behind the scripted provider; a dollar per million tokens in and two out, unless given."""
    fields = {"input_price": Decimal(1), "output_price": Decimal(2), **fields}
    return [factories.real_model(f"lab/{name}", **fields).pk for name in names]


def queued(owner: User, project: Project, *model_ids: str, **fields: Any) -> Session:
    """A review that waits for a worker: the first model leads, the second reviews, the third sums up. Without
    `model_ids` by three demo models."""
    fields = {"seats": factories.seats(*model_ids), **fields}
    return start_session(Actor(owner), factories.draft(owner, project, **fields), dispatch=False, fresh=True)


def answering(call: ProviderCall) -> Turn:
    """A whole answer to whatever was asked: a brief, one finding in the first line, or a summary."""
    if call.schema is None:
        return ["Fix F-001 first.", END]
    if call.schema.name == REVIEW.name:
        return [review(call.member), END]
    if call.schema.name == OPINION.name:
        return [opinion(), END]
    return ['{"scope": "All of it.", "checks": ["money"]}', END]


def review(letter: str, **words: Any) -> str:
    """What an instance answers that found one thing, and what it says of its coverage."""
    coverage = words.pop("coverage", "all")
    finding = {
        "title": f"{letter} saw it", "claim": f"{letter} says that the amount is not checked at all.",
        "evidence": "def pay(amount):", "suggestion": "Check it.", "category": "money", "confidence": 0.8,
        "location": {"path": "pay.py", "start_line": 1, "end_line": 1, "anchor": ""},
        "family": "correctness", "severity": "major",
    }  # fmt: skip
    return orjson.dumps({"analysis": "Read.", "findings": [{**finding, **words}], "coverage": coverage}).decode()


def opinion(verdict: str = "confirmed", evidence: str = "def pay(amount):") -> str:
    """What an instance answers that is asked about a finding."""
    words = {"analysis": "Nothing checks it.", "evidence": evidence, "confidence": 0.9, "verdict": verdict}
    return orjson.dumps(words).decode()


def arguing(lines: list[str]) -> Callable[[ProviderCall], Turn]:
    """Instances that raise eight findings each about `lines` and change sides in every round on every second one."""

    def play(call: ProviderCall) -> Turn:
        if call.schema is None or call.schema.name == SYNTHESIS.name:
            return ['{"summary": "F-001 is argued over."}', END]
        seat = ord(call.member) - ord("A")
        if call.schema.name == REVIEW.name:
            places = range(96 * seat, 96 * seat + 96, 12)
            return [orjson.dumps({"findings": [_doubled(at, lines[at]) for at in places]}).decode(), END]
        prompt = call.messages[-1].content
        number = int(prompt.partition("\nRound: ")[2].split()[0])
        labels = sorted(set(re.findall(r"\b(F-\d{3}) major:", prompt)))
        positions = [
            {
                "finding": label, "rationale": f"{call.member} looked at {label}.", "changed_because": "none",
                "stance": "agree" if at % 2 or (seat + at // 2 + number) % 2 else "disagree",
            }
            for at, label in enumerate(labels)
        ]  # fmt: skip
        return [orjson.dumps({"positions": positions, "findings": []}).decode(), END]

    return play


def _doubled(at: int, line: str) -> dict[str, Any]:
    return {
        "title": f"Stage {at} is loaded twice", "claim": f"Stage {at} was loaded before.", "evidence": line,
        "location": {"path": "pipeline.py", "start_line": at + 1, "end_line": at + 1}, "severity": "major",
        "family": "performance", "confidence": 0.8,
    }  # fmt: skip


def is_review(call: ProviderCall) -> bool:
    return call.schema is not None and call.schema.name == REVIEW.name


def to_rest(session: Session, seconds: float = 30) -> Session:
    worker().submit(session.pk).result(seconds)
    session.refresh_from_db()
    return session


def again(owner: User, session: Session) -> Session:
    """Retry and run to rest."""
    retry_session(Actor(owner), Session.objects.get(pk=session.pk), dispatch=False)
    return to_rest(session)


def lapse(session: Session) -> None:
    """Let the lease of the dead run out now."""
    Session.objects.filter(pk=session.pk).update(lease_until=LONG_AGO)


def until(true: Callable[[], Any], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def status_of(session: Session) -> str:
    return str(Session.objects.values_list("status", flat=True).get(pk=session.pk))


def kinds(session: Session) -> list[str]:
    return list(session.events.order_by("seq").values_list("kind", flat=True))


def with_role(role: str, *model_ids: str) -> list[Any]:
    """Seats that all have the same role."""
    return [seat.model_copy(update={"role": role}) for seat in factories.seats(*model_ids)]
