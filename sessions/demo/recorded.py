"""Finished demo sessions: recorded once at real pace, loaded into every new installation.

A recording holds the rows of one session as JSON. Loading shifts its times to end at `ended`, gives it to the local
owner and chains its log anew, since times and people are part of the chain. Codes and ids stay, so links to a demo
session are the same everywhere.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.db import models, transaction

from sessions.events import link
from sessions.models import (
    Attempt,
    Content,
    Event,
    Finding,
    Participant,
    Project,
    Report,
    Session,
    SessionSource,
    Step,
)
from sessions.people import User

RECORDINGS = Path(__file__).parent / "recordings"
# Contents before what names them, reports before findings; a Report's finding is set by its own row.
TABLES: tuple[type[models.Model], ...] = (
    Content, Participant, SessionSource, Step, Attempt, Report, Finding, Event,
)  # fmt: skip
OWN = frozenset({"project_id", "session_id", "created_by_id", "owner", "lease_until", "id"})


def record(session: Session) -> bytes:
    """The recording of a finished session."""
    tables = {model.__name__: [_row(row) for row in _rows(model, session)] for model in TABLES}
    return orjson.dumps({"session": _row(session), "tables": tables}, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def load(project: Project, owner: User, recording: bytes, ended: datetime) -> Session:
    """Bring a recording into `project`, unless it is there."""
    found = orjson.loads(recording)
    code = UUID(found["session"]["code"])
    if there := Session.objects.filter(code=code).first():
        return there
    shift = ended - _time(found["session"]["finished_at"])
    with transaction.atomic():
        fields = _fields(Session, found["session"], shift)
        later = {name: fields.pop(name) for name in ("brief_id", "spec_id", "summary_id")}
        session = Session.objects.create(project=project, created_by=owner, **fields)
        Session.objects.filter(pk=session.pk).update(created_at=fields["created_at"])
        for model in TABLES:
            rows = [_fields(model, row, shift) for row in found["tables"][model.__name__]]
            if model is Event:
                rows = list(_chained(rows, owner))
            model._default_manager.bulk_create([model(**_owned(model, row, project, session)) for row in rows])
        head = Event.objects.filter(session=session).order_by("-seq").values_list("digest", flat=True)[0]
        Session.objects.filter(pk=session.pk).update(chain_head=head, **later)
    session.refresh_from_db()
    return session


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


def _chained(rows: Iterable[dict[str, Any]], owner: User) -> Iterable[dict[str, Any]]:
    head = ""
    for row in rows:
        data = {**row["data"], "by": owner.pk} if "by" in row["data"] else row["data"]
        head = link(head, row["seq"], row["kind"], row["at"], data)
        yield {**row, "data": data, "digest": head}


def _owned(model: type[models.Model], row: dict[str, Any], project: Project, session: Session) -> dict[str, Any]:
    return {**row, "session": session, **({"project": project} if model is Content else {})}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
