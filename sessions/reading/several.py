"""Several files at once, a folder or archives: what is worth reading is read, the rest is named with its reason."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sessions.engine.names import clean_name
from sessions.reading.apart import parse_apart
from sessions.reading.archive import MAX_DEPTH
from sessions.reading.formats import is_archive
from sessions.reading.ignored import vendored_directory, why_ignored
from sessions.reading.readable import MAX_DOCUMENT_BYTES, Readable, check_size, read_bytes
from sessions.reading.unreadable import IGNORED, Unreadable, megabytes

MAX_TOTAL_BYTES = 20_000_000  # of what is brought at once
MAX_FILES = 50


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of several files that was not read. `ignored`: it was passed over because it came along with others, in a
    folder or an archive; otherwise somebody meant it, and has to be told. A directory stands for all files in it."""

    name: str
    code: str
    sentence: str
    next_step: str = ""
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    data: bytes
    along: bool  # it came with a folder or an archive


def read_many(items: Iterable[tuple[str, bytes]]) -> tuple[list[Readable], list[Refusal]]:
    """What can be read of several (name, content) pairs, and what cannot, each in the order they came. A name with
    directories is a file of a folder. ZIP archives are unpacked: not on an event loop."""
    readables: list[Readable] = []
    refusals: dict[tuple[str, str], Refusal] = {}
    room, beyond = MAX_TOTAL_BYTES, 0
    for found in _files(items):
        if isinstance(found, Refusal):
            refusals[found.name, found.code] = found
        elif found.along and len(readables) == MAX_FILES:
            beyond += 1
        else:
            try:
                readables.append(_read(found, room, len(readables)))
                room -= len(found.data)
            except Unreadable as error:
                refusals[found.name, error.code] = refusal_of(found.name, error, along=found.along)
    if beyond:  # of a folder or an archive, which may have thousands
        rest = f"{beyond:,} more files"
        refusals[rest, ""] = refusal_of(rest, Unreadable("too_many_files", limit=MAX_FILES))
    return readables, list(refusals.values())


def _read(file: _File, room: int, count: int) -> Readable:
    """Raises Unreadable, also when there is no more room."""
    if len(file.data) > MAX_DOCUMENT_BYTES:
        check_size(len(file.data), file.name)
    if count == MAX_FILES:
        raise Unreadable("too_many_files", limit=MAX_FILES)
    if len(file.data) > room:
        raise Unreadable("total_too_large", limit=megabytes(MAX_TOTAL_BYTES))
    return read_bytes(file.name, file.data)


def _files(items: Iterable[tuple[str, bytes]]) -> Iterator[_File | Refusal]:
    for name, data in items:
        path = clean_name(name)
        if is_archive(path, data):
            yield from _unpacked(path, data)
        elif "/" in path and (code := why_ignored(path)):
            yield _passed_over(path, code)
        else:
            yield _File(path, data, "/" in path)


def _unpacked(path: str, data: bytes) -> Iterator[_File | Refusal]:
    try:
        check_size(len(data), f"{path}.zip")
        read, passed = parse_apart("ZIP", data)
    except Unreadable as error:
        yield refusal_of(path, error)
        return
    root = _common_directory([name for name, _ in read])
    for name, content in read:
        yield _File(clean_name(name.removeprefix(root)), base64.b64decode(content), along=True)
    for name, code in passed:
        yield _passed_over(clean_name(name.removeprefix(root)), code)


def _common_directory(names: list[str]) -> str:
    """The directory that all files of an archive lie in. Code hosts name it after the commit, and the same file has to
    have the same name in the next archive."""
    root = f"{names[0].partition('/')[0]}/"
    return root if all(name.startswith(root) for name in names) else ""


def _passed_over(path: str, code: str) -> Refusal:
    name = vendored_directory(path) if code == "vendored" else path
    return Refusal(name or path, code, IGNORED[code].format(limit=MAX_DEPTH), ignored=True)


def refusal_of(name: str, error: Unreadable, *, along: bool = False) -> Refusal:
    return Refusal(name, error.code, error.sentence, error.next_step, ignored=along)
