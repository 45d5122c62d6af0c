"""Unified diffs, plain or Git's: which file and which line of the new file each line of diff text is."""

import re
from dataclasses import dataclass
from typing import Literal

from sessions.engine.names import clean_name

DiffStatus = Literal["added", "deleted", "modified", "renamed", "copied"]

_HUNK = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_COMBINED = ("diff --cc ", "diff --combined ", "@@@ ")
_BINARY = ("Binary files ", "GIT binary patch")
_SIGNATURE = ("-- ", "--")  # ends a mailed patch
_STATUS: dict[str, DiffStatus] = {
    "new file mode ": "added",
    "deleted file mode ": "deleted",
    "rename to ": "renamed",
    "copy to ": "copied",
}
_MOVED = re.compile(r"(?:rename|copy) (from|to) (.+)")
_NO_FILE = "/dev/null"
_PREFIX = re.compile(r"^[abciow12]/")  # a/ b/, and the letters of diff.mnemonicPrefix
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)")


def split_lines(text: str) -> list[str]:
    """The lines of `text` without their "\n"; a final newline does not begin another line."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


class MalformedDiff(ValueError):
    """`line` (from 1) of the text is where it stops being a unified diff. A combined (merge) diff is malformed too:
    it has more than one old file."""

    def __init__(self, reason: Literal["combined", "bad_line", "cut_short"], line: int) -> None:
        super().__init__(f"{reason} at line {line}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One line of diff text.

    `sign` is "+", "-" or " " (`text` is then without it), "@" for a hunk's header, "\\" for "No newline at end of
    file", "" for headers and for what stands between files. `line` is the place in the new file: for a removed line
    that of the line after it. `path` is "" between files.
    """

    path: str
    line: int
    sign: str
    text: str

    @property
    def new_line(self) -> int | None:
        """The number of this line in the new file, None for what is not in it."""
        return self.line if self.sign in ("+", " ") else None

    @property
    def raw(self) -> str:
        return self.sign + self.text if self.sign in ("+", "-", " ") else self.text


@dataclass(frozen=True, slots=True)
class DiffFile:
    """`path` is the new file's (the old one's when deleted); `old_path` is "" for an added file. A binary file has
    headers but no lines: it is named, not read."""

    path: str
    old_path: str
    status: DiffStatus
    binary: bool
    rows: tuple[DiffRow, ...]

    @property
    def hunks(self) -> tuple[tuple[DiffRow, ...], ...]:
        """The rows of each hunk, its header first."""
        starts = [index for index, row in enumerate(self.rows) if row.sign == "@"]
        return tuple(self.rows[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True))

    @property
    def new_lines(self) -> dict[int, str]:
        """The lines of the new file that the diff shows, by number."""
        return {row.line: row.text for row in self.rows if row.new_line is not None}

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(row.text for row in self.rows if row.sign == "-")

    def render(self) -> str:
        """This file's part of the diff as text, which parses to this file again."""
        return "".join(row.raw + "\n" for row in self.rows)


def parse_diff(text: str) -> tuple[DiffFile, ...]:
    """The files of a unified diff in order; none in a text that holds no diff. Raises MalformedDiff."""
    return tuple(part.as_file() for part in _Reader(split_lines(text)).read() if part.is_file)


def diff_rows(text: str) -> list[DiffRow]:
    """One row for each line of `text`; in a malformed diff no line has a place."""
    lines = split_lines(text)
    try:
        return [row for part in _Reader(lines).read() for row in part.rows()]
    except MalformedDiff:
        return [DiffRow("", 1, "", line) for line in lines]


class _Part:
    """A run of lines that belong to one file, or to none: a mail's head, a commit message, a signature."""

    def __init__(self, is_file: bool, git_names: tuple[str, str] = ("", "")) -> None:
        self.is_file = is_file
        self.git_names = git_names
        self.marked_names = ("", "")  # of the lines "---" and "+++"
        self.moved_names = ("", "")  # of a rename or copy
        self.status: DiffStatus = "modified"
        self.binary = False
        self.has_hunks = False
        self.lines: list[tuple[int, str, str]] = []  # place, sign, text

    def take_header(self, line: str) -> None:
        for prefix, status in _STATUS.items():
            if line.startswith(prefix):
                self.status = status
        if moved := _MOVED.match(line):
            old, new = self.moved_names
            self.moved_names = (_unquote(moved[2]), new) if moved[1] == "from" else (old, _unquote(moved[2]))
        self.binary = self.binary or line.startswith(_BINARY)

    def rows(self) -> list[DiffRow]:
        path = self._paths()[1] if self.is_file else ""
        return [DiffRow(path, *line) for line in self.lines]

    def as_file(self) -> DiffFile:
        old_path, path = self._paths()
        status: DiffStatus = "added" if not old_path else self.status
        if self.marked_names[1] == _NO_FILE:
            status = "deleted"
        return DiffFile(path, old_path, status, self.binary, tuple(self.rows()))

    def _paths(self) -> tuple[str, str]:
        if self.moved_names[1]:
            old, new = self.moved_names
            return clean_name(old), clean_name(new)
        # With diff.noprefix both names are the same, and a leading "b/" is a folder.
        old, new = self.git_names if any(self.git_names) else self.marked_names
        has_prefixes = old != new
        old, new = self.marked_names if any(self.marked_names) else self.git_names
        if has_prefixes:
            old, new = _PREFIX.sub("", old), _PREFIX.sub("", new)
        path = clean_name(old if new == _NO_FILE else new)
        return "" if old == _NO_FILE or self.status == "added" else clean_name(old), path


