"""`serve`: migrate, seed, collect, listen, and say where. With `--fd` it is a web process of scaled mode."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crucible_site import embedded
from crucible_site.team import interface, is_loopback, open_to_others, public_url, welcome
from sessions.checks import ENVIRONMENT
from sessions.vault import forget_provider_keys


class Command(BaseCommand):
    help = "Run Crucible in this process: web pages, sockets and, in embedded mode, the worker."
    requires_system_checks = (ENVIRONMENT,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=None, help="default: the first free one from 8000 on")
        parser.add_argument("--fd", type=int, default=None, help="an inherited listening socket; prepares nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        forget_provider_keys()
        if options["fd"] is not None:
            return self._listen(f"fd:fileno={options['fd']}", lambda: None)
        host = options["host"]
        try:
            port = embedded.free_port(interface(host), options["port"])
        except embedded.PortTaken as taken:
            raise CommandError(f"Port {taken} is in use. Choose another with PORT=, or leave PORT unset.") from None
        embedded.name_cookies(port)
        try:
            embedded.prepare(self._say, alone=is_loopback(host) and not settings.CRUCIBLE_TEAM)
        except embedded.DatabaseUnusable as unusable:
            raise CommandError(str(unusable)) from unusable
        if is_loopback(host):
            settings.CRUCIBLE_URL = public_url(host, port)
        else:
            open_to_others(host, port)
        said = greeting(host, port)
        (settings.DATA_DIR / "address").write_text(f"{host} {port}")
        endpoint = f"tcp:{port}:interface={interface(host).replace(':', chr(92) + ':')}"
        self._listen(endpoint, lambda: self._say(said))

    def _listen(self, endpoint: str, ready: Any) -> None:
        from crucible_site.asgi import application
        from crucible_site.server import serve_forever
        from sessions.worker import stop_worker, tune_interpreter, worker

        tune_interpreter()
        if settings.CRUCIBLE_ENGINE == "direct":
            worker()
        try:
            serve_forever(application, endpoint, ready)
        finally:
            stop_worker()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def greeting(host: str, port: int) -> str:
    """What a server that listens there says, in a box. It holds new sign-in links only when nobody but this machine
    can use them: the output of a server for several people is kept and read by others."""
    if not is_loopback(host):
        lines = welcome(host, port)
    elif settings.HTTPS:
        lines = [f"Crucible is running, port {port}. This prints a link that signs its owner in: make link"]
    else:
        lines = ["Crucible is running. Sign in with this link (it works once):", embedded.owner_link(host, port)]
        if second := embedded.approver_link(host, port):
            lines += ["To decide at the demo's gate as somebody else, in a private window:", second]
    return embedded.box([*lines, "", "Ctrl-C stops it."])
