"""A server for several people: by which names it is reached, and that nobody gets in by a link that it prints."""

import ipaddress
import socket

from django.conf import settings

from crucible_site.environment import text
from crucible_site.models import LoginLink, User
from sessions.seeding import APPROVER_EMAIL, OWNER_EMAIL

WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - asked for by whoever starts the server
# An address for documentation: the system says by which of ours it would be reached, and sends nothing.
_ELSEWHERE = ("192.0.2.1", 9)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def interface(host: str) -> str:
    """What to listen on: for a name all of this machine, because on many systems its own name means the loopback."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if host == "localhost" else "0.0.0.0"  # noqa: S104
    return host


def names(host: str) -> list[str]:
    """Host names and addresses under which people may come, the best one first."""
    if host not in WILDCARDS:
        return [host]
    own = socket.gethostname()
    found = [own, socket.getfqdn(), _outward(), *_addresses(own)]
    return list(dict.fromkeys(name.lower() for name in found if name and not is_loopback(name)))


def open_to_others(host: str, port: int) -> None:
    """Before the first request: allow the names people use, unless the operator listed them, make links of mail lead
    there, and end every link that signs a local account in."""
    settings.CRUCIBLE_TEAM = True
    if not text("CRUCIBLE_ALLOWED_HOSTS"):
        settings.ALLOWED_HOSTS = [_in_url(name) for name in names(host)] + settings.ALLOWED_HOSTS
    settings.CRUCIBLE_URL = public_url(host, port)
    LoginLink.objects.filter(user__email__in=(OWNER_EMAIL, APPROVER_EMAIL), used_at=None).delete()


def public_url(host: str, port: int) -> str:
    """The address people are given."""
    if settings.HTTPS or text("CRUCIBLE_URL"):
        return str(settings.CRUCIBLE_URL)
    shown = "127.0.0.1" if is_loopback(host) and ":" not in host else (names(host) or ["127.0.0.1"])[0]
    return f"http://{_in_url(shown)}:{port}"


def has_owner() -> bool:
    """Whether somebody but the local owner runs this server."""
    return User.objects.filter(is_superuser=True, is_active=True).exclude(email=OWNER_EMAIL).exists()


def welcome(host: str, port: int) -> list[str]:
    """What the server says when it has started."""
    lines = [f"Crucible is running for several people: {public_url(host, port)}"]
    if not settings.HTTPS:
        lines.append("Without TLS passwords cross the network readable: put a proxy before it (docs/operations.md).")
    lines.append("The owner's link is switched off here.")
    if not has_owner():
        lines += [
            "Make the first owner, in another shell:",
            "  .venv/bin/python manage.py create_owner you@example.org",
        ]
    return lines


def _in_url(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _addresses(own: str) -> list[str]:
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(own, None) if "%" not in str(info[4][0])]
    except OSError:
        return []


def _outward() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])
