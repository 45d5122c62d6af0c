"""`link`: new single-use sign-in links for the running server: the owner's, and the demo project's approver's where
there is one."""

from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from crucible_site import embedded
from crucible_site.models import User
from crucible_site.team import is_loopback

NO_SERVER = "No server has run here yet. Start one with: make run"
FOR_OTHERS = (
    "This server is for several people, so it has no link that signs the owner in."
    " Make an owner with: manage.py create_owner you@example.org"
)


class Command(BaseCommand):
    help = "Print a new link that signs the owner in, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=None, help="of a server here; default: where serve ran last")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host, port = _address(options["port"])
            link, second = embedded.owner_link(host, port), embedded.approver_link(host, port)
        except User.DoesNotExist:
            raise CommandError(NO_SERVER) from None
        except DatabaseError:
            raise CommandError("The database cannot be reached, or no server has prepared it yet.") from None
        as_approver = ["As the approver of the demo project:", second] if second else []
        self.stdout.write(embedded.box([_public(link) if settings.HTTPS else link, *as_approver]))


def _address(port: int | None) -> tuple[str, int]:
    if port or settings.HTTPS:  # with TLS people do not come to this port
        return "127.0.0.1", port or 443
    try:
        host, last = (settings.DATA_DIR / "address").read_text().split()
    except FileNotFoundError:
        raise CommandError(NO_SERVER) from None
    if not is_loopback(host):
        raise CommandError(FOR_OTHERS)
    return host, int(last)


def _public(link: str) -> str:
    """Behind a TLS proxy people come by the first name they may use."""
    return f"https://{settings.ALLOWED_HOSTS[0].lstrip('.')}{urlsplit(link).path}"
