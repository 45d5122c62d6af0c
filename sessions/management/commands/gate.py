"""`gate CODE`: whether what waits for a session may go on.

Exit codes: 0 pass, 3 fail, 4 withheld or waiting for people, 2 bad usage.
"""

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from sessions.management.prepared import PreparedCommand
from sessions.models import Session
from sessions.queries.gates import GateView, gate_of
from sessions.reports.gates import UNDECIDED, gate_data, gate_exit, sentence

USAGE = 2
POLL_SECONDS = 0.5


class Command(PreparedCommand):
    help = "Say what the gate of a session says. Exits 0 pass, 3 fail, 4 withheld or waiting for people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", type=UUID, metavar="CODE")
        parser.add_argument("--wait", type=float, default=0, metavar="S", help="so many seconds for it to take effect")
        parser.add_argument("--json", action="store_true", help="print the gate as the API has it")

    def handle(self, *args: Any, **options: Any) -> None:
        until = time.monotonic() + options["wait"]
        gate = _gate(options["code"])
        while gate_exit(gate) == UNDECIDED and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            gate = _gate(options["code"])
        as_data = json.dumps(gate_data(gate), ensure_ascii=False, indent=2)
        self.stdout.write(as_data if options["json"] else sentence(gate))
        if not gate.asked:
            self.stderr.write("Nobody asked for a gate on this session: this is what the standard policy proposes.")
        sys.exit(gate_exit(gate))


def _gate(code: UUID) -> GateView:
    session = Session.objects.select_related("project", "summary").filter(code=code, deleted_at=None).first()
    if session is None:
        raise CommandError(f"There is no session {code}.", returncode=USAGE)
    return gate_of(session)
