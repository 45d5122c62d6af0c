"""A Crucible whose clock stands still, with a session in every state that pictures show: `python -m tools.stage PORT`.

Finished sessions are the recorded ones that every installation starts with, under the names of their files; the others
are the recorded review, cut off where it was at that moment. No worker runs, so nothing goes on, and no model is asked.
The first line on standard output is JSON: the addresses that pictures need, a link that signs in, and the time. A line
on standard input lets the instances of the running review say the words they had said by then.
"""

import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid5

import django
import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crucible_site.settings")
django.setup()

from django.db import transaction  # noqa: E402 - needs loaded apps
from django.utils.timesince import timeuntil  # noqa: E402

from crucible_site import embedded  # noqa: E402
from sessions import live, rows  # noqa: E402
from sessions.access import Actor  # noqa: E402
from sessions.actions import log  # noqa: E402
from sessions.actions.catalog import set_key  # noqa: E402
from sessions.actions.gates import judge_session  # noqa: E402
from sessions.actions.invitations import invite  # noqa: E402
from sessions.actions.projects import create_project, set_member  # noqa: E402
from sessions.actions.rosters import save_roster  # noqa: E402
from sessions.demo.recorded import RECORDINGS, load  # noqa: E402
from sessions.models import Event, Participant, Project, Provider, Role, Roster, Session  # noqa: E402
from sessions.people import User  # noqa: E402
from sessions.projections import Occurred, project  # noqa: E402
from sessions.seats import Seat  # noqa: E402
from sessions.seeding import OWNER_EMAIL, seed  # noqa: E402
from sessions.writer import Draft  # noqa: E402

HOST = "127.0.0.1"
NOW = datetime.fromisoformat("2026-11-20T09:30:00+00:00")
HELD = {"owner": "stage", "lease_until": NOW + timedelta(hours=1)}  # by whom a running session is
Recording = dict[str, Any]
# The last event of each: C has reported and the others are writing; all have been asked and none has answered.
RUNNING, ASKED = 13, 9
SEATS = (
    Seat(name="Lead", role="lead", model_id="claude-opus", focus="What happens on every error, and what is lost then?"),
    Seat(name="Attacker", model_id="gpt-5.2", focus="Follow everything an outsider controls to where it is used."),
    Seat(name="Reader", role="synthesizer", model_id="gemini-3.1-pro", focus="What contradicts itself or is not said?"),
)


class StoppedClock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> "StoppedClock":
        return cls.fromtimestamp(NOW.timestamp(), tz)


# Browsers have clocks of their own.
CLOCKS: dict[str, Any] = {
    "django.utils.timezone.now": lambda: NOW,
    "django.template.defaulttags.datetime": StoppedClock,
    "django.template.defaultfilters.timeuntil": lambda until, now=None: timeuntil(until, now or NOW),
    "sessions.actions.log.datetime": StoppedClock,
    "django.db.models.functions.Now.as_sqlite": lambda *_, **__: ("%s", (f"{NOW:%Y-%m-%d %H:%M:%S.000}",)),
}


def stop_clocks() -> None:
    for name, stopped in CLOCKS.items():
        patch(name, stopped).start()


def set_stage() -> dict[str, str]:
    """The sessions, people and rosters of the pictures; the addresses of those whose code is not known before."""
    demo, owner = seed(alone=True), User.objects.get(email=OWNER_EMAIL)
    assert demo is not None
    found: Recording = orjson.loads((RECORDINGS / "review.json").read_bytes())
    failed = cut(demo, owner, found, "Payment webhooks, on a busy evening", ASKED)
    lose(failed)
    running = cut(demo, owner, found, "Payment webhooks, after the rewrite", RUNNING)
    people(demo, owner)
    codes = {path.stem: _code(path) for path in RECORDINGS.glob("*.json")}
    judge_session(Actor(owner), Session.objects.get(code=codes["divergence"]), "standard")
    return {
        **{name: f"/sessions/{code}/" for name, code in codes.items()},
        "failed": f"/sessions/{failed.code}/",
        "running": f"/sessions/{running.code}/",
        "roster": f"/rosters/{three_makers(demo).code}/",
    }


def _code(recording: Path) -> str:
    return str(orjson.loads(recording.read_bytes())["session"]["code"])


