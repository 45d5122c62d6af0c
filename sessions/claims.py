"""Taking leases and giving them back: which sessions this worker carries from now on, and all it needs to begin.

A lease is a row's owner, expiry and fence by the database's clock. Sessions asked for while the last ones were being
claimed are claimed together, so that many starts at once cost a few statements and one start waits for nobody.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from django.db import OperationalError, transaction
from django.db.models import BigAutoField, CharField, F, Q
from django.db.models.functions import Now

from billing.pricing import Price
from sessions.actions.log import append
from sessions.compiled import Compiled, GivenMany
from sessions.db import db
from sessions.engine.roster import Source
from sessions.gateway import Route
from sessions.models import Attempt, LanguageModel, ModelPrice, Participant, Session
from sessions.providers.locality import may_be_local
from sessions.snapshot import Snapshot, fresh, load
from sessions.specs import read_sources
from sessions.writer import Draft

P = ParamSpec("P")
R = TypeVar("R")

LEASE = timedelta(seconds=10)
# How long after the database refused it is asked once more, in seconds.
AGAIN_SECONDS = 0.1
# A loop that turns slower than this, in seconds, is behind.
BEHIND_SECONDS = 0.01
# How many sessions a worker takes at once while it is behind, and how long it may put the next ones off.
FEW, PUT_OFF_SECONDS = 8, 0.25
# The third worker that dies on the same step was the last: then a person looks at it.
MOST_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Lease:
    session: Session
    snapshot: Snapshot
    recovered: bool


@dataclass(frozen=True, slots=True)
class Material:
    """What a session works on: the texts it reads, None when one of them was erased, and how its models are reached."""

    sources: tuple[Source, ...] | None
    routes: dict[str, Route]


Taken = tuple[Lease, Material]


class Claims:
    """One worker's way to leases, on its event loop."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._asked: dict[int, asyncio.Future[Taken | None]] = {}
        self._working: asyncio.Task[None] | None = None

    async def take(self, session_id: int) -> Taken | None:
        """Take a queued session, or a running one whose lease has lapsed. None: somebody else has it, or it is done."""
        taken = self._asked.setdefault(session_id, asyncio.get_running_loop().create_future())
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())
        return await taken

    async def settle(self) -> None:
        """Return when nothing is being claimed any more. What nobody waits for by then is ours all the same."""
        if self._working:
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        while self._asked:
            most = FEW if await _behind() else len(self._asked)
            asked = {key: self._asked.pop(key) for key in list(self._asked)[:most]}
            try:
                leases, materials = await asyncio.gather(
                    _twice(claim, list(asked), self._owner), _twice(read_material, list(asked))
                )
            except Exception as error:  # noqa: BLE001 - it belongs to those who asked
                answers: dict[int, Taken | Exception | None] = dict.fromkeys(asked, error)
            else:
                answers = {key: (leases[key], materials[key]) if key in leases else None for key in asked}
            for key, answer in answers.items():
                if asked[key].done():  # whoever asked was cancelled
                    continue
                if isinstance(answer, Exception):
                    asked[key].set_exception(answer)
                else:
                    asked[key].set_result(answer)


