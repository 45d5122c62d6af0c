"""The numbers that Word prints in front of paragraphs. They stand nowhere in a DOCX: they are counted from the list a
paragraph or its style belongs to (ISO/IEC 29500-1, 17.9)."""

import re
from collections import defaultdict
from typing import Any

from docx.document import Document as WordDocument
from docx.oxml.ns import qn

_VALUE = qn("w:val")
_PLACE = re.compile(r"%([1-9])")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_LEVELS = 9


class Numbering:
    """Counts through one document: `next` has to be asked for every paragraph in its order."""

    def __init__(self, document: WordDocument) -> None:
        self._styles = {style.style_id: style.element for style in document.styles}
        root = _numbering_of(document)
        abstract = {} if root is None else {_attribute(e, "w:abstractNumId"): e for e in root.iter(qn("w:abstractNum"))}
        self._lists: dict[str, tuple[str, Any]] = {}
        for number in () if root is None else root.iter(qn("w:num")):
            key = _value(number, "w:abstractNumId")
            if key in abstract:
                self._lists[_attribute(number, "w:numId")] = (key, abstract[key])
        self._counts: dict[str, list[int]] = defaultdict(lambda: [0] * _LEVELS)

    def next(self, paragraph: Any) -> str:
        """`3.2. ` or `- ` in front of this paragraph; empty when it has none."""
        list_id, level = self._place(paragraph)
        if list_id not in self._lists:
            return ""
        key, abstract = self._lists[list_id]
        levels = {int(_attribute(e, "w:ilvl") or 0): e for e in abstract.iter(qn("w:lvl"))}
        if level not in levels:
            return ""
        counts = self._counts[key]
        counts[level] += 1
        counts[level + 1 :] = [0] * (_LEVELS - level - 1)
        label = _label(levels, level, counts)
        return f"{label} " if label else ""

    def _place(self, paragraph: Any) -> tuple[str, int]:
        """The id of the list and the level in it: the paragraph's own, else those of its style or what that is
        based on."""
        properties, list_id, level = paragraph.pPr, "", ""
        seen: set[str] = set()
        style = _value(properties, "w:pStyle")
        while True:
            own = properties.find(qn("w:numPr")) if properties is not None else None
            list_id, level = list_id or _value(own, "w:numId"), level or _value(own, "w:ilvl")
            if list_id or style in seen or style not in self._styles:
                return list_id, min(int(level or 0), _LEVELS - 1)
            seen.add(style)
            element = self._styles[style]
            properties, style = element.find(qn("w:pPr")), _value(element, "w:basedOn")


def _numbering_of(document: WordDocument) -> Any:
    """The root of numbering.xml, None in a document without lists."""
    parts = (relation.target_part for relation in document.part.rels.values() if not relation.is_external)
    return next((part.element for part in parts if part.partname.endswith("/numbering.xml")), None)


def _label(levels: dict[int, Any], level: int, counts: list[int]) -> str:
    if _value(levels[level], "w:numFmt") == "bullet":
        return "-"

    def shown(match: re.Match[str]) -> str:
        index = int(match[1]) - 1
        here = levels.get(index)
        start = int(_value(here, "w:start") or 1)
        return _format(max(counts[index], 1) + start - 1, _value(here, "w:numFmt"))

    return _PLACE.sub(shown, _value(levels[level], "w:lvlText")).strip()


def _format(number: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter"):
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters.upper() if form == "upperLetter" else letters
    if form in ("lowerRoman", "upperRoman"):
        return _roman(number).upper() if form == "upperRoman" else _roman(number)
    return "" if form == "none" else str(number)


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        times, number = divmod(number, value)
        text += letters * times
    return text


def _value(element: Any, tag: str) -> str:
    """`w:val` of the first child with this tag, or empty."""
    child = element.find(qn(tag)) if element is not None else None
    return child.get(_VALUE, "") if child is not None else ""


def _attribute(element: Any, name: str) -> str:
    return str(element.get(qn(name), ""))
