"""`reseal_keys`: after the keyring was rotated, seal every provider key under its newest secret. Prints counts only."""

from typing import Any

from django.core.management.base import CommandError

from sessions.actions.keys import reseal_keys
from sessions.management.prepared import PreparedCommand


class Command(PreparedCommand):
    help = "Seal every provider key under the newest secret of CRUCIBLE_KEYRING. May be run again at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        counts = reseal_keys()
        self.stdout.write(f"Sealed again: {counts.again}. Already under the newest secret: {counts.current}.")
        if counts.lost:
            raise CommandError(
                f"No secret of CRUCIBLE_KEYRING opens the key of: {', '.join(counts.lost)}."
                " Add the secret that sealed it, or enter the key again."
            )
