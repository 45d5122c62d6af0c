"""Readers of environment variables, for settings.py.

A value that cannot be read becomes a complaint and counts as not set. A system check shows the complaints (and `serve`
and the workers refuse to start on them), because an error raised while settings load reaches people as a traceback.
A complaint names the variable and never repeats an address, which may hold a password.
"""

import contextlib
import math
import os
import secrets
import sys
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

YES, NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}

complaints: list[str] = []


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def words(name: str) -> list[str]:
    return [word.strip() for word in text(name).split(",") if word.strip()]


def flag(name: str) -> bool:
    word = text(name).lower()
    if word not in YES | NO:
        complaints.append(f"{name} must be 1 or 0, not {word!r}.")
    return word in YES


def one_of(name: str, default: str, choices: Collection[str]) -> str:
    """`default` need not be a choice: it then says that the variable is not set."""
    word = text(name) or default
    if word not in {default, *choices}:
        complaints.append(f"{name} must be one of {', '.join(choices)}, not {word!r}.")
        return default
    return word


def port(name: str, default: int) -> int:
    word = text(name) or str(default)
    if not (word.isascii() and word.isdigit() and 0 < int(word) < 65_536):
        complaints.append(f"{name} must be a port number, 1 to 65535, not {word!r}.")
        return default
    return int(word)


def hosts(name: str) -> list[str]:
    """Host names, some with a port; an address such as http://localhost:1234/v1 would never match one."""
    found = words(name)
    if any("/" in word for word in found):
        complaints.append(f"{name} lists host names separated by commas, without http:// and without a path.")
    return found


def url(name: str, schemes: Collection[str], example: str) -> str:
    """An address with one of these schemes."""
    found = text(name)
    try:
        parts = urlsplit(found)
        fits = parts.scheme in schemes and parts.port != 0
    except ValueError:  # the port is no number
        fits = False
    if found and not fits:
        complaints.append(f"{name} must be like {example}.")
    return found if fits else ""


def seconds(name: str, names: Collection[str]) -> dict[str, float]:
    """`first_byte=600,idle=300` as a dict with keys out of `names`."""
    found = {}
    for word in words(name):
        key, _, value = (part.strip() for part in word.partition("="))
        if key not in names or not (number := _positive(value)):
            complaints.append(
                f"{name} must be like first_byte=600,idle=300: {word!r} is not one of {', '.join(names)},"
                " an equals sign and a number of seconds above 0."
            )
        else:
            found[key] = number
    return found


def data_directory(name: str, default: Path) -> Path:
    """Made when it is missing. Nothing can be loaded without it, so this one ends the process."""
    path = Path(text(name) or default).resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"{path} cannot be made: {error.strerror}. Set {name} to a directory of yours.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        sys.exit(f"{path} cannot be read and written by this user. Set {name} to a directory that can be.")
    return path


def kept_secret(name: str, path: Path) -> str:
    """From the environment, else from the file, which the first process to ask creates."""
    if value := text(name):
        return value
    if not path.exists():
        # Written aside and then linked: of two processes that start at once, neither reads half a secret.
        aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
    return path.read_text("ascii").strip()


def _positive(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None
