"""What no API does, for one stack: prepare a database, add models, check invariants. Reads one JSON line
`[command, arguments]` after the other and answers each with `{"done": ...}` or `{"failed": ...}`: `stack.Console` asks.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import close_old_connections, transaction  # noqa: E402 - needs loaded apps
from django.db.models import F  # noqa: E402

from crucible_site import embedded  # noqa: E402
from crucible_site.models import User  # noqa: E402
from sessions.access import Actor  # noqa: E402
from sessions.actions.catalog import NewModel, add_model  # noqa: E402
from sessions.actions.lifecycle import start_session  # noqa: E402
from sessions.actions.new_session import NewSession, create_session  # noqa: E402
from sessions.actions.projects import create_api_key  # noqa: E402
from sessions.actions.repositories import set_repository  # noqa: E402
from sessions.actions.rosters import default_seats  # noqa: E402
from sessions.invariants import violations  # noqa: E402
from sessions.models import ArtifactVersion, Attempt, LanguageModel, Project, Session  # noqa: E402
from sessions.seeding import OWNER_EMAIL  # noqa: E402
from sessions.states import AT_REST  # noqa: E402


def prepare() -> None:
    embedded.prepare(lambda line: None)


def key() -> str:
    owner = User.objects.get(email=OWNER_EMAIL)
    return create_api_key(Actor(owner), Project.objects.get(slug="demo"), "e2e", ["read", "write", "manage"])[1]


def link(port: int) -> str:
    return embedded.owner_link("127.0.0.1", port)


def model(**fields: Any) -> None:
    add_model(NewModel(**fields))


def repository(**fields: str) -> None:
    """Where the project's pull requests come from."""
    owner, project = User.objects.get(email=OWNER_EMAIL), Project.objects.get(slug="demo")
    set_repository(Actor(owner), project, **fields)


def switch_off(model_id: str) -> None:
    LanguageModel.objects.filter(pk=model_id).update(enabled=False)


def queue() -> str:
    """A review that is due, and that nobody was told of."""
    actor, project = Actor(User.objects.get(email=OWNER_EMAIL)), Project.objects.get(slug="demo")
    new = NewSession("review", default_seats(), [ArtifactVersion.objects.filter(artifact__project=project)[0]])
    return str(start_session(actor, create_session(actor, project, new), dispatch=False).code)


def status(code: str) -> str:
    return Session.objects.get(code=code).status


def attempts(model_ids: list[str]) -> int:
    return Attempt.objects.filter(model_id__in=model_ids).count()


def holders(codes: list[str]) -> dict[str, int]:
    """The process that holds each session's lease, by session."""
    held = Session.objects.filter(code__in=codes, status="running").values_list("code", "owner")
    return {str(code): int(owner.split(":")[-2]) for code, owner in held}


def hold(code: str) -> None:
    """Stop in the middle of a transaction that has locked the session's row, as a worker may be stopped."""
    with transaction.atomic():
        Session.objects.filter(code=code).update(title=F("title"))
        os.kill(os.getpid(), signal.SIGSTOP)


_checked: dict[int, int] = {}


def violated() -> list[str]:
    """What does not hold for the sessions that came to rest since this was asked. Those that run change under the eyes
    of a reader."""
    at_rest = dict(Session.objects.filter(status__in=AT_REST).values_list("pk", "next_seq"))
    new = [pk for pk, next_seq in at_rest.items() if _checked.get(pk) != next_seq]
    _checked.update(at_rest)
    return violations(Session.objects.filter(pk__in=new))


COMMANDS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        prepare,
        key,
        link,
        model,
        repository,
        switch_off,
        queue,
        status,
        attempts,
        holders,
        hold,
        violated,
        violations,
    )
}


def answer(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": COMMANDS[command](**arguments)}
    except Exception as error:  # noqa: BLE001 - the test that asked is told
        return {"failed": repr(error)}


def main() -> None:
    for line in sys.stdin:
        close_old_connections()
        print(json.dumps(answer(*json.loads(line))), flush=True)
    close_old_connections()


if __name__ == "__main__":
    main()
