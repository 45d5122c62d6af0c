"""The one-process server: web, worker and database file in one place, ready after one command."""

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError

from crucible_site.accounts import new_login_link
from sessions.seeding import APPROVER_EMAIL, OWNER_EMAIL, seed

if TYPE_CHECKING:
    from crucible_site.models import User

PORTS = range(8000, 8100)


class DatabaseUnusable(Exception):  # noqa: N818
    """It cannot be reached, or what is in it is not ours; its words say so."""


class PortTaken(Exception):  # noqa: N818
    """The port asked for is in use."""


@contextmanager
def step(name: str, say: Callable[[str], object]) -> Iterator[None]:
    begun = time.monotonic()
    yield
    say(f"  {name:<12}{time.monotonic() - begun:5.1f} s")


def free_port(host: str, wanted: int | None) -> int:
    """`wanted`, or the first free one from 8000 on. Raises PortTaken for a wanted one that is not free."""
    for port in [wanted] if wanted else PORTS:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise PortTaken(str(wanted or f"{PORTS.start}-{PORTS.stop - 1}"))


def name_cookies(port: int) -> None:
    """Cookies ignore ports: give this server's their own names, so that two on one machine do not mix."""
    if not settings.HTTPS:
        settings.SESSION_COOKIE_NAME = f"crucible_{port}_session"
        settings.CSRF_COOKIE_NAME = f"crucible_{port}_csrf"


def prepare(say: Callable[[str], object], *, alone: bool = False) -> None:
    """Bring database and static files up to date; `alone` as in `seed`. Raises DatabaseUnusable."""
    try:
        with step("database", say):
            call_command("migrate", interactive=False, verbosity=0)
        with step("demo data", say):
            seed(alone=alone)
    except (OperationalError, ProgrammingError) as error:
        raise DatabaseUnusable(f"The database cannot be used: {error}") from error
    with step("static files", say):
        collect_static()


def collect_static() -> None:
    """Collect when any source file is newer than the last collection."""
    stamp = settings.STATIC_ROOT / ".stamp"
    now = _static_digest()
    if not stamp.exists() or stamp.read_text() != now:
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(now)


def owner_link(host: str, port: int) -> str:
    """A fresh single-use link that signs the local owner in, on a server for this machine alone."""
    from crucible_site.models import User

    return _link(User.objects.get(email=OWNER_EMAIL), host, port)


def approver_link(host: str, port: int) -> str | None:
    """As `owner_link`, for the demo project's second member; None where there is none or several people work."""
    from crucible_site.models import User

    approver = User.objects.filter(email=APPROVER_EMAIL, is_active=True).first()
    return _link(approver, host, port) if approver and not settings.CRUCIBLE_TEAM else None


def _link(user: "User", host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/in/{new_login_link(user)}/"


def box(lines: list[str]) -> str:
    width = max(len(line) for line in lines)
    rows = [f"│ {line:<{width}} │" for line in lines]
    return "\n".join([f"╭{'─' * (width + 2)}╮", *rows, f"╰{'─' * (width + 2)}╯"])


def _static_digest() -> str:
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
