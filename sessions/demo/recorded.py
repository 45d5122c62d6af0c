"""Finished demo sessions: recorded once at real pace, loaded into every new installation.

A recording holds the rows of one session as JSON. Loading shifts its times to end at `ended`, gives it to the local
owner and chains its log anew, since times and people are part of the chain. Codes and ids stay, so links to a demo
session are the same everywhere.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson
from django.db import models, transaction

from sessions.events import link
from sessions.models import (
    Artifact,
    ArtifactVersion,
    Attempt,
    Attestation,
    Certificate,
    Content,
    Event,
    Finding,
    Participant,
    Position,
    Project,
    Report,
    Round,
    Session,
    SessionSource,
    Step,
)
from sessions.people import User

RECORDINGS = Path(__file__).parent / "recordings"
# Contents before what names them, reports before findings; a Report's finding is set by its own row.
TABLES: tuple[type[models.Model], ...] = (
    Content, Participant, SessionSource, Step, Attempt, Report, Finding, Attestation, Certificate,
    Round, Position, Event,
)  # fmt: skip
OWN = frozenset({"project_id", "session_id", "created_by_id", "owner", "lease_until", "id"})


def record(session: Session) -> bytes:
    """The recording of a finished session."""
    tables = {model.__name__: [_row(row) for row in _rows(model, session)] for model in TABLES}
    whole = {"session": _row(session), "tables": tables, "decision": _decision(session)}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def load(project: Project, owner: User, recording: bytes, ended: datetime) -> Session:
    """Bring a recording into `project`, unless it is there."""
    found = orjson.loads(recording)
    code = UUID(found["session"]["code"])
    if there := Session.objects.filter(code=code).first():
        return there
    shift = ended - _time(found["session"]["finished_at"])
    with transaction.atomic():
        fields = _fields(Session, found["session"], shift)
        artifact = _decided(project, owner, code, found.get("decision"))
        later = {name: fields.pop(name) for name in ("brief_id", "spec_id", "summary_id")}
        fields["decision_id"] = artifact and artifact.pk
        session = Session.objects.create(project=project, created_by=owner, **fields)
        Session.objects.filter(pk=session.pk).update(created_at=fields["created_at"])
        for model in TABLES:
            rows = [_fields(model, row, shift) for row in found["tables"].get(model.__name__, ())]
            if model is Event:
                here = {"by": owner.pk} | ({"artifact": artifact.pk} if artifact else {})
                rows = list(_chained(rows, here))
            model._default_manager.bulk_create([model(**_owned(model, row, project, session)) for row in rows])
        if artifact:
            versions = [_fields(ArtifactVersion, row, shift) for row in found["decision"]["versions"]]
            ArtifactVersion.objects.bulk_create(
                [ArtifactVersion(**row | {"artifact_id": artifact.pk}) for row in versions]
            )
        head = Event.objects.filter(session=session).order_by("-seq").values_list("digest", flat=True)[0]
        Session.objects.filter(pk=session.pk).update(chain_head=head, **later)
    session.refresh_from_db()
    return session


def _decision(session: Session) -> dict[str, Any] | None:
    """The artifact that a deliberation's decision is a version of."""
    artifact = session.decision
    if artifact is None:
        return None
    return {"name": artifact.name, "versions": [_row(version) for version in artifact.versions.order_by("number")]}


def _decided(project: Project, owner: User, session_code: UUID, found: dict[str, Any] | None) -> Artifact | None:
    if found is None:
        return None
    known = {"code": uuid5(session_code, "decision"), "name": found["name"], "kind": "document"}
    return Artifact.objects.create(project=project, created_by=owner, **known)


def _rows(model: type[models.Model], session: Session) -> Iterable[models.Model]:
    return model._default_manager.filter(session=session).order_by("pk")


def _row(row: models.Model) -> dict[str, Any]:
    """Its columns, without who owns it here and without numbers the database gave."""
    left = OWN - {"id"} if isinstance(row._meta.pk, models.UUIDField) else OWN
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname not in left
    }


def _fields(model: type[models.Model], row: dict[str, Any], shift: timedelta) -> dict[str, Any]:
    """A stored row with its types back and its times shifted."""
    fields: dict[str, Any] = {}
    for name, value in row.items():
        field = model._meta.get_field(name)
        timed = isinstance(field, models.DateTimeField) and value is not None
        fields[name] = _time(value) + shift if timed else value
    return fields


def _chained(rows: Iterable[dict[str, Any]], here: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """`here` are the numbers that people and artifacts have in this installation."""
    head = ""
    for row in rows:
        data = row["data"] | {name: pk for name, pk in here.items() if name in row["data"]}
        head = link(head, row["seq"], row["kind"], row["at"], data)
        yield {**row, "data": data, "digest": head}


def _owned(model: type[models.Model], row: dict[str, Any], project: Project, session: Session) -> dict[str, Any]:
    return {**row, "session": session, **({"project": project} if model is Content else {})}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
