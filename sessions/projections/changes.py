"""An event as projections see it, and the changes of rows that follow."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from sessions.models import Participant


@dataclass(frozen=True, slots=True)
class Put:
    """Insert the row, or overwrite its fields when it is there."""

    model: type[models.Model]
    pk: Any
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """Set fields of one existing row. `by` names the columns that find it."""

    model: type[models.Model]
    by: dict[str, Any]
    fields: dict[str, Any]


Change = Put | Patch


@dataclass(frozen=True, slots=True)
class Occurred:
    """An event as projections see it."""

    session_id: int
    session_code: uuid.UUID
    kind: str
    data: dict[str, Any]
    at: datetime


def seat(event: Occurred, state: str, **fields: Any) -> Patch:
    """The instance that the event is about, in its new state."""
    by = {"session_id": event.session_id, "letter": event.data["letter"]}
    return Patch(Participant, by, {"state": state, "state_at": event.at, **fields})
