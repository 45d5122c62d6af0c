"""Source code in colours: Pygments' tokens as spans with its short classes, a line at a time."""

from functools import lru_cache

from django.utils.html import escape
from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_for_filename
from pygments.token import STANDARD_TYPES

MOST = 150_000  # characters: what is longer stays plain, so that no text can keep a page waiting


@lru_cache(maxsize=64)
def painted(name: str, text: str) -> tuple[str, ...]:
    """The lines of `text` as HTML, as many as it has line breaks and one more; plain in a language nobody knows."""
    lexer = _lexer(name) if len(text) <= MOST else None
    if lexer is None:
        return tuple(escape(line) for line in text.split("\n"))
    lines: list[list[str]] = [[]]
    for _, kind, value in lexer.get_tokens_unprocessed(text):
        shape = STANDARD_TYPES.get(kind) or STANDARD_TYPES.get(kind.parent, "")
        for place, part in enumerate(value.split("\n")):
            if place:
                lines.append([])
            if part:
                lines[-1].append(f'<span class="{shape}">{escape(part)}</span>' if shape else escape(part))
    return tuple("".join(line) for line in lines)


@lru_cache(maxsize=256)
def _lexer(name: str) -> Lexer | None:
    found = find_lexer_class_for_filename(name.rpartition("/")[2])
    return found() if found else None
