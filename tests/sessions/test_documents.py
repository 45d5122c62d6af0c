"""Markdown as it is read: every row stands in one place, and nothing in it runs, leads or reaches anywhere."""

import re

import pytest

from sessions.views.document import MOST_LINES, is_rendered, places_of

TEXT = """\
# Title

A paragraph of *two
lines* with [a link](https://example.org/x) and <script>alert(1)</script>.

- one
- two

| a | b |
|---|--:|
| 1 | 2 |

```py
x = "<y>"
z = 1
```

[ref]: https://example.org/y
"""


def shown(text: str) -> str:
    return places_of(text).html(lambda rows: f'<span id="R{rows.start + 1}">')


def test_every_row_stands_in_exactly_one_place() -> None:
    rows = [row for place in places_of(TEXT).rows for row in place]
    assert rows == list(range(TEXT.count("\n") + 1))


@pytest.mark.parametrize(
    ("row", "words"),
    [(1, "Title"), (3, "A paragraph"), (6, "one"), (7, "two"), (9, "a"), (11, "1"), (14, "x ="), (15, "z = 1")],
)
def test_a_place_begins_at_its_own_row(row: int, words: str) -> None:
    assert re.search(rf'<span id="R{row}">{re.escape(words)}', shown(TEXT))


def test_raw_html_links_references_and_styles_stay_text() -> None:
    html = shown(TEXT)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "[a link](https://example.org/x)" in html
    assert "[ref]: https://example.org/y" in html
    assert not re.search(r"<a|<img|<script|style=|href=|src=", html)


def test_the_headings_of_a_document_stand_below_those_of_its_page() -> None:
    assert '<h3 dir="auto" class="doc-h1"><span id="R1">Title</span></h3>' in shown(TEXT)


def test_every_span_that_is_opened_is_closed() -> None:
    html = shown("> - a\n>   - b `c`\n>\n>     code\n\n1. x\n\n   y\0z\n")
    assert html.count("<span") == html.count("</span>") == 5


@pytest.mark.parametrize("text", ["", "\n\n", "---\n"])
def test_a_document_without_words_has_no_places(text: str) -> None:
    assert places_of(text).rows == ()


@pytest.mark.parametrize(
    ("name", "kind", "lines", "rendered"),
    [
        ("a.md", "document", 3, True),
        ("B.MD", "document", 3, True),
        ("a.txt", "document", 3, False),
        ("a.md", "code", 3, False),
        ("a.md", "document", MOST_LINES, False),
    ],
)
def test_markdown_of_a_readable_length_is_rendered(name: str, kind: str, lines: int, rendered: bool) -> None:
    assert is_rendered(name, kind, "x\n" * lines) == rendered
