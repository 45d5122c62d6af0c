"""One session, one lease: take it, run its pattern to rest, give it back.

Whoever loses the lease, by dying, by being stopped or by being overtaken, can write nothing more; `LeaseLost` then ends
the run silently, because another one goes on.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError

from sessions import faultpoints, live
from sessions.background import Background, read_background
from sessions.claims import Claims, Material
from sessions.db import db
from sessions.engine.patterns.deliberation import DeliberationResult
from sessions.engine.patterns.review import ReviewResult
from sessions.engine.run import CallFailed, Run, WaitingForHuman
from sessions.gateway import Gateway
from sessions.journal import SessionJournal
from sessions.kinds import FIRST_PHASES, KINDS
from sessions.models import Artifact, Session
from sessions.observers import observers_of
from sessions.projections import Patch
from sessions.specs import SourceErased, thaw
from sessions.writer import Draft, LeaseLost, Writer

logger = logging.getLogger(__name__)


async def drive(
    session_id: int, claims: Claims, writer: Writer, gateway: Gateway, leased: Callable[[], object]
) -> None:
    """Carry one session to rest. Returns without a word when the lease is not to be had or gets lost. `leased` is
    told when it is had."""
    taken = await claims.take(session_id)
    if taken is None:
        return
    leased()
    faultpoints.reach("claimed")
    lease, material = taken
    journal = SessionJournal(lease.snapshot, writer, observers_of(lease.session, lease.snapshot))
    try:
        if not lease.recovered:
            await journal.note(f"claimed-{lease.session.fence}", "session.claimed", {"fence": lease.session.fence}, {})
        await _to_rest(lease.session, material, journal, gateway)
    except LeaseLost:
        logger.info("lease of session %s lost", lease.session.code)


async def _to_rest(session: Session, material: Material, journal: SessionJournal, gateway: Gateway) -> None:
    try:
        await _close(session, journal, *await _end(session, material, journal, gateway))
    except (LeaseLost, OperationalError, InterfaceError):
        raise  # without a database nothing can be said; the lease lapses and somebody goes on
    except Exception:
        logger.exception("session %s failed on our side", session.code)
        await _close(session, journal, *_failed(session, journal, "internal"), broken=True)


async def _end(
    session: Session, material: Material, journal: SessionJournal, gateway: Gateway
) -> tuple[Draft, dict[str, Any]]:
    """How the session comes to rest: the event that says so, and the fields that release the lease."""
    try:
        result = await _run_phase(session, material, journal, gateway)
    except WaitingForHuman as wait:
        reason = str(wait)
        return Draft("session.parked", {"waiting_for": reason}), {"status": "waiting", "waiting_for": reason}
    except CallFailed as failure:
        return _failed(session, journal, failure.code)
    except SourceErased:
        return _failed(session, journal, "source_erased")
    if result is None:
        return _completed(journal, session.outcome, session.reason)
    return _completed(journal, result.outcome, result.reason)


def _completed(journal: SessionJournal, outcome: str, reason: str, problem: str = "") -> tuple[Draft, dict[str, Any]]:
    ended = {"outcome": outcome, "reason": reason}
    draft = Draft("session.completed", {**ended, "cost_microcredits": journal.cost, "problem": problem})
    return draft, {"status": "completed", **ended, "finished_at": datetime.now(UTC)}


def _failed(session: Session, journal: SessionJournal, code: str) -> tuple[Draft, dict[str, Any]]:
    """A later phase that fails leaves the result of the first as it is."""
    if session.phase not in FIRST_PHASES:
        return _completed(journal, session.outcome, session.reason, code)
    draft = Draft("session.failed", {"code": code, "cost_microcredits": journal.cost})
    return draft, {"status": "failed", "reason": code, "finished_at": datetime.now(UTC)}


async def _close(
    session: Session, journal: SessionJournal, draft: Draft, ended: dict[str, Any], *, broken: bool = False
) -> None:
    """The artifact that the decision is a version of is seen from here on."""
    faultpoints.reach("before_close")
    decided = session.decision_id is not None and ended["status"] == "completed"
    shown = [Patch(Artifact, {"id": session.decision_id}, {"deleted_at": None})] if decided else []
    await journal.close(draft, {"owner": "", "lease_until": None, **ended}, changes=shown, broken=broken)
    live.needs_changed(session.project_id)
    faultpoints.reach("closed")


async def _run_phase(
    session: Session, material: Material, journal: SessionJournal, gateway: Gateway
) -> ReviewResult | DeliberationResult | None:
    phase = KINDS[session.kind].phases[session.phase]
    assert session.spec is not None
    if material.sources is None:
        raise SourceErased
    background = Background()
    if session.previous_id or phase.background:
        background = await db(read_background, session)
    spec = phase.load_thaw()(session, thaw(session.spec), material.sources, background)
    complete = gateway.bind(session.pk, session.code, session.nonce_seed, material.routes, journal)
    result: ReviewResult | DeliberationResult | None = await phase.load_pattern()(Run(journal, complete), spec)
    return result
