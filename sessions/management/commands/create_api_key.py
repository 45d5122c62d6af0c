"""`create_api_key EMAIL --project SLUG`: prints the key alone on its last line. Works after `migrate` alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from sessions.access import APPROVE, READ, SCOPES, WRITE, Actor, grants_in
from sessions.actions.errors import Refused
from sessions.actions.projects import create_api_key
from sessions.management.prepared import PreparedCommand
from sessions.models import Project
from sessions.people import User
from sessions.seeding import seed


class Command(PreparedCommand):
    help = "Make an API key for a person in a project. The key is printed once, alone on the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--name", default="command line")
        parser.add_argument(
            "--scope", action="append", choices=SCOPES, help="default: whatever the role allows but manage"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        seed()
        user = User.objects.filter(email=options["email"].lower(), is_active=True).first()
        project = Project.objects.filter(slug=options["project"], deleted_at=None).first()
        if user is None:
            raise CommandError(f"Nobody here has the e-mail {options['email']!r}.")
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        actor = Actor(user)
        usual = [scope for scope in (READ, WRITE, APPROVE) if scope in grants_in(actor, project)] or [READ]
        try:
            _, key = create_api_key(actor, project, options["name"], options["scope"] or usual)
        except Refused as refusal:
            raise CommandError(refusal.sentence) from None
        self.stdout.write(key)
