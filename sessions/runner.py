"""One session, one lease: claim it, run its pattern to rest, give it back.

The lease is a row's owner, expiry and fence by the database's clock. Whoever loses it, by dying, by being stopped or by
being overtaken, can write nothing more; `LeaseLost` then ends the run silently, because another one goes on.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now

from billing.pricing import Price
from sessions import faultpoints
from sessions.actions.log import append
from sessions.db import db
from sessions.engine.patterns.review import ReviewResult
from sessions.engine.run import CallFailed, Run, WaitingForHuman
from sessions.gateway import Gateway, Route
from sessions.journal import SessionJournal, Snapshot, fresh, load
from sessions.kinds import KINDS
from sessions.models import Attempt, LanguageModel, ModelPrice, Session
from sessions.observers import observers_of
from sessions.providers.locality import may_be_local
from sessions.specs import SourceErased, read_sources, thaw
from sessions.writer import Draft, LeaseLost, Writer

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
# The third worker that dies on the same step was the last: then a person looks at it.
MOST_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Lease:
    session: Session
    snapshot: Snapshot
    recovered: bool


def claim(session_id: int, owner: str) -> Lease | None:
    """Take a queued session, or a running one whose lease has lapsed. None: somebody else has it, or it is done."""
    rows = Session.objects.filter(pk=session_id)
    mine = {"status": "running", "owner": owner, "lease_until": Now() + LEASE, "fence": F("fence") + 1}
    if rows.filter(status="queued").update(**mine):
        return _lease(session_id, recovered=False)
    with transaction.atomic():
        if not rows.filter(status="running", lease_until__lt=Now()).update(**mine, recoveries=F("recoveries") + 1):
            return None
        session = rows.get()
        lost = Attempt.objects.filter(session=session, state="running").update(
            state="lost", error_code="attempt_lost", finished_at=datetime.now(UTC)
        )
        if session.recoveries >= MOST_DEATHS:
            append(session, [Draft("session.gave_up", {"recoveries": session.recoveries})])
            rows.update(status="needs_attention", owner="", lease_until=None)
            return None
        recovered = {"fence": session.fence, "recoveries": session.recoveries, "lost": lost}
        append(session, [Draft("session.recovered", recovered)])
        rows.update(lease_until=Now() + LEASE)  # counted from now: the first statement may have waited for a lock
    return _lease(session_id, recovered=True)


def _lease(session_id: int, *, recovered: bool) -> Lease:
    session = Session.objects.select_related("spec", "project").get(pk=session_id)
    return Lease(session, load(session) if session.fence > 1 else fresh(session), recovered)


async def drive(session_id: int, owner: str, writer: Writer, gateway: Gateway, leased: Callable[[], object]) -> None:
    """Carry one session to rest. Returns without a word when the lease is not to be had or gets lost. `leased` is
    told when it is had."""
    lease = await db(claim, session_id, owner)
    if lease is None:
        return
    leased()
    faultpoints.reach("claimed")
    journal = SessionJournal(lease.snapshot, writer, observers_of(lease.session))
    try:
        if not lease.recovered:
            await journal.note(f"claimed-{lease.session.fence}", "session.claimed", {"fence": lease.session.fence}, {})
        await _to_rest(lease.session, journal, gateway)
    except LeaseLost:
        logger.info("lease of session %s lost", lease.session.code)


async def _to_rest(session: Session, journal: SessionJournal, gateway: Gateway) -> None:
    try:
        result = await _pattern(session, journal, gateway)
    except WaitingForHuman as wait:
        reason = str(wait)
        await _close(journal, "waiting", "session.parked", {"waiting_for": reason}, waiting_for=reason)
    except CallFailed as failure:
        await _fail(journal, failure.code)
    except SourceErased:
        await _fail(journal, "source_erased")
    except (LeaseLost, OperationalError, InterfaceError):
        raise  # without a database nothing can be said; the lease lapses and somebody goes on
    except Exception:
        logger.exception("session %s failed on our side", session.code)
        await _fail(journal, "internal")
    else:
        data = {"outcome": result.outcome, "reason": result.reason, "cost_microcredits": journal.cost}
        await _close(
            journal, "completed", "session.completed", data, outcome=result.outcome, reason=result.reason, ended=True
        )


async def _pattern(session: Session, journal: SessionJournal, gateway: Gateway) -> ReviewResult:
    kind = KINDS[session.kind]
    assert session.spec is not None
    frozen = thaw(session.spec)
    sources, routes = await db(_load, session, [member["model_id"] for member in frozen.members])
    spec = kind.load_thaw()(session, frozen, sources)
    complete = gateway.bind(session.pk, session.code, session.nonce_seed, routes, journal)
    result: ReviewResult = await kind.load_pattern()(Run(journal, complete), spec)
    return result


def _load(session: Session, model_ids: list[str]) -> tuple[Any, dict[str, Route]]:
    return read_sources(session), routes_of(model_ids)


def routes_of(model_ids: list[str]) -> dict[str, Route]:
    """How each model is reached and what it costs now."""
    models = LanguageModel.objects.filter(pk__in=model_ids).select_related("provider")
    prices = prices_of(model_ids)
    return {
        model.pk: Route(
            model_id=model.pk,
            provider=model.provider.name,
            adapter=model.provider.adapter,
            name=model.route,
            base_url=model.provider.base_url,
            sealed_key=bytes(model.provider.sealed_key) if model.provider.sealed_key else None,
            schema_mode=model.schema_mode,  # type: ignore[arg-type]
            takes_temperature=model.takes_temperature,
            max_output_tokens=model.max_output_tokens,
            max_concurrent=model.provider.max_concurrent,
            price=prices.get(model.pk),
            allow_local=may_be_local(model.provider.base_url),
            enabled=model.enabled,
        )
        for model in models
    }


def prices_of(model_ids: list[str]) -> dict[str, Price]:
    """The price in force now, by model. A model without one is absent: its price is unknown, not zero."""
    rows = ModelPrice.objects.filter(language_model_id__in=model_ids, since__lte=Now()).order_by("since")
    return {
        row.language_model_id: Price(row.input_microcredits, row.output_microcredits, row.cached_input_microcredits)
        for row in rows
    }


async def _fail(journal: SessionJournal, code: str) -> None:
    data = {"code": code, "cost_microcredits": journal.cost}
    await _close(journal, "failed", "session.failed", data, reason=code, ended=True)


async def _close(
    journal: SessionJournal, status: str, kind: str, data: dict[str, Any], *, ended: bool = False, **fields: Any
) -> None:
    release = {"status": status, "owner": "", "lease_until": None, **fields}
    if ended:
        release["finished_at"] = datetime.now(UTC)
    faultpoints.reach("before_close")
    await journal.close(Draft(kind, data), release)
    faultpoints.reach("closed")
