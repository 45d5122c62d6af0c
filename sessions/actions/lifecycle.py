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
from django.db.models import BigAutoField, CharField, F
from django.db.models.functions import Now
from django.utils import timezone
from pydantic import ValidationError

from sessions import live, outbox
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.log import append
from sessions.actions.projects import keep_open
from sessions.caps import check_caps
from sessions.catalog.best import check_start
from sessions.compiled import Compiled, Given
from sessions.engine.names import clean_name
from sessions.engine.text import storable
from sessions.events import digest_of, text_ref
from sessions.kinds import FIRST_PHASES, KINDS
from sessions.models import Artifact, ArtifactVersion, Attempt, Content, Participant, Project, Session, SessionSource
from sessions.models.ids import uuid7
from sessions.projections import Put
from sessions.queries.estimate import estimate_of
from sessions.seats import Seat, check_seats, letters
from sessions.specs import freeze
from sessions.states import after, sources_of
from sessions.writer import Draft

MAX_SOURCES = 50
MAX_SOURCE_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session is made of. `context` versions are read, not judged. Caps are micro-credits.
    `nonce_seed` (hex) is drawn unless a recorded demo fixes it. `previous` is the code of a session of the project that
    this one continues with a new version; `settles` a review whose answers are this one's first round."""

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
    previous: uuid.UUID | None = None
    settles: Session | None = None


def create_session(actor: Actor, project: Project, new: NewSession) -> Session:
    """A draft. Raises Refused."""
    params = params_for(project, new.kind, new.params)
    if params.get("only") and new.settles is None:
        raise Refused("not_settling", "`only` names findings of a review that is settled. Settle the review instead.")
    _check_caps(new)
    models = check_seats(new.seats, project)
    _check_sources(project, [*new.versions, *new.context])
    with transaction.atomic():
        keep_open(project)
        session = Session.objects.create(
            project=project,
            kind=new.kind,
            phase=KINDS[new.kind].first_phase,
            title=title_of(new),
            params=params,
            soft_cap_microcredits=new.soft_cap,
            hard_cap_microcredits=new.hard_cap,
            nonce_seed=new.settles.nonce_seed if new.settles else new.nonce_seed or secrets.token_hex(32),
            reuses=new.settles,
            previous=_previous(project, new),
            created_by_id=actor.user_id,
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
        session.estimate = estimate_of(session)
        session.save(update_fields=["estimate"])
    return session


def start_session(actor: Actor, session: Session, *, dispatch: bool = True, fresh: bool = False) -> Session:
    """Queue a draft. With `dispatch` off the caller drives it itself. Unless `fresh`, the recorded answers of a
    completed session with the same input are taken instead of asking again; a draft that settles a review takes the
    review's. Raises Refused when it is not a draft, or when its caps could not be kept."""
    check_start(session)
    check_caps(session)
    with transaction.atomic():
        spec = _text(session.project_id, session.pk, "spec", freeze(session).text())
        digest = spec.fields["digest"]
        recorded = session.reuses or (None if fresh else _recorded(session, digest))
        reused = {"reuses_id": recorded.pk, "nonce_seed": recorded.nonce_seed} if recorded else {}
        engine = settings.CRUCIBLE_ENGINE if dispatch else "direct"
        decision = _decision_artifact(actor, session) if KINDS[session.kind].decides else None
        frozen = {"spec_id": spec.pk, "input_digest": digest, "decision_id": decision, **reused}
        swap_status(session, "start", engine=engine, started_at=Now(), **frozen)
        _started(actor, session, spec, dispatch, recorded)
    return session


def _decision_artifact(actor: Actor, session: Session) -> int:
    """What the decision will be a version of, hidden until there is one."""
    made_of = session.reuses.kind if session.reuses else session.kind
    subject = session.title.removeprefix(f"{KINDS[made_of].label} of ").removesuffix(".md")
    name = clean_name(f"Decision on {subject}.md")
    artifact = Artifact.objects.create(
        project=session.project, name=name, kind="document", created_by=actor.user, deleted_at=timezone.now()
    )
    return artifact.pk


def run_again(actor: Actor, session: Session, *, dispatch: bool = True, fresh: bool = True) -> Session:
    """Start the same once more as a session of its own: texts, instances, brief, parameters and caps. `fresh` as for
    `start_session`. Raises Refused when a text or a model is not there any more."""
    rows = list(session.sources.select_related("version__artifact", "version__content"))
    seats = [
        Seat.model_validate(
            {
                "name": seat.name,
                "role": seat.role,
                "model_id": seat.language_model_id,
                "temperature": seat.temperature,
                "focus": seat.focus,
            }
        )
        for seat in session.participants.order_by("letter")
    ]
    new = NewSession(
        kind=session.kind,
        seats=seats,
        versions=[row.version for row in rows if not row.context],
        context=[row.version for row in rows if row.context],
        title=session.title,
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
        append(session, [stopped])
        transaction.on_commit(lambda: live.look(session.code))
    session.refresh_from_db()
    return session


def add_text(project: Project, session: Session | None, kind: str, words: str) -> Content:
    """A new erasable row for `words`, without what no database takes."""
    row = _text(project.pk, session.pk if session else None, kind, words)
    return Content.objects.create(pk=row.pk, **row.fields)


def _text(project_id: int, session_id: int | None, kind: str, words: str) -> Put:
    words = storable(words)
    fields = {
        "project_id": project_id,
        "session_id": session_id,
        "kind": kind,
        "text": words,
        "digest": digest_of(words),
        "size": len(words.encode("utf-8", "replace")),
    }
    return Put(Content, uuid7(), fields)


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


def _previous(project: Project, new: NewSession) -> Session | None:
    if new.previous is None:
        return None
    found = Session.objects.filter(project=project, code=new.previous, kind=new.kind, deleted_at=None).first()
    if found is None:
        raise Refused("previous_unknown", "There is no such session in this project to go on from.", 404)
    return found


def _started(actor: Actor, session: Session, spec: Put, dispatch: bool, recorded: Session | None) -> None:
    engine = settings.CRUCIBLE_ENGINE if dispatch else "direct"
    data = {"by": actor.user_id, "engine": engine, "spec": text_ref(spec.pk, spec.fields["digest"]), "generation": 0}
    reused = [Draft("session.reused", {"session": recorded.code})] if recorded else []
    append(session, [Draft("session.started", data), *reused], [spec])
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


def params_for(project: Project, key: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters as a session of kind `key` in the project keeps them. Raises Refused."""
    params = check_params(key, given)
    return KINDS[key].load_prepare()(project, params)


def check_params(key: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a session of kind `key`, with what was left out. Raises Refused."""
    kind = KINDS.get(key)
    if kind is None:
        raise Refused("unknown_kind", f"There is no session kind {key!r}. Known: {', '.join(KINDS)}.")
    try:
        params: dict[str, Any] = kind.load_params().model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "params"
        raise Refused("bad_params", f"{where}: {first['msg']}.") from None
    return params


def _check_caps(new: NewSession) -> None:
    for name, cap in (("soft", new.soft_cap), ("hard", new.hard_cap)):
        if cap is not None and cap < 0:
            raise Refused("bad_cap", f"The {name} cap cannot be negative.")


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


def title_of(new: NewSession) -> str:
    """What the session will be called: after its artifacts unless somebody gave it a title. Needs a version."""
    return storable(new.title or _title_for(new)).strip()[:160]


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
