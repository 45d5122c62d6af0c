"""One file that holds an installation: `make backup [TO=file]`, and `make restore FROM=file` into an empty one.

Inside is the database (SQLite's own backup, or a pg_dump) and the two secrets that sign cookies and seal provider keys,
from files or from the environment. Whoever has the file has everything: only its owner may read it. A backup is made
while the server runs. What it is made of: DATABASE_URL, else the PostgreSQL of `make scale`, else the SQLite file of
`make run`, else the PostgreSQL that `make scale` left.
"""

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tools.programs import Unavailable, postgres_program
from tools.scale_env import ROOT, data_directory, running
from tools.services import exit_on_sigterm, postgres

FORMAT = 1
MANIFEST, SQLITE, POSTGRES = "crucible-backup.json", "database.sqlite3", "database.dump"
# file in the data directory -> the variable that replaces it
SECRETS = {
    "secret.key": "CRUCIBLE_SECRET_KEY",
    "provider-keys.key": "CRUCIBLE_KEYRING",
    "certificates.key": "CRUCIBLE_SIGNING_KEY",
}
# Those that an installation or a backup of an earlier version does not have.
LATER = frozenset({"certificates.key"})
# parameter of an address -> the variable that PostgreSQL's programs read
LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


@dataclass(frozen=True, slots=True)
class Installation:
    """`url` is empty for SQLite, whose file is `sqlite`. `environment` is what commands of it run in."""

    data: Path
    url: str
    environment: dict[str, str]

    @property
    def sqlite(self) -> Path:
        address = self.environment.get("DATABASE_URL", "")
        named = unquote(address.removeprefix("sqlite:///")) if address.startswith("sqlite:") else ""
        return Path(named) if named else self.data / "crucible.sqlite3"

    def manage(self, *arguments: str) -> bool:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="make backup, make restore")
    parser.add_argument("--to", type=Path, help="the file to write (default: a new one here, named after the time)")
    parser.add_argument("--restore", type=Path, metavar="FILE", help="a backup to put into an empty installation")
    options = parser.parse_args()
    exit_on_sigterm()
    try:
        if options.restore:
            restore(options.restore)
        else:
            print(f"  kept in {backup(options.to)}; whoever has this file has everything")
    except Unavailable as reason:
        sys.exit(str(reason))


# --- there


def backup(target: Path | None = None) -> Path:
    """Write a backup and return its path. Ends the process with a sentence when it cannot."""
    target = target or Path(f"crucible-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.tar.gz")
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(installation(os.environ | running()))
        if not here.url and not here.sqlite.exists():
            sys.exit(f"There is nothing to back up in {here.data}: no server has run here.")
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=here.data, prefix="backup-")))
        name = POSTGRES if here.url else SQLITE
        (dump_postgres if here.url else copy_sqlite)(here, work / name)
        members = {MANIFEST: manifest(name), **secrets_of(here)}
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            sys.exit(f"{target} exists already; a backup overwrites nothing.")
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for member, content in members.items():
                add(archive, member, content)
            archive.add(work / name, name, recursive=False)
    return target


