"""compose.yaml is what Docker would take and what the docs say, checked without Docker."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("web", "worker")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
# What the interface of Compose knows of a service, as far as ours use it.
KEYS = set("build image restart init read_only tmpfs volumes environment command depends_on healthcheck ports".split())
PINNED = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z]+")


def explained() -> set[str]:
    table = [line.split("|")[1] for line in OPERATIONS.splitlines() if line.startswith("| `")]
    return {name for cell in table for name in re.findall(r"`([A-Z_]+)`", cell)}


def test_it_has_the_services_of_a_team_server() -> None:
    assert set(SERVICES) == {"web", "worker", "database", "redis", "proxy"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_keys_that_compose_knows_and_an_image(name: str) -> None:
    assert set(SERVICES[name]) <= KEYS
    assert SERVICES[name]["image"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(OURS)))
def test_images_of_others_are_pinned(name: str) -> None:
    assert PINNED.fullmatch(SERVICES[name]["image"])


def test_the_image_of_ours_is_built_on_a_pinned_one_and_runs_as_nobody_special() -> None:
    (base,) = re.findall(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base)
    assert "USER crucible" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE


def test_the_client_for_backups_fits_the_server() -> None:
    version = re.findall(r"postgresql-client-(\d+)", DOCKERFILE)
    assert SERVICES["database"]["image"].startswith(f"postgres:{version[0]}.")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_ours_is_explained(name: str) -> None:
    assert set(SERVICES[name]["environment"]) - explained() == set()


def test_what_people_fill_in_is_what_is_asked_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)[:}]", (ROOT / "compose.yaml").read_text()))
    assert asked == set(EXAMPLE)


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in (
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "CRUCIBLE_SECRET_KEY",
        "CRUCIBLE_KEYRING",
        "CRUCIBLE_SIGNING_KEY",
    ):
        assert EXAMPLE[name] == ""
        assert set(re.findall(rf"\$\{{{name}(..)", text)) == {":?"}


def test_web_and_worker_share_everything_but_their_command() -> None:
    web, worker = (SERVICES[name] for name in OURS)
    assert web["environment"] == worker["environment"]
    assert web["image"] == worker["image"]
    assert worker["command"][:4] == ["celery", "-A", "crucible_site", "worker"]


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_the_proxy_speaks_to_the_port_that_web_listens_on() -> None:
    command = SERVICES["web"]["command"]
    assert f"reverse_proxy web:{command[command.index('--port') + 1]}" in CADDYFILE
    assert "{$CRUCIBLE_ALLOWED_HOSTS}" in CADDYFILE
    assert "CRUCIBLE_ALLOWED_HOSTS" in SERVICES["proxy"]["environment"]


def test_files_and_volumes_that_are_mounted_exist() -> None:
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    files = [mount for mount in mounts if mount.startswith("./")]
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert set(mounts) - set(files) == set(COMPOSE["volumes"])


def test_services_wait_for_what_they_need_to_be_healthy() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            assert wait == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[name]


def test_secrets_do_not_end_up_in_the_image() -> None:
    assert {".env", "data", ".git"} <= set((ROOT / ".dockerignore").read_text().split())
