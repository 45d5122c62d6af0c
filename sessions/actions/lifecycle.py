"""The life of a session as people move it: start, start once more, continue, retry, stop.

A status changes by compare-and-swap against the table in `sessions.states`; whoever loses the race is told who won.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import BigAutoField, CharField, F
from django.db.models.functions import Now
from django.utils import timezone

from sessions import live, outbox
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.log import append
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.texts import text_row
from sessions.caps import check_caps
from sessions.catalog.best import check_start
from sessions.compiled import Compiled, Given
from sessions.engine.names import clean_name
from sessions.events import text_ref
from sessions.kinds import FIRST_PHASES, KINDS
from sessions.models import Artifact, Attempt, Session
from sessions.projections import Put
from sessions.seats import seats_of_session
from sessions.specs import SourceErased, freeze
from sessions.states import after, sources_of
from sessions.titles import decision_name, plain_title
from sessions.writer import Draft


def start_session(actor: Actor, session: Session, *, dispatch: bool = True, fresh: bool = False) -> Session:
    """Queue a draft. With `dispatch` off the caller drives it itself. Unless `fresh`, the recorded answers of a
    completed session with the same input are taken instead of asking again; a draft that settles a review takes the
    review's. Raises Refused when it is not a draft, or when its caps could not be kept."""
    check_start(session)
    check_caps(session)
    with transaction.atomic():
        spec = text_row(session.project_id, session.pk, "spec", _spec_text(session))
        digest = spec.fields["digest"]
        recorded = session.reuses or (None if fresh else _recorded(session, digest))
        reused = {"reuses_id": recorded.pk, "nonce_seed": recorded.nonce_seed} if recorded else {}
        engine = settings.CRUCIBLE_ENGINE if dispatch else "direct"
        decision = _decision_artifact(actor, session) if KINDS[session.kind].decides else None
        frozen = {"spec_id": spec.pk, "input_digest": digest, "decision_id": decision, **reused}
        swap_status(session, "start", engine=engine, started_at=Now(), **frozen)
        _started(actor, session, spec, dispatch, recorded)
    return session


def _spec_text(session: Session) -> str:
    try:
        return freeze(session).text()
    except SourceErased:
        raise Refused("source_erased", "The session that this one is made of was erased.", 409) from None


def _decision_artifact(actor: Actor, session: Session) -> int:
    """What the decision will be a version of, hidden until there is one."""
    name = clean_name(decision_name(session))
    artifact = Artifact.objects.create(
        project=session.project, name=name, kind="document", created_by=actor.user, deleted_at=timezone.now()
    )
    return artifact.pk


_SAME_INPUT = Compiled(
    lambda: (
        Session.objects.filter(
            project=Given("project", BigAutoField()),
            kind=Given("kind", CharField()),
            input_digest=Given("input_digest", CharField()),
            status="completed",
            deleted_at=None,
        )
        .exclude(pk=Given("session", BigAutoField()))
        .only("code", "nonce_seed")
        .order_by("-finished_at")[:1]
    )
)


def _recorded(session: Session, input_digest: str) -> Session | None:
    """The newest completed session of the project that was asked the very same. The same seed builds the same prompts,
    so its answers can be taken for ours."""
    found = _SAME_INPUT(project=session.project_id, kind=session.kind, input_digest=input_digest, session=session.pk)
    return found[0] if found else None


def _started(actor: Actor, session: Session, spec: Put, dispatch: bool, recorded: Session | None) -> None:
    engine = settings.CRUCIBLE_ENGINE if dispatch else "direct"
    data = {"by": actor.user_id, "engine": engine, "spec": text_ref(spec.pk, spec.fields["digest"]), "generation": 0}
    is_fork = session.fork_round is not None  # which said so when it was made
    reused = [Draft("session.reused", {"session": recorded.code})] if recorded and not is_fork else []
    append(session, [Draft("session.started", data), *reused], [spec])
    if dispatch:
        outbox.post("dispatch", session=session.pk)