class _Reader:
    """Follows the counts in the hunk headers, because a removed line "-- x" looks like the header of a file."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.parts = [_Part(is_file=False)]
        self.place = 1
        self.old_left = self.new_left = 0

    def read(self) -> list[_Part]:
        for index, line in enumerate(self.lines):
            if self.old_left or self.new_left:
                self._take_hunk_line(index, line)
            elif line.startswith("@@ -"):
                self._take_hunk_header(index, line)
            else:
                self._take_other_line(index, line)
        if self.old_left or self.new_left:
            raise MalformedDiff("cut_short", len(self.lines))
        return self.parts

    def _take_hunk_line(self, index: int, line: str) -> None:
        sign = line[:1] or " "  # editors strip the blank of an empty context line
        if sign == "\\":
            return self._add(sign, line)
        self.old_left -= sign != "+"
        self.new_left -= sign != "-"
        if sign not in "+- " or self.old_left < 0 or self.new_left < 0:
            raise MalformedDiff("bad_line", index + 1)
        self._add(sign, line[1:])
        self.place += sign != "-"

    def _take_hunk_header(self, index: int, line: str) -> None:
        match, part = _HUNK.match(line), self.parts[-1]
        if not match or not part.is_file:
            raise MalformedDiff("bad_line", index + 1)
        part.has_hunks = True
        self.old_left, self.new_left = int(match[1] or 1), int(match[3] or 1)
        # A hunk without new lines names the line before it.
        self.place = int(match[2]) + (self.new_left == 0)
        self._add("@", line)

    def _take_other_line(self, index: int, line: str) -> None:
        part = self.parts[-1]
        after = self.lines[index + 1] if index + 1 < len(self.lines) else ""
        if line.startswith(_COMBINED):
            raise MalformedDiff("combined", index + 1)
        if line.startswith("\\"):
            return self._add("\\", line)
        if line.startswith("diff --git "):
            self.parts.append(_Part(True, _git_names(line)))
        elif line.startswith("--- ") and after.startswith("+++ "):
            if not part.is_file or any(part.marked_names):
                self.parts.append(_Part(is_file=True))
            self.parts[-1].marked_names = (_marked_name(line), _marked_name(after))
        elif part.has_hunks:
            if line[:1] in ("+", "-", " ") and line not in _SIGNATURE:
                raise MalformedDiff("bad_line", index + 1)
            self.parts.append(_Part(is_file=False))
        else:
            part.take_header(line)
        self._add("", line)

    def _add(self, sign: str, text: str) -> None:
        self.parts[-1].lines.append((max(self.place, 1), sign, text))


def _git_names(line: str) -> tuple[str, str]:
    """The two names of "diff --git", which nothing separates when they hold blanks, so only if they are of one
    length; other headers tell the names of what was moved."""
    names = line.removeprefix("diff --git ")
    middle = len(names) // 2
    return (_unquote(names[:middle]), _unquote(names[middle + 1 :])) if names[middle : middle + 1] == " " else ("", "")


def _marked_name(line: str) -> str:
    """The name on a "---" or "+++" line, before the tab that a date or nothing follows."""
    return _unquote(line[4:].split("\t", 1)[0])


def _unquote(name: str) -> str:
    """Git's C-style quoting undone; escaped control characters are dropped, as raw ones are."""
    if len(name) < 2 or name[0] != '"' or name[-1] != '"':
        return name
    quoted = name[1:-1].encode("utf-8", "replace")
    return _ESCAPE.sub(_unescape, quoted).decode("utf-8", "replace")


def _unescape(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if len(code) == 3:
        return bytes([int(code, 8)])
    return code if code in b'"\\' else b""
