"""Everything a review needs of a pull request, of one and the same commit: the diff, and the changed files as they are
there, which are read and not judged."""

import asyncio
from dataclasses import dataclass
from functools import partial

from sessions.engine.diffs import MalformedDiff, parse_diff
from sessions.pullrequests.client import CodeHost, Head, HostError
from sessions.reading import MAX_BYTES
from sessions.reading.ignored import why_ignored

MAX_CONTEXT_FILES = 20
MAX_CONTEXT_BYTES = 300_000  # of one file: it fills a context window that the diff needs more
AT_ONCE = 6
LOOKS = 3


@dataclass(frozen=True, slots=True)
class Downloaded:
    """`left_out` are changed files that are not read in whole; their changes are in the diff all the same."""

    head: Head
    diff: bytes
    files: tuple[tuple[str, bytes], ...]
    left_out: tuple[str, ...]


async def download(host: CodeHost, number: int) -> Downloaded:
    """Raises HostError; `moving` when every look finds another commit."""
    head, diff = await _steady(host, number)
    paths = changed_paths(diff)
    places = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*map(partial(_file, host, head.sha, places), paths[:MAX_CONTEXT_FILES]))
    files = tuple((path, content) for path, content in zip(paths, found, strict=False) if content is not None)
    kept = {path for path, _ in files}
    return Downloaded(head, diff, files, tuple(path for path in paths if path not in kept))


async def _steady(host: CodeHost, number: int) -> tuple[Head, bytes]:
    """A head and its diff. Somebody may push in between, and a diff does not say of which commit it is."""
    head = await host.head(number)
    for _ in range(LOOKS):
        diff = await host.diff(number, MAX_BYTES)
        now = await host.head(number)
        if now.sha == head.sha:
            return head, diff
        head = now
    raise HostError("moving")


async def _file(host: CodeHost, sha: str, places: asyncio.Semaphore, path: str) -> bytes | None:
    """None for a file that is too large or not there as a file (a submodule)."""
    async with places:
        try:
            return await host.file(path, sha, MAX_CONTEXT_BYTES)
        except HostError as failure:
            if failure.code in {"too_large", "not_found", "unauthorised"}:
                return None
            raise


def changed_paths(diff: bytes) -> list[str]:
    """Files of a diff that have a new state worth reading."""
    try:
        files = parse_diff(diff.decode("utf-8", "replace"))
    except MalformedDiff:
        return []
    return [file.path for file in files if file.status != "deleted" and not file.binary and not why_ignored(file.path)]
