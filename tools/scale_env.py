"""The environment of `make scale` for other commands while it runs: a file that a shell can read and `make link` reads.

Nobody else may read it, for it holds passwords. `make scale` locks it for as long as it lives, so that what a killed
one left behind counts for nothing.
"""

import contextlib
import fcntl
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("CRUCIBLE_", "DATABASE_URL", "REDIS_URL", "EMAIL_", "DJANGO_SETTINGS_MODULE")


def data_directory() -> Path:
    return Path(os.environ.get("CRUCIBLE_DATA_DIR") or ROOT / "data").resolve()


def env_file() -> Path:
    return data_directory() / "run" / "scale.env"


@contextlib.contextmanager
def published(environment: Mapping[str, str]) -> Iterator[Path]:
    """Write our variables of `environment` to the file; it is gone with the block."""
    path = env_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    variables = {name: value for name, value in environment.items() if name.startswith(OURS)}
    variables["CRUCIBLE_DATA_DIR"] = str(data_directory())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
        file.flush()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def running() -> dict[str, str]:
    """The variables of the `make scale` that runs on our data directory; empty when none does."""
    try:
        file = env_file().open()
    except OSError:
        return {}
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            assignments = (word.partition("=") for word in shlex.split(file.read()) if word != "export")
            return {name: value for name, _, value in assignments}
    return {}
