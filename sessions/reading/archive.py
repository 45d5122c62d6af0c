"""The files in a ZIP archive, as far as they are worth reading. Nothing is ever written to a disk, so a path that leads
elsewhere leads nowhere; it is refused all the same, because a name would be made up for it."""

import base64
import stat
import zipfile
import zlib
from io import BytesIO

from sessions.reading.ignored import why_ignored
from sessions.reading.unreadable import Unreadable

MAX_ENTRIES = 5_000
MAX_UNPACKED = 20_000_000  # bytes of all files that are read
MAX_ENTRY = 20_000_000  # bytes of one file; what kind of file may have how many is checked when it is read
MAX_RATIO = 200  # text rarely shrinks to less than a fiftieth
MAX_DEPTH = 20

Found = list[tuple[str, str]]  # path, and the content in Base64 or the reason why it was passed over
_ENCRYPTED = 0x1


def entries(file: BytesIO) -> tuple[Found, Found]:
    """(path, content) of the files to read and (path, code) of those passed over. Raises Unreadable (`zip_too_many`,
    `zip_too_large`, `zip_bomb`, `zip_empty`) and what zipfile stumbles over."""
    with zipfile.ZipFile(file) as archive:
        listed = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(listed) > MAX_ENTRIES:
            raise Unreadable("zip_too_many", size=f"{len(listed):,}", limit=f"{MAX_ENTRIES:,}")
        read: Found = []
        passed: Found = []
        room = MAX_UNPACKED
        for entry in listed:
            if code := _why_passed(entry):
                passed.append((entry.filename, code))
                continue
            content = _content(archive, entry, room)
            room -= len(content)
            read.append((entry.filename, base64.b64encode(content).decode()))
    if not read:
        raise Unreadable("zip_empty")
    return read, passed


def _why_passed(entry: zipfile.ZipInfo) -> str:
    path = entry.filename.replace("\\", "/")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in entry.orig_filename:
        return "unsafe_path"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "link"
    if len(parts) > MAX_DEPTH:
        return "too_deep"
    if entry.flag_bits & _ENCRYPTED:
        return "locked_entry"
    if path.lower().endswith(".zip"):
        return "nested_archive"
    return why_ignored(path)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> bytes:
    """At most one byte more than there is room for is ever unpacked, whatever the archive says of its sizes."""
    limit = min(room, MAX_ENTRY)
    with archive.open(entry) as stream:
        try:
            content = stream.read(limit + 1)
        except zlib.error:
            raise Unreadable("damaged", format="ZIP") from None
    if len(content) > limit:
        raise Unreadable("zip_too_large", limit=f"{MAX_UNPACKED // 1_000_000} MB")
    if len(content) > MAX_RATIO * max(entry.compress_size, 100):
        raise Unreadable("zip_bomb", limit=MAX_RATIO)
    return content
