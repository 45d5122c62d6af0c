"""What a person brings, made readable: bytes or pasted text in, normalised text with a kind and a digest out.

Whatever was changed or guessed on the way is said in `notices`.
"""

import codecs
import hashlib
import re
from dataclasses import dataclass

from sessions.engine.diffs import MalformedDiff, parse_diff, split_lines
from sessions.engine.names import clean_name
from sessions.engine.roster import ArtifactKind
from sessions.reading.apart import parse_apart
from sessions.reading.formats import document_format, refuse_formats
from sessions.reading.kinds import is_diff, kind_of
from sessions.reading.unreadable import Unreadable, megabytes

MAX_BYTES = 5_000_000  # of one text file
MAX_DOCUMENT_BYTES = 20_000_000  # of a PDF, DOCX or ZIP: most of it is pictures
MAX_LINES = 200_000
LONG_LINE = 10_000  # characters, from which on a person is told
MAX_NAMED = 5  # files listed in a notice

_UTF16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HIGH_BYTES = bytes(range(0x80, 0x100))
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]+")
# What text hardly holds, in bytes and in UTF-16 units (private use, surrogates without a partner, no character at
# all); form feeds and escapes are absent, because listings and terminal logs do hold them.
_BINARY = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f\ud800-\uf8ff\ufffe\uffff]+")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Readable:
    """One artifact. `text` has "\\n" line ends and neither control characters nor lone surrogates; `digest` is the
    SHA-256 of its UTF-8 in hex and identifies a version; `notices` are sentences for the person who brought it."""

    name: str
    kind: ArtifactKind
    text: str
    digest: str
    notices: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        return len(split_lines(self.text))


def read_bytes(name: str, data: bytes) -> Readable:
    """A file's content as a Readable: the text of a PDF or DOCX, else UTF-8, UTF-16 with its mark, or Windows-1252 when
    it plausibly is that. Raises Unreadable, nothing else. A PDF or DOCX takes its time: not on an event loop."""
    form = document_format(name, data)
    check_size(len(data), name if form else "")
    if form:
        text, notices = parse_apart(form, data)
        return _readable(name, text, notices, "document")
    refuse_formats(name, data)
    text, notices = _decode(data)
    return _readable(name, text, notices)


def read_text(name: str, text: str) -> Readable:
    """Pasted text, or a diff made here, as a Readable. Raises Unreadable."""
    check_size(len(text.encode("utf-8", "replace")))
    return _readable(name, text, [])


def check_size(size: int, name: str = "") -> None:
    """Raises Unreadable when a file of `size` bytes need not even be loaded."""
    limit = MAX_DOCUMENT_BYTES if name.lower().endswith((".pdf", ".docx", ".zip")) else MAX_BYTES
    if size > limit:
        raise Unreadable("too_large", size=megabytes(size), limit=megabytes(limit))


def _decode(data: bytes) -> tuple[str, list[str]]:
    for mark, codec in _UTF16:
        if data.startswith(mark):
            text = data[2 : len(data) & ~1].decode(codec, "surrogatepass")
            _refuse_binary(text)
            return text, ["It was read as UTF-16."]
    _refuse_binary(data.decode("latin-1"))
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8", "surrogatepass"), []
    except UnicodeDecodeError:
        return _decode_broken(data)


def _refuse_binary(text: str) -> None:
    odd = len(text) - len(_BINARY.sub("", text))
    if odd > max(4, len(text) // 50):
        raise Unreadable("binary")


def _decode_broken(data: bytes) -> tuple[str, list[str]]:
    """Mostly intact UTF-8 (cut within a character, or mixed), else Windows-1252 in a language that is mostly ASCII."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    intact = len(text) - len(text.encode("ascii", "ignore")) - broken
    if intact > broken:
        return text, ["It is damaged UTF-8."]
    high = len(data) - len(data.translate(None, _HIGH_BYTES))
    try:
        if high * 3 <= len(data):
            return data.decode("cp1252"), ["It was read as Windows-1252. If letters look wrong, save it as UTF-8."]
    except UnicodeDecodeError:
        pass  # a byte that Windows-1252 does not use
    raise Unreadable("unknown_encoding")


def _readable(name: str, text: str, notices: list[str], kind: ArtifactKind | None = None) -> Readable:
    text, cleaning = _normalise(text)
    lines = split_lines(text)
    if not text.strip():
        raise Unreadable("empty")
    if len(lines) > MAX_LINES:
        raise Unreadable("too_many_lines", size=f"{len(lines):,}", limit=f"{MAX_LINES:,}")
    if max(map(len, lines)) > LONG_LINE:
        cleaning.append(f"It has lines longer than {LONG_LINE:,} characters.")
    name = clean_name(name)
    kind, about_diff = _settle_kind(kind or kind_of(name, text), text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Readable(name, kind, text, digest, (*notices, *cleaning, *about_diff))


def _normalise(text: str) -> tuple[str, list[str]]:
    notices = []
    text = text.replace("\r\n", "\n")
    if not is_diff(text):  # to Git a lone carriage return ends no line, and hunks are counted in Git's lines
        text = text.replace("\r", "\n")
    clean = _CONTROLS.sub("", text)
    if removed := len(text) - len(clean):
        notices.append(f"Control characters were removed: {removed:,}.")
    if lost := clean.count("\ufffd"):
        notices.append(f"Characters that could not be decoded are shown as \ufffd: {lost:,}.")
    if _BIDI.search(clean):
        notices.append("It holds invisible characters that change the reading direction.")
    return clean, notices


def _settle_kind(kind: ArtifactKind, text: str) -> tuple[ArtifactKind, list[str]]:
    """What looks like a diff is one only if every hunk fits, because its line numbers are counted from the hunks."""
    if kind != "diff":
        return kind, []
    try:
        files = parse_diff(text)
    except MalformedDiff as error:
        if error.reason == "combined":
            raise Unreadable("combined_diff") from error
        return "document", [f"It looks like a diff, but is broken at line {error.line:,}, so it is read as plain text."]
    unread = [file.path for file in files if file.binary]
    more = f" and {len(unread) - MAX_NAMED} more" if len(unread) > MAX_NAMED else ""
    return "diff", [f"Binary files in it are not read: {', '.join(unread[:MAX_NAMED])}{more}."] if unread else []
