"""A stretch of the log folded into rows that stand nowhere but here: what the tables held after its last event."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import models

from sessions.models import Event
from sessions.projections import Change, Occurred, Put, project

Folded = dict[tuple[Any, ...], dict[str, Any]]
"""By model and the columns that find a row, as (name, value): its fields."""


def fold(session_id: int, session_code: uuid.UUID, events: Iterable[Event]) -> Folded:
    """`events` are those of one session from its first on, in order."""
    folded: Folded = defaultdict(dict)
    for event in events:
        for change in project(Occurred(session_id, session_code, event.kind, event.data, event.at)):
            folded[_row_of(change)].update(change.fields)
    return folded


def rows_of(folded: Folded, model: type[models.Model]) -> list[dict[str, Any]]:
    """The rows of one model, with the columns that find them, in the order in which they came up."""
    return [dict(by) | fields for (kind, *by), fields in folded.items() if kind is model]


def _row_of(change: Change) -> tuple[Any, ...]:
    if isinstance(change, Put):
        return change.model, ("id", change.pk)
    return change.model, *change.by.items()
