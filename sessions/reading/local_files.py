"""Files of this machine as `run_session` is given them: what they are called, and what a directory holds."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sessions.reading.ignored import vendored_directory, why_ignored
from sessions.reading.readable import MAX_DOCUMENT_BYTES

MAX_WALKED = 5_000


def artifact_names(paths: Iterable[str]) -> dict[str, str]:
    """What files are called, by the path that was typed: relative to the working directory inside of it, elsewhere the
    file's own name, with as many of its directories as tell it from the others."""
    files = {path: Path(os.path.abspath(path)) for path in paths}  # a link keeps the name it was reached by
    here = Path.cwd()
    return {
        path: file.relative_to(here).as_posix() if file.is_relative_to(here) else _shortest_name(file, files.values())
        for path, file in files.items()
    }


def _shortest_name(file: Path, files: Iterable[Path]) -> str:
    """The shortest end of the path that no other one has."""
    others = [other.as_posix() for other in files if other != file]
    ends = ("/".join(file.parts[-length:]) for length in range(1, len(file.parts)))
    return next((end for end in ends if not any(other.endswith(f"/{end}") for other in others)), file.name)


def read_directory(directory: Path, name: str) -> list[tuple[str, bytes]]:
    """(name, content) of the files below, as `read_many` takes them: at most MAX_WALKED, in order. Links are not
    followed. What would be ignored is named with no content. Raises OSError."""
    found = []
    for path, relative in _walk(directory):
        known = f"{name}/{relative}" if name not in ("", ".") else f"./{relative}"
        if why_ignored(known):
            found.append((known, b""))
        else:
            with path.open("rb") as file:
                found.append((known, file.read(MAX_DOCUMENT_BYTES + 1)))
        if len(found) == MAX_WALKED:
            break
    return found


def _walk(directory: Path) -> Iterator[tuple[Path, str]]:
    """Files below; of a directory of others' code one name stands for all."""
    for root, directories, files in os.walk(directory):
        here = Path(root)
        for name in sorted(directories):
            if vendored_directory(f"{name}/"):
                directories.remove(name)
                yield here / name, f"{(here / name).relative_to(directory).as_posix()}/all"
        directories.sort()
        for name in sorted(files):
            if not (here / name).is_symlink() and (here / name).is_file():
                yield here / name, (here / name).relative_to(directory).as_posix()
