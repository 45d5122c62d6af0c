"""`record_demo`: run the shipped demo review at real pace and keep it as a recording. For those who change the demo."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.access import Actor
from sessions.actions.lifecycle import NewSession, create_session, start_session
from sessions.actions.rosters import default_seats
from sessions.demo.personas import DEMO_SEED
from sessions.demo.recorded import RECORDINGS, record
from sessions.models import ArtifactVersion
from sessions.people import User
from sessions.seeding import OWNER_EMAIL, seed
from sessions.worker import stop_worker, worker

ARTIFACT = "payment_webhooks.py"
BRIEF = "We take payments with this from Monday on. What must be mended before?"


class Command(BaseCommand):
    help = "Record the demo review that every installation shows. Takes as long as the review."

    def handle(self, *args: Any, **options: Any) -> None:
        project = seed()
        if project is None:
            raise CommandError("The demo project was deleted here. Use a fresh data directory.")
        owner = User.objects.get(email=OWNER_EMAIL)
        versions = ArtifactVersion.objects.filter(artifact__project=project, artifact__name=ARTIFACT)
        new = NewSession(
            "review",
            default_seats(),
            list(versions.select_related("artifact", "content")),
            title="Payment webhooks before launch",
            brief=BRIEF,
            nonce_seed=DEMO_SEED,
        )
        session = start_session(Actor(owner), create_session(Actor(owner), project, new), dispatch=False)
        worker().submit(session.pk).result()
        stop_worker()
        session.refresh_from_db()
        RECORDINGS.mkdir(exist_ok=True)
        (RECORDINGS / "review.json").write_bytes(record(session) + b"\n")
        self.stdout.write(f"{session.status}: {session.findings.count()} findings")
