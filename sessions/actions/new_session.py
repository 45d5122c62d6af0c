"""The making of a session: what it is made of, checked, and written down as a draft."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from pydantic import ValidationError

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.log import append
from sessions.actions.projects import keep_open
from sessions.actions.texts import add_text
from sessions.engine.text import storable
from sessions.forks import Fork, Placed
from sessions.kinds import KINDS
from sessions.models import ArtifactVersion, LanguageModel, Participant, Project, Session, SessionSource
from sessions.queries.estimate import estimate_of
from sessions.seats import Seat, check_seats, known_models, letters
from sessions.writer import Draft

MAX_SOURCES = 50
MAX_SOURCE_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session is made of. `context` versions are read, not judged. Caps are micro-credits.
    `nonce_seed` (hex) is drawn unless a recorded demo fixes it. `previous` is the code of a session of the project that
    this one continues with a new version; `settles` a review whose answers are this one's first round; `fork` what this
    one takes from the session it is a fork of."""

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
    fork: Fork | None = None

    @property
    def reuses(self) -> Session | None:
        """The session whose answers are taken."""
        return self.fork.recorded if self.fork else self.settles

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Everybody with a letter: in the order given, unless a fork says more."""
        seated = zip(letters(len(self.seats)), self.seats, strict=True)
        return self.fork.placed if self.fork else tuple(Placed(letter, seat) for letter, seat in seated)


def create_session(actor: Actor, project: Project, new: NewSession) -> Session:
    """A draft. Raises Refused."""
    params = params_for(project, new.kind, new.params)
    if params.get("only") and new.reuses is None:
        raise Refused("not_settling", "`only` names findings of a review that is settled. Settle the review instead.")
    _check_caps(new)
    models = check_seats(new.seats, project)
    if new.fork:
        models |= known_models([one.seat for one in new.placed])
    _check_sources(project, [*new.versions, *new.context])
    with transaction.atomic():
        keep_open(project)
        session = _add_session(actor, project, new, params)
        seats = _add_seats(session, new.placed, models)
        _add_sources(session, new)
        forked = [Draft("session.forked", new.fork.said())] if new.fork else []
        append(session, [Draft("session.created", _created(actor, session, seats, new)), *forked])
        session.estimate = estimate_of(session, new.fork)
        session.save(update_fields=["estimate"])
    return session


def _add_session(actor: Actor, project: Project, new: NewSession, params: dict[str, Any]) -> Session:
    """The row of the session, with its brief."""
    session = Session.objects.create(
        project=project,
        kind=new.kind,
        phase=KINDS[new.kind].first_phase,
        title=title_of(new),
        params=params,
        soft_cap_microcredits=new.soft_cap,
        hard_cap_microcredits=new.hard_cap,
        nonce_seed=new.reuses.nonce_seed if new.reuses else new.nonce_seed or secrets.token_hex(32),
        reuses=new.reuses,
        fork_round=new.fork.taken if new.fork else None,
        previous=_previous(project, new),
        created_by_id=actor.user_id,
    )
    if new.brief.strip():
        session.brief = add_text(project, session, "request", new.brief.strip())
        session.save(update_fields=["brief"])
    return session


def _add_seats(session: Session, placed: Sequence[Placed], models: Mapping[str, LanguageModel]) -> list[Participant]:
    """The instances; `models` by id."""
    rows = [
        Participant(
            session=session,
            letter=one.letter,
            name=storable(one.seat.name),
            role=one.seat.role,
            language_model=models[one.seat.model_id],
            fallback=models.get(one.seat.fallback),
            temperature=None if one.seat.temperature is None else str(one.seat.temperature),
            focus=storable(one.seat.focus),
            simulated=models[one.seat.model_id].simulated,
            first_round=one.first_round,
            last_round=one.last_round,
        )
        for one in placed
    ]
    return Participant.objects.bulk_create(rows)


def _add_sources(session: Session, new: NewSession) -> None:
    """What is judged, and after it what is only read."""
    judged = [(version, False) for version in new.versions]
    read = [(version, True) for version in new.context]
    SessionSource.objects.bulk_create(
        SessionSource(session=session, version=version, position=position, context=context)
        for position, (version, context) in enumerate([*judged, *read])
    )


def _previous(project: Project, new: NewSession) -> Session | None:
    if new.previous is None:
        return None
    found = Session.objects.filter(project=project, code=new.previous, kind=new.kind, deleted_at=None).first()
    if found is None:
        raise Refused("previous_unknown", "There is no such session in this project to go on from.", 404)
    return found


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
                "fallback": seat.fallback_id or "",
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