async def _twice(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Asked once more when the database refused: a busy SQLite and a fail-over do, and whoever started a session would
    wait for the sweeper."""
    try:
        return await db(function, *args, **kwargs)
    except OperationalError:
        await asyncio.sleep(AGAIN_SECONDS)
        return await db(function, *args, **kwargs)


async def _behind() -> bool:
    """Whether the loop is still behind after PUT_OFF_SECONDS."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PUT_OFF_SECONDS
    while loop.time() < until:
        begun = loop.time()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if loop.time() - begun < BEHIND_SECONDS:
            return False
        await asyncio.sleep(BEHIND_SECONDS)
    return True


_FREE = Compiled(
    lambda: (
        Session.objects.filter(
            Q(status="queued") | Q(status="running", lease_until__lt=Now()),
            pk__in=GivenMany("sessions", BigAutoField()),
        )
        .select_related("spec", "project")
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
)


def claim(session_ids: Sequence[int], owner: str) -> dict[int, Lease]:
    """The leases that were to be had, by session id."""
    mine = {"status": "running", "owner": owner, "fence": F("fence") + 1}
    with transaction.atomic():
        found = _FREE(sessions=session_ids)
        queued = [session for session in found if session.status == "queued"]
        recovered = [session for session in found if session.status == "running" and _recover(session)]
        for sessions, more in ((queued, {}), (recovered, {"recoveries": F("recoveries") + 1})):
            if sessions:
                taken = Session.objects.filter(pk__in=[session.pk for session in sessions])
                taken.update(**mine, **more, lease_until=Now() + LEASE)
    return {session.pk: _lease(session, owner) for session in (*queued, *recovered)}


def _recover(session: Session) -> bool:
    """Say that a worker died. False: it was the last one, and a person has to look."""
    lost = Attempt.objects.filter(session=session, state="running").update(
        state="lost", error_code="attempt_lost", finished_at=datetime.now(UTC)
    )
    recoveries = session.recoveries + 1
    if recoveries < MOST_DEATHS:
        data = {"fence": session.fence + 1, "recoveries": recoveries, "lost": lost}
        append(session, [Draft("session.recovered", data)])
        return True
    append(session, [Draft("session.gave_up", {"recoveries": recoveries})])
    Session.objects.filter(pk=session.pk).update(
        status="needs_attention", owner="", lease_until=None, fence=F("fence") + 1, recoveries=recoveries
    )
    return False


def _lease(session: Session, owner: str) -> Lease:
    recovered = session.status == "running"
    session.status, session.owner, session.fence = "running", owner, session.fence + 1
    session.recoveries += recovered
    untouched = session.fence == 1 and session.reuses_id is None
    return Lease(session, fresh(session) if untouched else load(session), recovered)


def release(owner: str) -> list[int]:
    """Queue every session that `owner` has again, because it stops. Nobody died, so no death is counted. The owner
    must have come to rest: an entry of its writer that is still under way would be lost."""
    with transaction.atomic():
        held = Session.objects.filter(owner=owner, status="running").order_by("pk").select_for_update(no_key=True)
        for session in (sessions := list(held)):
            lost = Attempt.objects.filter(session=session, state="running").update(
                state="lost", error_code="worker_stopped", finished_at=datetime.now(UTC)
            )
            append(session, [Draft("session.released", {"fence": session.fence, "lost": lost})])
        keys = [session.pk for session in sessions]
        Session.objects.filter(pk__in=keys).update(status="queued", owner="", lease_until=None)
    return keys


_SEATED = Compiled(
    lambda: Participant.objects.filter(session__in=GivenMany("sessions", BigAutoField())).only(
        "session_id", "language_model_id", "fallback_id"
    )
)
_MODELS = Compiled(
    lambda: LanguageModel.objects.filter(pk__in=GivenMany("models", CharField())).select_related("provider")
)
_PRICES = Compiled(
    lambda: ModelPrice.objects.filter(
        language_model_id__in=GivenMany("models", CharField()), since__lte=Now()
    ).order_by("since")
)


def read_material(session_ids: Sequence[int]) -> dict[int, Material]:
    """What each of the sessions works on, by session id."""
    models: dict[int, set[str]] = defaultdict(set)
    for seat in _SEATED(sessions=session_ids):
        models[seat.session_id] |= {pk for pk in (seat.language_model_id, seat.fallback_id) if pk}
    routes = routes_of(set().union(*models.values()))
    sources = read_sources(session_ids)
    return {
        key: Material(sources.get(key, ()), {name: routes[name] for name in models[key] if name in routes})
        for key in session_ids
    }


def routes_of(model_ids: Iterable[str]) -> dict[str, Route]:
    """How each model is reached and what it costs now."""
    models = _MODELS(models=model_ids)
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


def prices_of(model_ids: Iterable[str]) -> dict[str, Price]:
    """The price in force now, by model. A model without one is absent: its price is unknown, not zero."""
    rows = _PRICES(models=model_ids)
    return {
        row.language_model_id: Price(row.input_microcredits, row.output_microcredits, row.cached_input_microcredits)
        for row in rows
    }
