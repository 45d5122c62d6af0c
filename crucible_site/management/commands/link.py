"""`link`: a new single-use sign-in link for the local owner of the running server."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crucible_site import embedded


class Command(BaseCommand):
    help = "Print a new link that signs the local owner in, once."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            host, port = (settings.DATA_DIR / "address").read_text().split()
        except FileNotFoundError:
            raise CommandError("No server has run here yet. Start one with: make run") from None
        self.stdout.write(embedded.box([embedded.owner_link(host, int(port))]))
