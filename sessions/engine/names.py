"""File names as plain data: what a person, a browser or a diff called a file, made safe to show and to compare."""

import re
import unicodedata

MAX_NAME = 200
_DRIVE = re.compile(r"[A-Za-z]:")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi and zero-width, surrogates, line separators


def clean_name(name: str) -> str:
    """A relative path with forward slashes, in NFC, of 1 to MAX_NAME characters; cleaning it again changes nothing.

    Invisible characters, `.`, `..`, drive letters and leading slashes are dropped. A long name loses its beginning,
    because the end holds the extension. What stays is data: it may hold quotes and angle brackets.
    """
    # Cut before NFC (a long run of combining marks is slow to sort) and again after it (NFC may lengthen), and take
    # the path apart last: a cut can turn "x.." into "..".
    visible = name[-4 * MAX_NAME :]
    if not visible.isprintable():  # printable text holds none of them
        visible = "".join(char for char in visible if unicodedata.category(char) not in _INVISIBLE)
    path = unicodedata.normalize("NFC", visible)[-MAX_NAME:].replace("\\", "/")
    parts = [part.strip() for part in path.split("/")]
    return "/".join(part for part in parts if part not in ("", ".", "..") and not _DRIVE.fullmatch(part)) or "unnamed"