def cut(demo: Project, owner: User, found: Recording, title: str, last: int) -> Session:
    """The recorded session as it was after event `last`, under ids of its own."""
    told = next(row["at"] for row in found["tables"]["Event"] if row["seq"] == last)
    tables = {name: [row for row in table if _before(row, told)] for name, table in found["tables"].items()}
    steps = {step["id"] for step in tables["Step"]}
    tables["Attempt"] = [row for row in tables["Attempt"] if row["step_id"] in steps]
    tables |= {"Report": [], "Finding": []}  # they follow from the events
    cost = sum(row["cost_microcredits"] or 0 for row in tables["Attempt"])
    then = {"title": title, "summary_id": None, "cost_microcredits": cost, "next_seq": last + 1}
    recording = _renamed({"session": found["session"] | then, "tables": tables}, title)
    age = datetime.fromisoformat(found["session"]["finished_at"]) - datetime.fromisoformat(told)
    session = load(demo, owner, recording, ended=NOW + age)
    Session.objects.filter(pk=session.pk).update(status="running", finished_at=None, **HELD)
    Participant.objects.filter(session=session).update(state="waiting", state_at=session.started_at)
    with transaction.atomic():
        for row in Event.objects.filter(session=session).order_by("seq"):
            rows.apply(project(Occurred(session.pk, session.code, row.kind, row.data, row.at)))
    session.refresh_from_db()
    return session


def _before(row: dict[str, Any], told: str) -> bool:
    """Whether the row was there at that time; what has no time was there from the beginning."""
    moments = [row[name] for name in ("at", "finished_at") if row.get(name)]
    return not moments or max(moments) <= told


def _renamed(recording: Recording, name: str) -> bytes:
    """With ids derived from the recorded ones: ids are the database's keys, and the recording is in it already."""
    text = orjson.dumps(recording).decode()
    own = [row["id"] for table in recording["tables"].values() for row in table if isinstance(row.get("id"), str)]
    for old in (recording["session"]["code"], *own):
        text = text.replace(old, str(uuid5(UUID(old), name)))
    return text.encode()


def lose(session: Session) -> None:
    """Nobody answers, and the session fails of it."""
    missing = [Draft("instance.missing", {"letter": letter, "code": "timeout_first_byte"}) for letter in "ABC"]
    failed = Draft("session.failed", {"code": "no_answers", "cost_microcredits": session.cost_microcredits})
    with transaction.atomic():
        log.append(session, [*missing, failed])
        ended = {"status": "failed", "reason": "no_answers", "finished_at": NOW, "owner": "", "lease_until": None}
        Session.objects.filter(pk=session.pk).update(**ended)


def people(demo: Project, owner: User) -> None:
    """A colleague, an invitation on its way, and a project in which nothing has happened."""
    mira = User.objects.create_user("mira@example.org", None, name="Mira Holm")
    set_member(Actor(owner), demo, mira, Role.MODERATOR)
    invite(Actor(owner), demo, Role.MEMBER, "jon@example.org", days=7)
    create_project(owner, "Paper mill")


def three_makers(demo: Project) -> Roster:
    """A roster of three makers' models. Their providers get something in the place of a key; nobody is asked."""
    for provider in Provider.objects.filter(language_models__in=[seat.model_id for seat in SEATS]).distinct():
        set_key(provider, "not-a-key-at-all")
    return save_roster(demo, "Before launch", list(SEATS))


def speak(code: UUID) -> None:
    """What A and B have written by now reaches the pages that are open."""
    found = orjson.loads((RECORDINGS / "review.json").read_bytes())["tables"]
    answers = {step["letter"]: step["output_id"] for step in found["Step"] if step["path"].startswith("review/")}
    texts = {row["id"]: row["text"] for row in found["Content"]}
    for letter, share in {"A": 0.6, "B": 0.4}.items():
        text = texts[answers[letter]]
        live.delta(code, letter, text[: int(len(text) * share)])


def listen(code: UUID) -> Callable[[], None]:
    def lines() -> None:
        for _ in sys.stdin:
            speak(code)

    return lines


def main(port: int) -> None:
    stop_clocks()
    embedded.name_cookies(port)
    embedded.prepare(lambda _: None)
    addresses = set_stage()
    from crucible_site.asgi import application
    from crucible_site.server import serve_forever

    running = UUID(addresses["running"].split("/")[2])
    threading.Thread(target=listen(running), daemon=True).start()
    told = orjson.dumps({**addresses, "link": embedded.owner_link(HOST, port), "now": NOW.isoformat()}).decode()
    serve_forever(application, f"tcp:{port}:interface={HOST}", lambda: print(told, flush=True))


if __name__ == "__main__":
    main(int(sys.argv[1]))
