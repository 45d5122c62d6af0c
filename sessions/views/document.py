"""A Markdown document as it is meant to be read, in places that findings can mark: a heading, a paragraph, an item, a
table row, a line of a code block. Nothing in it leads or reaches anywhere: raw HTML stays text, and so do links and
images, with their addresses."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from django.utils.html import escape
from markdown_it.token import Token

from sessions.reports.html import markdown_parser

MOST_LINES, MOST = 3_000, 200_000  # lines, characters: what is longer is shown line by line
_NAMES = (".md", ".markdown", ".mdown")
_DIRECTED = ("paragraph_open", "heading_open", "list_item_open", "blockquote_open", "th_open", "td_open")
_BELOW = 2  # the page and its pane have headings of their own
_BREAK = "\0"  # nothing that was read holds one: Markdown replaces it
_PLACE = re.compile(rf"{_BREAK}([0-9]+){_BREAK}")


@dataclass(frozen=True, slots=True)
class Places:
    """HTML in parts: before the first place, then one that begins with the contents of each place and goes on to the
    next. `rows` are the rows that each place stands for, from 0; together they are all rows."""

    parts: tuple[str, ...]
    rows: tuple[range, ...]

    def html(self, opening: Callable[[range], str]) -> str:
        """The document, with `opening` of its rows before each place; what it opens is a span."""
        opened = (opening(rows) + part for rows, part in zip(self.rows, self.parts[1:], strict=True))
        return self.parts[0] + "".join(opened)


def is_rendered(name: str, kind: str, text: str) -> bool:
    fits = len(text) <= MOST and text.count("\n") < MOST_LINES
    return kind == "document" and fits and name.lower().endswith(_NAMES)


@lru_cache(maxsize=32)
def places_of(text: str) -> Places:
    inert = markdown_parser()
    parts = _PLACE.split(inert.renderer.render(list(_placed(inert.parse(text))), inert.options, {}))
    starts = [int(start) for start in parts[1::2]]
    edges = [0, *starts[1:], text.count("\n") + 1]
    rows = tuple(range(*edge) for edge in pairwise(edges)) if starts else ()
    return Places(tuple(parts[::2]), rows)


def _placed(tokens: list[Token]) -> Iterator[Token]:
    """The tokens with every place between a mark of its first row and the end of a span."""
    row = last = -1
    for token in tokens:
        token.attrs.pop("style", None)  # alignment of columns; the page allows no styles in its text
        row = token.map[0] if token.map else row
        if token.type in _DIRECTED:
            token.attrSet("dir", "auto")
        if token.type == "heading_open":
            token.attrSet("class", f"doc-{token.tag}")
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + _BELOW, 6)}"
        if token.type in ("fence", "code_block"):
            yield _raw(_code(token.content, row + (token.type == "fence")))
            last = row
        elif token.type == "inline" and token.children is not None and row > last:
            token.children = [_raw(f"{_BREAK}{row}{_BREAK}"), *token.children, _raw("</span>")]
            last = row
            yield token
        else:
            yield token


def _code(content: str, first: int) -> str:
    lines = content.removesuffix("\n").split("\n")
    marked = "\n".join(f"{_BREAK}{row}{_BREAK}{escape(line)}</span>" for row, line in enumerate(lines, first))
    return f'<pre class="doc-code"><code>{marked}</code></pre>\n'


def _raw(html: str) -> Token:
    """Our own HTML, between what Markdown made."""
    return Token("html_inline", "", 0, content=html)