def copy_sqlite(here: Installation, target: Path) -> None:
    """A consistent copy, also while the server writes."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{here.sqlite}?mode=rw", uri=True)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


def dump_postgres(here: Installation, target: Path) -> None:
    run([postgres_program("pg_dump"), "--format=custom", f"--file={target}"], here, "The database was not dumped.")


def manifest(database: str) -> bytes:
    return json.dumps({"format": FORMAT, "database": database, "made_at": datetime.now(UTC).isoformat()}).encode()


def secrets_of(here: Installation) -> dict[str, bytes]:
    """What the installation uses, from its environment or from its files."""
    found = {name: here.environment.get(variable, "").strip().encode() for name, variable in SECRETS.items()}
    there = {name: value for name, value in found.items() if value or name not in LATER or (here.data / name).exists()}
    return {name: value or (here.data / name).read_bytes() for name, value in there.items()}


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(datetime.now(UTC).timestamp())
    archive.addfile(member, BytesIO(content))


# --- and back again


def restore(source: Path) -> None:
    """Put a backup into an empty installation, bring its database up to date and verify it. Overwrites nothing."""
    with contextlib.ExitStack() as stack:
        database, secrets, unpacked = stack.enter_context(opened(source))
        here = stack.enter_context(installation(os.environ | running(), own_cluster=database == POSTGRES))
        if bool(here.url) != (database == POSTGRES):
            sys.exit("This backup is of the other kind of database: set DATABASE_URL to one of its kind, or unset it.")
        require_empty(here, secrets)
        if database == POSTGRES:
            load_postgres(here, unpacked)
        else:
            shutil.copyfile(unpacked, here.sqlite)
            here.sqlite.chmod(0o600)
        for name, content in secrets.items():
            if not here.environment.get(SECRETS[name]):
                put(here.data / name, content)
        if not (here.manage("migrate", "-v0") and here.manage("verify_invariants")):
            sys.exit("The backup is restored, and something in it does not hold; the words above say what.")
    print("  restored and verified; start the server")


@contextlib.contextmanager
def opened(source: Path) -> Iterator[tuple[str, dict[str, bytes], Path]]:
    """(which database is in it, secrets by file name, the unpacked database). Ends the process with a sentence when it
    is no backup."""
    with tempfile.TemporaryDirectory(prefix="crucible-restore-") as work:
        try:
            with tarfile.open(source) as archive:
                about = json.loads(read(archive, MANIFEST))
                database = POSTGRES if about["database"] == POSTGRES else SQLITE
                held = [name for name in SECRETS if name not in LATER or name in archive.getnames()]
                secrets = {name: read(archive, name) for name in held}
                archive.extract(archive.getmember(database), work, filter="data")
                fits = about["format"] == FORMAT
        except (OSError, tarfile.TarError, KeyError, TypeError, ValueError, EOFError, zlib.error):
            sys.exit(f"{source} cannot be read as a backup of Crucible.")
        if not fits:
            sys.exit(f"{source} was made by another version of Crucible; restore it with that one.")
        yield database, secrets, Path(work) / database


def require_empty(here: Installation, restored: Mapping[str, bytes]) -> None:
    """Ends the process with a sentence when something would be overwritten or could not be opened afterwards."""
    if here.url:
        count = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        if run([postgres_program("psql"), "-XAtc", count], here, "The database cannot be reached.").strip() != "0":
            sys.exit("The database is not empty. Restore into a new one.")
    elif here.sqlite.exists():
        sys.exit(f"{here.sqlite} exists. Restore into an empty data directory (CRUCIBLE_DATA_DIR).")
    for name in restored:
        kept, variable = here.data / name, SECRETS[name]
        value = here.environment.get(variable, "").strip().encode() or (kept.read_bytes() if kept.exists() else b"")
        if value and value.strip() != restored[name].strip():
            where = variable if here.environment.get(variable) else str(kept)
            sys.exit(f"{where} is another secret than the backup's. Take it away, or put the backup's there.")


def load_postgres(here: Installation, dump: Path) -> None:
    command = [postgres_program("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error"]
    name = postgres_environment(here.url)["PGDATABASE"]
    run([*command, "--single-transaction", f"--dbname={name}", str(dump)], here, "The dump was not restored.")


def read(archive: tarfile.TarFile, name: str) -> bytes:
    """Raises KeyError."""
    member = archive.extractfile(archive.getmember(name))
    if member is None:
        raise KeyError(name)
    return member.read()


def put(path: Path, content: bytes) -> None:
    if path.exists():
        return  # the same secret, as was seen before
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


# --- which installation


@contextlib.contextmanager
def installation(environment: dict[str, str], *, own_cluster: bool = False) -> Iterator[Installation]:
    """The one that these variables describe. A PostgreSQL that `make scale` left, or is to find (`own_cluster`), is
    started for as long as the block lasts."""
    data = Path(environment.get("CRUCIBLE_DATA_DIR") or data_directory()).resolve()
    data.mkdir(parents=True, exist_ok=True)
    address, left = environment.get("DATABASE_URL", ""), data / "postgresql"
    here = Installation(data, "" if address.startswith("sqlite:") else address, environment)
    if not address and (own_cluster or (left.exists() and not here.sqlite.exists())):
        with postgres(left, durable=True) as server:
            yield Installation(data, server.url, environment | {"DATABASE_URL": server.url})
    else:
        yield here


def run(command: list[str], here: Installation, failure: str) -> str:
    """What it printed. Its address is in the environment: a password on the command line is there for all to read."""
    environment = here.environment | postgres_environment(here.url)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{failure} {done.stderr.strip()}")
    return done.stdout


def postgres_environment(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    named = {
        "PGHOST": parts.hostname,
        "PGPORT": parts.port and str(parts.port),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
    }
    options = {LIBPQ[name]: values[0] for name, values in parse_qs(parts.query).items() if name in LIBPQ}
    return {name: value for name, value in named.items() if value} | options


if __name__ == "__main__":
    main()
