"""System checks: what would otherwise fail at three in the morning."""

import sys
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register, run_checks  # noqa: A004
from django.db import OperationalError, connections

from sessions import append_only, vault
from sessions.certificates import signing
from sessions.execution import ENGINES
from sessions.kinds import KINDS

ENVIRONMENT = "environment"
"""Tag of the checks that ask whether the environment makes sense. They are cheap: every process that serves or works
runs them before it does anything, and leaves the others to `manage.py check`."""


def require_sound_environment() -> None:
    """For a process that is no Django command (those name the tag): end it, with a sentence for each failed check."""
    if found := run_checks(tags=[ENVIRONMENT]):
        sys.exit("\n".join(str(message.msg) for message in found))


@register(ENVIRONMENT)
def environment_can_be_read(**_: Any) -> list[CheckMessage]:
    return [Error(sentence, id="crucible.E004") for sentence in settings.CRUCIBLE_COMPLAINTS]


@register(ENVIRONMENT)
def engine_is_known(**_: Any) -> list[CheckMessage]:
    if settings.CRUCIBLE_ENGINE in ENGINES:
        return []
    return [Error(f"CRUCIBLE_ENGINE must be one of {', '.join(ENGINES)}.", id="crucible.E002")]


@register(ENVIRONMENT)
def keyring_has_a_secret(**_: Any) -> list[CheckMessage]:
    if vault.keyring():
        return []
    return [Error("CRUCIBLE_KEYRING (or provider-keys.key) holds no secret to seal with.", id="crucible.E005")]


@register(ENVIRONMENT)
def signing_key_has_a_secret(**_: Any) -> list[CheckMessage]:
    if signing.secrets():
        return []
    return [Error("CRUCIBLE_SIGNING_KEY (or certificates.key) holds no secret to sign with.", id="crucible.E007")]


@register(ENVIRONMENT)
def demo_speed_is_a_number(**_: Any) -> list[CheckMessage]:
    try:
        from sessions.providers.demo import pause_factor  # reads it when it is first imported

        pause_factor()
    except ValueError as error:
        return [Error(f"{error}.", id="crucible.E006")]
    return []


@register()
def kinds_can_be_loaded(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for kind in KINDS.values():
        try:
            kind.load_params(), kind.load_prepare()
            for phase in kind.phases.values():
                phase.load_pattern(), phase.load_thaw()
        except ImportError as error:
            found.append(Error(f"Kind {kind.key!r} names something that is not there: {error}", id="crucible.E001"))
    return found


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
