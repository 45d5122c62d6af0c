"""The life of a session as people move it: create, start, continue, stop, retry.

A status changes by compare-and-swap against the table in `sessions.states`; whoever loses the race is told who won.
"""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pydantic import ValidationError

from sessions import live, outbox
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.log import append
from sessions.engine.text import storable
from sessions.events import digest_of, text_ref
from sessions.kinds import KINDS
from sessions.models import ArtifactVersion, Attempt, Content, Participant, Project, Session, SessionSource
from sessions.models.ids import uuid7
from sessions.seats import Seat, check_seats, letters
from sessions.specs import freeze
from sessions.states import after, sources_of
from sessions.writer import Draft

MAX_SOURCES = 50
MAX_SOURCE_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session is made of. `context` versions are read, not judged. Caps are micro-credits.
    `nonce_seed` (hex) is drawn unless a recorded demo fixes it."""

    kind: str
    seats: list[Seat]
    versions: list[ArtifactVersion]
    context: list[ArtifactVersion] = field(default_factory=list)
    title: str = ""
    brief: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    soft_cap: int | None = None
    hard_cap: int | None = None
    nonce_seed: str = ""


def create_session(actor: Actor, project: Project, new: NewSession) -> Session:
    """A draft. Raises Refused."""
    params = _check_params(new)
    models = check_seats(new.seats)
    _check_sources(project, [*new.versions, *new.context])
    with transaction.atomic():
        session = Session.objects.create(
            project=project,
            kind=new.kind,
            title=storable(new.title or _title_for(new)).strip()[:160],
            params=params,
            soft_cap_microcredits=new.soft_cap,
            hard_cap_microcredits=new.hard_cap,
            nonce_seed=new.nonce_seed or secrets.token_hex(32),
            created_by=actor.user,
        )
        if new.brief.strip():
            session.brief = add_text(project, session, "request", new.brief.strip())
            session.save(update_fields=["brief"])
        seats = [
            Participant(
                session=session,
                letter=letter,
                name=storable(seat.name),
                role=seat.role,
                language_model=models[seat.model_id],
                temperature=None if seat.temperature is None else str(seat.temperature),
                focus=storable(seat.focus),
                simulated=models[seat.model_id].simulated,
            )
            for letter, seat in zip(letters(len(new.seats)), new.seats, strict=True)
        ]
        Participant.objects.bulk_create(seats)
        judged = [(version, False) for version in new.versions]
        read = [(version, True) for version in new.context]
        SessionSource.objects.bulk_create(
            SessionSource(session=session, version=version, position=position, context=context)
            for position, (version, context) in enumerate([*judged, *read])
        )
        append(session, [Draft("session.created", _created(actor, session, seats, new))])
    return session


def start_session(actor: Actor, session: Session, *, dispatch: bool = True) -> Session:
    """Queue a draft. With `dispatch` off the caller drives it itself. Raises Refused when it is not a draft."""
    with transaction.atomic():
        _swap(session, "start", engine=settings.CRUCIBLE_ENGINE if dispatch else "direct", started_at=Now())
        spec = add_text(session.project, session, "spec", freeze(session))
        Session.objects.filter(pk=session.pk).update(spec=spec)
        _started(actor, session, spec, dispatch)
    session.refresh_from_db()
    return session


def continue_session(actor: Actor, session: Session, *, dispatch: bool = True) -> Session:
    """Let a session that waits at its soft cap go on; the hard cap stays."""
    with transaction.atomic():
        waiting_for = session.waiting_for
        _swap(session, "answer", waiting_for="", soft_cap_microcredits=None, started_at=Now())
        append(session, [Draft("session.answered", {"by": actor.user_id, "waiting_for": waiting_for})])
        if dispatch:
            outbox.post("dispatch", session=session.pk)
    session.refresh_from_db()
    return session


def retry_session(actor: Actor, session: Session, *, dispatch: bool = True) -> Session:
    """Queue an ended session again. Everything that was paid for is kept; only what has no answer is asked."""
    with transaction.atomic():
        _swap(
            session,
            "retry",
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
    """End a session now. What was answered is kept; calls in flight are given up and not charged."""
    with transaction.atomic():
        ended = {"owner": "", "lease_until": None, "waiting_for": "", "finished_at": timezone.now()}
        _swap(session, "stop", fence=F("fence") + 1, **ended)
        in_flight = Attempt.objects.filter(session=session, state="running").update(
            state="lost", error_code="stopped", finished_at=timezone.now()
        )
        append(session, [Draft("session.cancelled", {"by": actor.user_id, "in_flight": in_flight})])
        transaction.on_commit(lambda: live.look(session.code))
    session.refresh_from_db()
    return session


def add_text(project: Project, session: Session | None, kind: str, words: str) -> Content:
    """A new erasable row for `words`, without what no database takes."""
    words = storable(words)
    size = len(words.encode("utf-8", "replace"))
    return Content.objects.create(
        pk=uuid7(), project=project, session=session, kind=kind, text=words, digest=digest_of(words), size=size
    )


def _swap(session: Session, trigger: str, **fields: Any) -> None:
    """Compare-and-swap of the status. Raises Refused with what it is now."""
    allowed = sources_of(trigger)
    to = after(allowed[0], trigger)
    if not Session.objects.filter(pk=session.pk, status__in=allowed, deleted_at=None).update(status=to, **fields):
        now = Session.objects.values_list("status", flat=True).get(pk=session.pk)
        raise Refused("wrong_state", f"This session is {now}: it cannot {trigger} now. Reload to see it as it is.", 409)


def _started(actor: Actor, session: Session, spec: Content, dispatch: bool) -> None:
    engine = settings.CRUCIBLE_ENGINE if dispatch else "direct"
    data = {"by": actor.user_id, "engine": engine, "spec": text_ref(spec.pk, spec.digest), "generation": 0}
    append(session, [Draft("session.started", data)])
    if dispatch:
        outbox.post("dispatch", session=session.pk)


def _created(actor: Actor, session: Session, seats: Sequence[Participant], new: NewSession) -> dict[str, Any]:
    return {
        "kind": session.kind,
        "by": actor.user_id,
        "seats": [
            {
                "id": seat.pk,
                "letter": seat.letter,
                "role": seat.role,
                "model_id": seat.language_model_id,
                "simulated": seat.simulated,
            }
            for seat in seats
        ],
        "sources": [version.pk for version in [*new.versions, *new.context]],
    }


def _check_params(new: NewSession) -> dict[str, Any]:
    kind = KINDS.get(new.kind)
    if kind is None:
        raise Refused("unknown_kind", f"There is no session kind {new.kind!r}. Known: {', '.join(KINDS)}.")
    for name, cap in (("soft", new.soft_cap), ("hard", new.hard_cap)):
        if cap is not None and cap < 0:
            raise Refused("bad_cap", f"The {name} cap cannot be negative.")
    try:
        params: dict[str, Any] = kind.load_params().model_validate(new.params).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "params"
        raise Refused("bad_params", f"{where}: {first['msg']}.") from None
    return params


def _check_sources(project: Project, versions: Sequence[ArtifactVersion]) -> None:
    if not versions:
        raise Refused("no_artifact", "There is nothing to review. Add at least one artifact.")
    if len(versions) > MAX_SOURCES:
        raise Refused("too_many_artifacts", f"At most {MAX_SOURCES} artifacts fit in one session.")
    if len({version.pk for version in versions}) != len(versions):
        raise Refused("artifact_twice", "The same artifact version is listed twice.")
    if any(version.artifact.project_id != project.pk or version.artifact.deleted_at for version in versions):
        raise Refused("artifact_unknown", "One of the artifacts is not in this project.", 404)
    if sum(version.content.size for version in versions) > MAX_SOURCE_BYTES:
        raise Refused("artifacts_too_large", f"Together the artifacts exceed {MAX_SOURCE_BYTES // 1_000_000} MB.")


def _title_for(new: NewSession) -> str:
    names = [version.artifact.name.rpartition("/")[2] for version in new.versions]
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{KINDS[new.kind].label} of {names[0]}{rest}"


def find_versions(project: Project, codes: Sequence[uuid.UUID]) -> list[ArtifactVersion]:
    """The newest versions of the named artifacts, in the order named. Raises Refused for one that is not there."""
    rows = ArtifactVersion.objects.filter(
        artifact__project=project, artifact__code__in=codes, artifact__deleted_at=None
    ).select_related("artifact", "content")
    newest: dict[uuid.UUID, ArtifactVersion] = {}
    for row in rows.order_by("number"):
        newest[row.artifact.code] = row
    missing = [code for code in codes if code not in newest]
    if missing:
        raise Refused("artifact_unknown", f"There is no artifact {missing[0]} in this project.", 404)
    return [newest[code] for code in codes]
