"""Nothing phones home: a whole server with demo models connects to nothing but itself (docs/privacy.md)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.material import ROOT
from tests.e2e.stack import environment

pytestmark = pytest.mark.slow

# Python's own audit events: every name that is looked up and every address that is connected to.
REVIEW = """
import sys
WATCHED = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
sys.addaudithook(lambda event, told: print("OUT", event, told[-1], file=sys.stderr) if event in WATCHED else None)
import django
django.setup()
from crucible_site.embedded import prepare
prepare(lambda line: None)
from django.core.management import call_command
call_command("run_session", "review", "--file", "sessions/keys.py")
from django.test import Client
from sessions.people import User
client = Client(headers={"host": "localhost"})
client.force_login(User.objects.get())
for path in ("/projects/demo/", "/projects/demo/new/", "/models/", "/api/docs", "/accounts/2fa/"):
    assert client.get(path).status_code == 200, path
from sessions.providers.litellm_adapter import _litellm
_litellm()
"""


def test_a_review_pages_and_the_provider_library_connect_to_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", REVIEW], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=120
    )
    assert "## Findings" in ran.stdout, ran.stderr
    assert [line for line in ran.stderr.splitlines() if line.startswith("OUT")] == []
