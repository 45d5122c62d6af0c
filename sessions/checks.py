"""System checks: what would otherwise fail at three in the morning."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import OperationalError, connections

from sessions import append_only
from sessions.execution import ENGINES
from sessions.kinds import KINDS


@register()
def kinds_can_be_loaded(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for kind in KINDS.values():
        try:
            kind.load_pattern(), kind.load_thaw(), kind.load_params()
        except ImportError as error:
            found.append(Error(f"Kind {kind.key!r} names something that is not there: {error}", id="crucible.E001"))
    return found


@register()
def engine_is_known(**_: Any) -> list[CheckMessage]:
    if settings.CRUCIBLE_ENGINE in ENGINES:
        return []
    return [Error(f"CRUCIBLE_ENGINE must be one of {', '.join(ENGINES)}.", id="crucible.E002")]


@register(Tags.database)
def append_only_triggers_stand(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            gone = append_only.missing(connections[alias])
        except OperationalError:
            continue
        found += [
            Error(f"{table} has lost its append-only triggers: run migrate.", id="crucible.E003") for table in gone
        ]
    return found


@register(Tags.security, deploy=True)
def hosts_are_named(**_: Any) -> list[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        return [Warning("ALLOWED_HOSTS must name hosts; sockets refuse every origin otherwise.", id="crucible.W001")]
    return []
