"""`verify_certificate FILE --key K`: whether a certificate is genuine, from the file and a public key alone.

Needs no database, no server and no network. Exit codes: 0 valid, 1 changed or forged, 2 cannot be read, 3 signed with
a key that is not given, 4 superseded, 5 about another text than `--artifact`.
"""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.certificates.checking import EXIT_CODES, check
from sessions.certificates.signing import BadKey, PublicKeys, read_keys
from sessions.reading import Unreadable, read_bytes

USAGE = EXIT_CODES["unreadable"]


class Command(BaseCommand):
    help = (
        "Check a certificate offline. Exits 0 valid, 1 changed or forged, 2 cannot be read, 3 signed with another key,"
        " 4 superseded, 5 about another text."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own type

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the certificate, as JSON; - for standard input")
        parser.add_argument(
            "--key",
            required=True,
            metavar="K",
            help="the issuer's crucible-keys.json, one key of it, or the bare public key",
        )
        parser.add_argument(
            "--artifact", nargs="+", default=[], metavar="PATH", help="files that it must be about, unchanged"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["file"]
        text = sys.stdin.buffer.read() if name == "-" else _read(name)
        checked = check(text, _keys(options["key"]), [_digest(path) for path in options["artifact"]])
        (self.stderr if checked.exit_code else self.stdout).write(checked.sentence)
        if checked.warning:
            self.stderr.write(checked.warning)
        sys.exit(checked.exit_code)


def _keys(given: str) -> PublicKeys:
    """From a file, or from the text itself."""
    try:
        found = Path(given).read_text("utf-8") if _is_file(given) else given
        return read_keys(json.loads(found) if found.lstrip().startswith("{") else found)
    except (BadKey, ValueError, OSError):
        raise CommandError(f"{given[:80]} is no public key and no file that holds one.", returncode=USAGE) from None


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except (OSError, ValueError):  # too long for a name, or with NUL
        return False


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such name"
        raise CommandError(f"{path}: {reason}.", returncode=USAGE) from None


def _digest(path: str) -> str:
    try:
        return read_bytes(Path(path).name, _read(path)).digest
    except Unreadable as reason:
        raise CommandError(f"{path}: {reason.sentence} {reason.next_step}", returncode=USAGE) from None
