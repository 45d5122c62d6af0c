"""A backup, restored into an empty installation, is the same installation: words, keys and chains. In both modes."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.services import Server, postgres

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
OURS = ("DATABASE_URL", "REDIS_URL", "CRUCIBLE_")
KEY = "sk-canary-backup-00000000"
FILL = f"""
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from sessions.seeding import seed; seed()
from sessions.actions.catalog import NewModel, add_model
add_model(NewModel("lab/large", route="large", base_url="https://lab.example/v1", key="{KEY}"))
"""
TELL = """
import django; django.setup()
import json
from sessions.models import Event, Finding, Provider, Session
from sessions.vault import reveal
lab = Provider.objects.exclude(sealed_key=None).get()
print(json.dumps([
    reveal(lab.name, lab.base_url, bytes(lab.sealed_key)).value,
    list(Session.objects.order_by("pk").values_list("chain_head", "title")),
    Event.objects.count(), Finding.objects.count(),
]))
"""


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment = {**kept, "DJANGO_SETTINGS_MODULE": "crucible_site.settings", "CRUCIBLE_DATA_DIR": str(home)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment | variables, capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip


def succeed(home: Path, *arguments: str, **variables: str) -> str:
    ended = run(home, *arguments, **variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refusal(home: Path, *arguments: str, **variables: str) -> str:
    ended = run(home, "-m", "tools.backup", *arguments, **variables)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded installation with a finished review and a sealed key."""
    home = tmp_path_factory.mktemp("filled")
    succeed(home, "-c", FILL)
    return home


@pytest.fixture(scope="module")
def kept(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("kept") / "backup.tar.gz"
    succeed(filled, "-m", "tools.backup", "--to", str(target))
    return target


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as server:
        yield server


def new_database(server: Server, name: str) -> str:
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.url.rpartition("/")[0] + f"/{name}"


def test_an_embedded_installation_comes_back_whole(filled: Path, kept: Path, tmp_path: Path) -> None:
    assert "restored and verified" in succeed(tmp_path, "-m", "tools.backup", "--restore", str(kept))
    before, after = (json.loads(succeed(home, "-c", TELL)) for home in (filled, tmp_path))
    assert after == before
    assert after[0] == KEY
    assert after[1]


def test_a_scaled_installation_comes_back_whole(server: Server, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    old, new = ({"DATABASE_URL": new_database(server, name)} for name in ("old", "new"))
    succeed(here, "-c", FILL, **old)
    target = tmp_path / "backup.tar.gz"
    succeed(here, "-m", "tools.backup", "--to", str(target), **old)
    assert "restored and verified" in succeed(there, "-m", "tools.backup", "--restore", str(target), **new)
    assert json.loads(succeed(there, "-c", TELL, **new)) == json.loads(succeed(here, "-c", TELL, **old))
    assert "append-only" in run(there, "-c", f"{TELL}\nEvent.objects.update(seq=1)", **new).stderr
    assert "not empty" in refusal(there, "--restore", str(target), **new)


@pytest.fixture
def entered_by_all() -> Iterator[Path]:
    """Started by root, PostgreSQL runs as another user, who may not enter the directories of pytest."""
    with tempfile.TemporaryDirectory(prefix="crucible-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_the_postgresql_that_make_scale_left_is_started_for_it(entered_by_all: Path) -> None:
    here, there = entered_by_all / "here", entered_by_all / "there"
    here.mkdir()
    with postgres(here / "postgresql") as left:
        succeed(here, "-c", FILL, DATABASE_URL=left.url)
    target = entered_by_all / "backup.tar.gz"
    succeed(here, "-m", "tools.backup", "--to", str(target))
    assert "restored and verified" in succeed(there, "-m", "tools.backup", "--restore", str(target))
    assert (there / "postgresql" / "data" / "PG_VERSION").exists()


def test_only_its_owner_reads_a_backup_and_nothing_else_is_in_it(kept: Path) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with tarfile.open(kept) as archive:
        names = set(archive.getnames())
    assert names == {"crucible-backup.json", "database.sqlite3", "secret.key", "provider-keys.key", "certificates.key"}


def test_secrets_of_the_environment_are_kept(filled: Path, tmp_path: Path) -> None:
    target, home = tmp_path / "backup.tar.gz", tmp_path / "home"
    ring = f"newer,{(filled / 'provider-keys.key').read_text()}"
    succeed(filled, "-m", "tools.backup", "--to", str(target), CRUCIBLE_KEYRING=ring)
    succeed(home, "-m", "tools.backup", "--restore", str(target))
    assert (home / "provider-keys.key").read_text() == ring
    assert json.loads(succeed(home, "-c", TELL))[0] == KEY


def test_a_backup_of_a_database_in_use_is_whole(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar.gz"
    with sqlite3.connect(filled / "crucible.sqlite3", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        succeed(filled, "-m", "tools.backup", "--to", str(target))
        writer.execute("ROLLBACK")
    succeed(tmp_path / "home", "-m", "tools.backup", "--restore", str(target))


def test_nothing_is_overwritten(filled: Path, kept: Path, tmp_path: Path) -> None:
    assert "exists" in refusal(filled, "--restore", str(kept))
    assert "exists already" in refusal(filled, "--to", str(kept))
    (tmp_path / "secret.key").write_text("another")
    assert "another secret" in refusal(tmp_path, "--restore", str(kept))
    assert not (tmp_path / "crucible.sqlite3").exists()


def test_a_backup_goes_into_its_own_kind_of_database(kept: Path, server: Server, tmp_path: Path) -> None:
    url = new_database(server, "other kind")
    assert "other kind of database" in refusal(tmp_path, "--restore", str(kept), DATABASE_URL=url)


def test_what_is_no_backup_is_said_in_a_sentence(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no backup")
    (tmp_path / "half").write_bytes(kept.read_bytes()[:5_000])
    for name in ("text", "half", "missing"):
        assert "cannot be read as a backup" in refusal(tmp_path, "--restore", str(tmp_path / name))


def test_an_empty_installation_has_nothing_to_back_up(tmp_path: Path) -> None:
    assert "nothing to back up" in refusal(tmp_path)
