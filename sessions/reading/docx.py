"""DOCX to text: headings as Markdown headings, numbers as Word would print them, tables as rows. Tracked changes are
read as if they were accepted."""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import qn

from sessions.reading.docx_numbers import Numbering
from sessions.reading.unreadable import Unreadable

MAX_UNPACKED = 200_000_000  # bytes of all parts; python-docx loads every one of them, pictures too
MAX_CHARACTERS = 5_000_000

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_SKIPPED = {
    qn("w:pPr"), qn("w:rPr"), qn("w:del"), qn("w:moveFrom"), qn("w:tbl"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",  # the same once more, for old programs
}  # fmt: skip
_UNREAD = ("footnotes", "endnotes", "comments", "header", "footer")


def docx_text(file: BytesIO) -> tuple[str, list[str]]:
    """The text, and sentences about what is missing in it. Raises Unreadable (`too_large`) and whatever python-docx
    stumbles over."""
    with zipfile.ZipFile(file) as package:
        if sum(entry.file_size for entry in package.infolist()) > MAX_UNPACKED:
            raise Unreadable("too_large", size="more unpacked", limit=f"{MAX_UNPACKED // 1_000_000} MB")
    document = Document(file)
    text = "\n\n".join(_blocks(document.element.body, _heading_levels(document), Numbering(document)))
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too_large", size="more text", limit=f"{MAX_CHARACTERS // 1_000_000} million characters")
    return f"{text}\n", _notices(document)


def _blocks(parent: Any, levels: dict[str, int], numbering: Numbering) -> Iterator[str]:
    """The paragraphs and tables below an element, also those inside of content controls and tracked insertions."""
    for child in parent:
        if child.tag == qn("w:p"):
            if text := _paragraph(child, levels, numbering):
                yield text
        elif child.tag == qn("w:tbl"):
            yield "\n".join(_rows(child))
        elif child.tag not in _SKIPPED:
            yield from _blocks(child, levels, numbering)


def _paragraph(element: Any, levels: dict[str, int], numbering: Numbering) -> str:
    words = "".join(_words(element)).strip()
    number = numbering.next(element)  # an empty paragraph counts, too
    level = levels.get(element.pPr.style or "", 0) if element.pPr is not None else 0
    if not words:
        return ""
    return f"{'#' * level} {number}{' '.join(words.split())}" if level else f"{number}{words}"


def _heading_levels(document: WordDocument) -> dict[str, int]:
    """1 to 6 by style id. Word keeps the names of its own styles in English, whatever language it speaks."""
    levels = {}
    for style in document.styles:
        name = style.name or ""
        if heading := _HEADING.match(name):
            levels[style.style_id] = min(int(heading[1]), 6)
        elif name.lower() == "title":
            levels[style.style_id] = 1
    return levels


def _words(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == qn("w:t"):
            yield child.text or ""
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag not in _SKIPPED:
            yield from _words(child)


def _rows(table: Any) -> Iterator[str]:
    for row in table.iter(qn("w:tr")):
        cells = (" ".join("".join(_words(cell)).split()) for cell in row.iter(qn("w:tc")))
        yield f"| {' | '.join(cells)} |"


def _notices(document: WordDocument) -> list[str]:
    notices = ["It was read from a DOCX; pictures are not read."]
    if any(True for _ in document.element.body.iter(qn("w:ins"), qn("w:del"))):
        notices.append("Its tracked changes were read as accepted.")
    kinds = {relation.reltype.rpartition("/")[2] for relation in document.part.rels.values()}
    if unread := [name for name in _UNREAD if name in kinds]:
        notices.append(f"Not read: {', '.join(unread)}.")
    return notices
