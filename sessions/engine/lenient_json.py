"""Reads what a model meant as JSON: one pass from left to right, in time linear in the text.

A general repair library copes with odder input, but in quadratic or cubic time: 30 kB of stray quotes held a process
for nine seconds, longer than a worker may stay silent. This reader knows the slips models make: quotes of every
kind, quotes and line ends left unescaped inside strings, missing or surplus commas and brackets, comments, bare words,
Python's literals, and an answer that stops anywhere.
"""

import re
from typing import Any

MAX_DEPTH = 40

_FILLING = re.compile(r"(?:[\s,;]|//[^\n]*|#[^\n]*|/\*[^*]{0,500}\*/)*")
_COLON = re.compile(r"\s{0,60}[:=]\s{0,60}")
_BARE_KEY = re.compile(r"[^\s,:={}\[\]]{1,100}")
_BARE_VALUE = re.compile(r"[^,{}\[\]\n]{1,2000}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,2})?")
_LITERALS = {"true": True, "false": False, "null": None, "none": None, "nan": None, "infinity": None, "-infinity": None}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

_CLOSERS = {'"': '"', "'": "'", "“": '”“"', "”": '”"', "‘": "’'", "’": "’'", "`": "`"}
_QUOTE = "[" + "".join(_CLOSERS) + "]"
# A quote ends a value only where JSON could go on behind it; a new line that begins with `"key":` ends it without one.
_LITERAL = r"(?:-?[0-9]|(?i:true|false|null|none|nan)\b)"
_GOES_ON = (
    rf"(?=\s{{0,60}}(?:$|[}}\]]+(?!{_QUOTE})|```|,\s{{0,60}}(?:$|{_QUOTE}|[}}\]{{\[]|//|{_LITERAL}|\w{{1,40}}\s?:)"
    rf"|\n\s{{0,60}}{_QUOTE}))"
)
_NEXT_KEY = rf"(?=,?[ \t]{{0,20}}\n\s{{0,60}}{_QUOTE}\w{{1,40}}{_QUOTE}\s{{0,20}}:)"
_VALUE_END = {quote: re.compile(rf"\\.|[{ends}]{_GOES_ON}|{_NEXT_KEY}", re.DOTALL) for quote, ends in _CLOSERS.items()}
_KEY_END = {quote: re.compile(rf"\\.|[{ends}\n]", re.DOTALL) for quote, ends in _CLOSERS.items()}


def read_json(text: str, start: int = 0) -> tuple[Any, int, bool]:
    """The value that begins at `start` (dict, list, str, float, int, bool or None), where it ends, and whether it is
    whole: False when the text stops inside of it. Never raises; what cannot be read is left out, and everything below
    MAX_DEPTH ends the reading."""
    reader = _Reader(text, start)
    value = reader.value(0)
    return value, min(reader.at, len(text)), not reader.is_cut


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self.is_cut = text, at, False

    def value(self, depth: int) -> Any:
        char = self.next_char()
        if depth > MAX_DEPTH:
            self.at, self.is_cut = len(self.text), True
            return None
        if char == "{":
            return self.mapping(depth)
        if char == "[":
            return self.array(depth)
        return self.string(_VALUE_END) if char in _CLOSERS else self.bare_value()

    def mapping(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (char := self.next_char()) not in ("", "]", "{", "["):  # a bracket: this mapping was never closed
            if char == "}":
                self.at += 1
                break
            key = self.string(_KEY_END) if char in _CLOSERS else self.bare_key()
            if colon := _COLON.match(self.text, self.at):
                self.at = colon.end()
                missing = self.text[self.at : self.at + 1] in ("", ",", "}", "]")
                found[key.strip()] = None if missing else self.value(depth + 1)
        self.is_cut |= not char
        return found

    def array(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while (char := self.next_char()) not in ("", "}"):
            if char == "]":
                self.at += 1
                break
            found.append(self.value(depth + 1))
        self.is_cut |= not char
        return found

    def next_char(self) -> str:
        """The next character that is no filling; an empty string at the end."""
        if filling := _FILLING.match(self.text, self.at):
            self.at = filling.end()
        return self.text[self.at : self.at + 1]

    def string(self, ends: dict[str, re.Pattern[str]]) -> str:
        start = self.at + 1
        stop = self.at = len(self.text)
        for end in ends[self.text[start - 1]].finditer(self.text, start):
            if not end[0].startswith("\\"):
                stop, self.at = end.span()
                break
        else:
            self.is_cut = True
        return _ESCAPE.sub(_unescape, self.text[start:stop])

    def bare_key(self) -> str:
        key = _BARE_KEY.match(self.text, self.at)
        self.at = key.end() if key else self.at + 1
        return key[0] if key else ""

    def bare_value(self) -> Any:
        match = _BARE_VALUE.match(self.text, self.at)
        self.at = match.end() if match else self.at + 1
        word = match[0].strip() if match else ""
        if _NUMBER.fullmatch(word):
            return float(word) if set(word) & set(".eE") else int(word)
        return _LITERALS.get(word.lower(), word)


def _unescape(escape: re.Match[str]) -> str:
    """An unknown escape keeps its backslash: models forget to double it in patterns and Windows paths."""
    char = escape[1]
    if len(char) == 5:
        return chr(int(char[1:], 16))
    return _ESCAPES.get(char) or (char if char in "\"'`\\/\n" else escape[0])