def run_again(actor: Actor, session: Session, *, dispatch: bool = True, fresh: bool = True) -> Session:
    """Start the same once more as a session of its own: texts, instances, brief, parameters and caps. `fresh` as for
    `start_session`. Raises Refused when a text or a model is not there any more."""
    rows = list(session.sources.select_related("version__artifact", "version__content"))
    new = NewSession(
        kind=session.kind,
        seats=seats_of_session(session),
        versions=[row.version for row in rows if not row.context],
        context=[row.version for row in rows if row.context],
        title=plain_title(session),
        brief=session.brief.text if session.brief else "",
        params=session.params,
        soft_cap=session.soft_cap_microcredits,
        hard_cap=session.hard_cap_microcredits,
        previous=session.previous.code if session.previous else None,
    )
    with transaction.atomic():
        return start_session(actor, create_session(actor, session.project, new), dispatch=dispatch, fresh=fresh)


def continue_session(actor: Actor, session: Session, *, dispatch: bool = True) -> Session:
    """Let a session that waits at its soft cap go on; the hard cap stays."""
    with transaction.atomic():
        waiting_for = session.waiting_for
        swap_status(session, "answer", waiting_for="", soft_cap_microcredits=None, started_at=Now())
        append(session, [Draft("session.answered", {"by": actor.user_id, "waiting_for": waiting_for})])
        if dispatch:
            outbox.post("dispatch", session=session.pk)
    session.refresh_from_db()
    return session


def retry_session(actor: Actor, session: Session, *, dispatch: bool = True) -> Session:
    """Queue an ended session again. Everything that was paid for is kept; only what has no answer is asked."""
    check_start(session)
    check_caps(session)
    with transaction.atomic():
        swap_status(
            session,
            "retry",
            phase=KINDS[session.kind].first_phase,
            generation=F("generation") + 1,
            recoveries=0,
            outcome="",
            reason="",
            finished_at=None,
            started_at=Now(),
            engine=settings.CRUCIBLE_ENGINE if dispatch else "direct",
        )
        session.refresh_from_db()
        missing = list(session.participants.filter(state="missing").values_list("letter", flat=True))
        retried = {"by": actor.user_id, "generation": session.generation, "missing": missing}
        append(session, [Draft("session.retried", retried)])
        if dispatch:
            outbox.post("dispatch", session=session.pk)
    session.refresh_from_db()
    return session


def stop_session(actor: Actor, session: Session) -> Session:
    """End a session now. What was answered is kept; calls in flight are given up and not charged. A later phase is
    halted: the result of the first stands."""
    with transaction.atomic():
        locked = Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        later = locked.phase not in FIRST_PHASES
        ended = {"owner": "", "lease_until": None, "waiting_for": "", "finished_at": timezone.now()}
        swap_status(session, "halt" if later else "stop", fence=F("fence") + 1, **ended)
        in_flight = Attempt.objects.filter(session=session, state="running").update(
            state="lost", error_code="stopped", finished_at=timezone.now()
        )
        stopped = Draft("session.cancelled", {"by": actor.user_id, "in_flight": in_flight})
        if later:
            result = {"outcome": locked.outcome, "reason": locked.reason, "cost_microcredits": locked.cost_microcredits}
            stopped = Draft("session.completed", {**result, "problem": "stopped"})
        else:
            outbox.post("announce", session=session.pk, cause=str(uuid.uuid4()), what="stopped")
        append(session, [stopped])
        transaction.on_commit(lambda: live.look(session.code))
    session.refresh_from_db()
    return session


def swap_status(session: Session, trigger: str, **fields: Any) -> None:
    """Compare-and-swap of the status, with other fields, in the row and then on `session`. Raises Refused with what it
    is now."""
    allowed = sources_of(trigger)
    to = after(allowed[0], trigger)
    if not Session.objects.filter(pk=session.pk, status__in=allowed, deleted_at=None).update(status=to, **fields):
        now = Session.objects.values_list("status", flat=True).get(pk=session.pk)
        raise Refused("wrong_state", f"This session is {now}: it cannot {trigger} now. Reload to see it as it is.", 409)
    for name, value in {"status": to, **fields}.items():
        if hasattr(value, "resolve_expression"):
            vars(session).pop(name, None)  # the database computed it: Django reads it when it is asked for
        else:
            setattr(session, name, value)
