"""`serve`: migrate, seed, collect, listen, and print one link. With `--fd` it is a web process of scaled mode."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crucible_site import embedded
from sessions.vault import forget_provider_keys


class Command(BaseCommand):
    help = "Run Crucible in this process: web pages, sockets and, in embedded mode, the worker."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own shape

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
            port = embedded.free_port(host, options["port"])
        except embedded.PortTaken as taken:
            raise CommandError(f"Port {taken} is in use. Choose another with PORT=, or leave PORT unset.") from None
        embedded.name_cookies(port)
        embedded.prepare(self._say)
        link = embedded.owner_link(host, port)
        (settings.DATA_DIR / "address").write_text(f"{host} {port}")
        lines = ["Crucible is running. Sign in with this link (it works once):", link, "", "Ctrl-C stops it."]
        self._listen(f"tcp:{port}:interface={host.replace(':', chr(92) + ':')}", lambda: self._say(embedded.box(lines)))

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
