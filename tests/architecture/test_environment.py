"""A value of the environment that cannot be read: a sentence that names the variable, and nothing starts on a guess."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from crucible_site import environment
from sessions.checks import ENVIRONMENT
from sessions.gateway import Limits
from tools.scale import PREPARE, WORKER

ROOT = Path(__file__).resolve().parents[2]
NAME = "CRUCIBLE_TEST_VALUE"
DEADLINES = ("connect", "first_byte", "idle", "wall")
POSTGRES = (("postgres", "sqlite"), "postgres://user:password@host:5432/name")
WRONG = {"CRUCIBLE_DEADLINES": "first_bite=3", "DATABASE_URL": "postgres://u:geheim@host:port/name"}
SECONDS = 60
REPORT = """
import json
from crucible_site import settings
print(json.dumps([getattr(settings, name) for name in {names!r}]))
"""


@pytest.fixture(autouse=True)
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was complained of since the test began."""
    found: list[str] = []
    monkeypatch.setattr(environment, "complaints", found)
    return found


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda value: monkeypatch.setenv(NAME, value)


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("", False)])
def test_a_switch_is_read(value: str, meant: bool, variable: Callable[[str], None], complaints: list[str]) -> None:
    variable(value)
    assert (environment.flag(NAME), complaints) == (meant, [])


def test_deadlines_are_read(variable: Callable[[str], None], complaints: list[str]) -> None:
    variable(" first_byte = 600, idle=0.5 ,")
    assert environment.seconds(NAME, DEADLINES) == {"first_byte": 600, "idle": 0.5}
    assert complaints == []


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: environment.flag(NAME), "ture"),
        (lambda: environment.one_of(NAME, "WARNING", ("INFO", "WARNING")), "LOUD"),
        (lambda: environment.port(NAME, 25), "smtp"),
        (lambda: environment.port(NAME, 25), "65536"),
        (lambda: environment.port(NAME, 25), "²"),
        (lambda: environment.hosts(NAME), "http://localhost:1234/v1"),
        (lambda: environment.url(NAME, *POSTGRES), "mysql://user:secret@host/name"),
        (lambda: environment.url(NAME, *POSTGRES), "postgres://user:secret@host:port/name"),
        (lambda: environment.url(NAME, *POSTGRES), "postgres://user:secret@[::1/name"),
        (lambda: environment.seconds(NAME, DEADLINES), "first_bite=3"),
        (lambda: environment.seconds(NAME, DEADLINES), "idle=soon"),
        (lambda: environment.seconds(NAME, DEADLINES), "idle"),
        (lambda: environment.seconds(NAME, DEADLINES), "idle=0"),
        (lambda: environment.seconds(NAME, DEADLINES), "idle=nan"),
    ],
)
def test_a_value_that_cannot_be_read_is_complained_of_once_by_name(
    read: Callable[[], Any], value: str, variable: Callable[[str], None], complaints: list[str]
) -> None:
    variable(value)
    read()
    assert [complaint.split()[0] for complaint in complaints] == [NAME]


def test_a_complaint_repeats_no_password(variable: Callable[[str], None], complaints: list[str]) -> None:
    variable("mysql://user:secret@host/name")
    assert environment.url(NAME, *POSTGRES) == ""
    assert "secret" not in complaints[0]


def test_every_deadline_people_may_set_is_one_of_the_gateway() -> None:
    assert set(DEADLINES) <= {limit.name for limit in fields(Limits)}


def test_every_complaint_fails_a_check(settings: Any) -> None:
    settings.CRUCIBLE_COMPLAINTS = ["first", "second"]
    assert [message.msg for message in run_checks(tags=[ENVIRONMENT])] == ["first", "second"]


@pytest.mark.parametrize("keyring", ["", " , "])
def test_a_keyring_without_a_secret_fails_a_check(keyring: str, settings: Any) -> None:
    settings.CRUCIBLE_KEYRING = keyring
    assert [message.id for message in run_checks(tags=[ENVIRONMENT])] == ["crucible.E005"]


@pytest.mark.parametrize("secrets", ["", " , "])
def test_a_signing_key_without_a_secret_fails_a_check(secrets: str, settings: Any) -> None:
    settings.CRUCIBLE_SIGNING_KEY = secrets
    assert [message.id for message in run_checks(tags=[ENVIRONMENT])] == ["crucible.E007"]


def test_a_demo_speed_that_is_no_number_fails_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_DEMO_SPEED", "fast")
    assert [message.id for message in run_checks(tags=[ENVIRONMENT])] == ["crucible.E006"]


# --- processes


def python(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    others = ("CRUCIBLE_", "DATABASE_URL", "REDIS_URL", "EMAIL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=kept | {"CRUCIBLE_DATA_DIR": str(home)} | variables,
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["manage.py", "check"], ["manage.py", "serve", "--port", "1"], WORKER],
    ids=["check", "serve", "worker"],
)
def test_a_process_refuses_what_it_cannot_read_in_sentences(arguments: list[str], tmp_path: Path) -> None:
    ended = python(tmp_path, *arguments, **WRONG)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "'first_bite=3' is not one of connect, first_byte, idle, wall" in said
    assert "DATABASE_URL must be like postgres://" in said
    assert "geheim" not in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["manage.py", "serve"], ["-c", PREPARE]], ids=["serve", "scale"])
def test_it_is_said_in_a_sentence_that_the_database_is_away(arguments: list[str], tmp_path: Path) -> None:
    ended = python(
        tmp_path, *arguments, DATABASE_URL="postgres://u:geheim@127.0.0.1:1/name",
        DJANGO_SETTINGS_MODULE="crucible_site.settings",
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.removeprefix("CommandError: ").startswith("The database cannot be used: ")
    assert "geheim" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["verify_invariants", "create_owner a@b.c", "run_session review --file README.md"])
def test_a_command_says_that_the_database_is_not_prepared(command: str, tmp_path: Path) -> None:
    ended = python(tmp_path, "manage.py", *command.split())
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert ended.stderr.startswith("CommandError: The database is not prepared. Run `make run`")


@pytest.mark.slow
def test_a_data_directory_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = python(tmp_path / "file" / "data", "manage.py", "check")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "Set CRUCIBLE_DATA_DIR" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "subdomains", "preload"), [("", False, False), ("subdomains", True, False), ("preload", True, True)]
)
def test_https_promises_for_other_hosts_only_what_the_operator_chose(
    chosen: str, subdomains: bool, preload: bool, tmp_path: Path
) -> None:
    names = ["SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"]
    report = python(tmp_path, "-c", REPORT.format(names=names), CRUCIBLE_HTTPS="1", CRUCIBLE_HSTS=chosen)
    assert json.loads(report.stdout) == [31_536_000, subdomains, preload]
