"""`record_demo [NAME...]`: run the shipped demo sessions at real pace and keep them as recordings. For those who change
the demo."""

from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.access import Actor
from sessions.actions.lifecycle import start_session
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.rosters import seats_of_models
from sessions.demo.personas import (
    AGREEING_SEED,
    CERTIFICATION_SEED,
    CONVERGING_SEED,
    DEFAULT_ROSTER,
    DEMO_SEED,
    DIVERGING_SEED,
)
from sessions.demo.recorded import RECORDINGS, record
from sessions.models import ArtifactVersion, Project, Session
from sessions.people import User
from sessions.seeding import OWNER_EMAIL, seed
from sessions.worker import stop_worker, worker


@dataclass(frozen=True, slots=True)
class Demo:
    kind: str
    artifact: str
    title: str
    brief: str
    seed: str
    models: tuple[str, ...] = DEFAULT_ROSTER
    params: dict[str, Any] = field(default_factory=dict)


DEMOS = {
    "review": Demo(
        "review",
        "payment_webhooks.py",
        "Payment webhooks before launch",
        "We take payments with this from Monday on. What must be mended before?",
        DEMO_SEED,
    ),
    "agreement": Demo(
        "deliberation",
        "spare_parts.csv",
        "Spare parts, ready for the shop?",
        "The shop takes its prices and stock from this list. Can it be loaded tonight?",
        AGREEING_SEED,
    ),
    "deliberation": Demo(
        "deliberation",
        "locker_pickup_design.md",
        "Locker pickup, ready to build?",
        "We start building next week. What has to change in this design first?",
        CONVERGING_SEED,
    ),
    "divergence": Demo(
        "deliberation",
        "payment_webhooks.py",
        "Payment webhooks, safe to launch?",
        "Can this take payments as it is?",
        DIVERGING_SEED,
    ),
    "certification": Demo(
        "certification",
        "reading_time.py",
        "Reading time, ready to merge",
        "May this go into the library that all our pages use?",
        CERTIFICATION_SEED,
        (*DEFAULT_ROSTER, "demo/delta", "demo/ember"),
        {"standard": "secure-code-change", "rule": "supermajority"},
    ),
}


class Command(BaseCommand):
    help = "Record the demo sessions that every installation shows. Takes as long as they do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DEMOS)}; all of them without")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = set(options["names"]) - set(DEMOS)
        if unknown:
            raise CommandError(f"There is no demo {sorted(unknown)[0]!r}. Known: {', '.join(DEMOS)}.")
        project = seed()
        if project is None:
            raise CommandError("The demo project was deleted here. Use a fresh data directory.")
        RECORDINGS.mkdir(exist_ok=True)
        for name in options["names"] or DEMOS:
            session = _run(project, DEMOS[name])
            (RECORDINGS / f"{name}.json").write_bytes(record(session) + b"\n")
            self.stdout.write(f"{name}: {session.status} {session.outcome}, {session.findings.count()} findings")
        stop_worker()


def _run(project: Project, demo: Demo) -> Session:
    actor = Actor(User.objects.get(email=OWNER_EMAIL))
    versions = ArtifactVersion.objects.filter(artifact__project=project, artifact__name=demo.artifact)
    new = NewSession(
        demo.kind,
        seats_of_models(list(demo.models)),
        list(versions.select_related("artifact", "content")),
        title=demo.title,
        brief=demo.brief,
        params=demo.params,
        nonce_seed=demo.seed,
    )
    session = start_session(actor, create_session(actor, project, new), dispatch=False)
    worker().submit(session.pk).result()
    session.refresh_from_db()
    return session
