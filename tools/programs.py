"""Find PostgreSQL, Redis and Chromium, or install them with apt-get when we are root."""

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
POLICY = Path("/usr/sbin/policy-rc.d")


class Unavailable(Exception):
    """A program cannot be had here. The message is for a person: what is missing and what would help."""


def program(names: Sequence[str], package: str, find: Callable[[str], str | None] = shutil.which) -> str:
    """The path of the first of these programs; installs the Debian package when none is here and we are root."""

    def found() -> str | None:
        return next(filter(None, map(find, names)), None)

    path = found()
    if path is None:
        apt_install(package)
        path = found()
    if path is None:
        raise Unavailable(f"the package {package} brought no usable {names[0]}")
    return path


def postgres_program(name: str) -> str:
    """One of PostgreSQL's programs: where Debian keeps them (the newest version), or on PATH."""
    return program([name], "postgresql", find_postgres)


def find_postgres(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"[0-9]*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(versions[-1]) if versions else shutil.which(name)


def chromium_path() -> str:
    return program(CHROMIUM_NAMES, "chromium", find_browser)


def find_browser(name: str) -> str | None:
    """A browser that starts: on some systems the name is a stand-in that only tells where to get one."""
    path = shutil.which(name)
    return path if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0 else None


def apt_install(package: str) -> None:
    """Raises Unavailable when there is no apt-get, when we are not root, or when it fails."""
    if shutil.which("apt-get") is None:
        raise Unavailable(f"{package} is not installed, and there is no apt-get to install it with")
    if os.geteuid() != 0:
        raise Unavailable(f"{package} is not installed, and only root may install it: sudo apt-get install {package}")
    print(f"  installing {package} with apt-get", flush=True)
    with no_system_services():
        apt_update()
        apt_get("install", "--no-install-recommends", package)


@functools.cache
def apt_update() -> None:
    apt_get("update")


def apt_get(*arguments: str) -> None:
    command = ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=120", *arguments]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise Unavailable(f"`apt-get {' '.join(arguments)}` failed: {last_line(result.stderr)}")


@contextlib.contextmanager
def no_system_services() -> Iterator[None]:
    """Debian starts a server when it installs one; this is its way to say that only the program is wanted."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
