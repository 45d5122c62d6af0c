"""`verify_invariants`: prints what does not hold and exits 1, or says that everything holds."""

import sys
from typing import Any

from sessions.invariants import INVARIANTS, violations
from sessions.management.prepared import PreparedCommand
from sessions.models import Session


class Command(PreparedCommand):
    help = "Check that nothing was lost, doubled, miscounted or rewritten. Exits 1 when something does not hold."

    def handle(self, *args: Any, **options: Any) -> None:
        found = violations()
        for sentence in found:
            self.stdout.write(sentence)
        if found:
            sys.exit(1)
        self.stdout.write(f"{len(INVARIANTS)} invariants hold over {Session.objects.count()} sessions")
