"""Watching a session from a terminal: one line per event that a person wants to see."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TextIO

from billing.pricing import dollars
from sessions.engine.errors import ERRORS
from sessions.glossary import label
from sessions.models import Event, Session
from sessions.states import AT_REST

POLL_SECONDS = 0.1


class Progress:
    """Writes to `out`; to nowhere when it is None."""

    def __init__(self, out: Any | TextIO | None) -> None:
        self._out = out
        self._begun = time.monotonic()

    def tell(self, event: Event) -> None:
        words = LINES.get(event.kind)
        if self._out is not None and words:
            self._out.write(f"{time.monotonic() - self._begun:6.1f} s  {words(event.data)}")


def wait_for_rest(session: Session, driven: "Future[None]", progress: Progress) -> None:
    """Return when the session rests. Another process may have taken it; then its log is followed from here."""
    cursor = 0
    while True:
        done = driven.done()
        for event in Event.objects.filter(session=session, seq__gt=cursor).order_by("seq"):
            progress.tell(event)
            cursor = event.seq
        if Session.objects.values_list("status", flat=True).get(pk=session.pk) in AT_REST:
            return
        time.sleep(POLL_SECONDS if not done else POLL_SECONDS * 5)


def _sentence(code: str) -> str:
    return ERRORS[code].sentence if code in ERRORS else code


LINES: dict[str, Callable[[dict[str, Any]], str]] = {
    "call.started": lambda data: f"{data['letter']} {_doing(data['path'])}",
    "call.retrying": lambda data: (
        f"{data['letter']} tries again in {data['wait_ms'] / 1000:.1f} s: {_sentence(data['code'])}"
    ),
    "reports.submitted": lambda data: f"{data['letter']} reports {len(data['reports'])}",
    "instance.replaced": lambda data: (
        f"{data['fallback']} is asked in place of {data['letter']}: {_sentence(data['code'])}"
    ),
    "instance.missing": lambda data: f"{data['letter']} is missing: {_sentence(data['code'])}",
    "attestation.submitted": lambda data: f"{data['letter']} {label('instance_verdict', data['verdict']).lower()}",
    "verdict.reached": lambda data: label("outcome", data["outcome"]).lower(),
    "findings.ranked": lambda data: f"merged into {len(data['findings'])} findings",
    "summary.written": lambda data: f"{data['letter']} has summed up",
    "cap.reached": lambda data: f"{data['cap']} cap of {dollars(data['microcredits'])} reached",
    "session.recovered": lambda data: "taken over after a worker died",
    "session.released": lambda data: "given back by a worker that stopped",
}

DOING = {"brief": "writes the brief", "review": "reviews", "summary": "sums up", "certify": "judges"}


def _doing(path: str) -> str:
    stage = path.partition("/")[0]
    return DOING.get(stage, "is asked")
