"""Lines as instances see them: numbers in front, and for a unified diff the numbers of the new file."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sessions.engine.diffs import diff_rows, split_lines
from sessions.engine.roster import Source

CHARACTERS_PER_TOKEN = 3.5

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Everything a model or a terminal may take for a line end, except the one we split at.
_OTHER_LINE_ENDS = dict.fromkeys(map(ord, "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ADDRESSES_A_MODEL = re.compile(
    r"\b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|all|your|these|system)\b.{0,40}"
    r"\b(instructions?|rules?|prompts?|guidelines?)\b"
    r"|\b(approve|accept|certify) this\b"
    r"|\b(you are now|as an ai|dear (model|assistant|reviewer)|system prompt)\b"
    r"|\b(report|say|answer|respond|reply)\b.{0,30}\bno (findings|issues|problems|defects)\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Window:
    """What an instance gets to read of a source: its first `lines` whole lines of `total`, numbered. `whole` when
    nothing is cut; else `text` may end inside of a line."""

    ref: str
    lines: int
    total: int
    whole: bool
    text: str

    @property
    def extent(self) -> str:
        return extent(self.lines, self.total)


def extent(lines: int, total: int) -> str:
    """For people: how much of a text was read, from its beginning."""
    return f"lines 1-{lines:,} of {total:,}" if lines else f"no whole line of {total:,}"


def estimate_tokens(text: str) -> int:
    """Tokens, at 3.5 characters each, rounded up."""
    return -int(-len(text) // CHARACTERS_PER_TOKEN)


def number_lines(text: str) -> str:
    """Each line as `  12| text`, numbers right-aligned to the widest."""
    lines = split_lines(text)
    return "\n".join(_numbered(lines, len(lines)))


def window(source: Source, characters: int) -> Window:
    """The beginning of a source that fits, its lines numbered; in a diff by the new file, with `-` for what is
    removed and no number for headers. No line can look like one without a number."""
    total = source.text.count("\n") + (source.text[-1:] not in ("", "\n"))
    shown: list[str] = []
    for row in _numbered_diff(source.text) if source.kind == "diff" else _numbered(split_lines(source.text), total):
        row = row.translate(_OTHER_LINE_ENDS)
        if len(row) >= characters:
            return Window(source.ref, len(shown), total, False, "\n".join([*shown, row[:characters]]))
        shown.append(row)
        characters -= len(row) + 1
    return Window(source.ref, total, total, True, "\n".join(shown))


def _numbered(lines: Iterable[str], total: int) -> Iterator[str]:
    width = len(str(total))
    return (f"{number:>{width}}| {line}" for number, line in enumerate(lines, 1))


def _numbered_diff(text: str) -> Iterator[str]:
    rows = diff_rows(text)
    width = max((len(str(row.line)) for row in rows), default=1)
    return (f"{'-' if row.sign == '-' else row.new_line or '':>{width}}| {row.raw}" for row in rows)


def single_line(text: str, limit: int = 200) -> str:
    """A title made harmless: white space becomes one space; control, bidirectional and invisible characters `_`."""
    words = " ".join(text[: 4 * limit].split())[: limit + 1]
    if not words.isprintable():  # printable text holds none of them
        words = "".join("_" if unicodedata.category(char) in _UNSAFE else char for char in words)
    return clip(words, limit)


def clean(text: str) -> str:
    """What models write, fit for every database and digest: no NUL or other controls, no lone surrogates."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return _CONTROLS.sub("", whole)


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, the last an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def addresses_a_model(text: str) -> bool:
    """Whether a text speaks to a language model instead of to people (an injection that got through)."""
    return _ADDRESSES_A_MODEL.search(text) is not None


def storable(words: str) -> str:
    """`words` without what no database and no JSON takes: NUL and lone surrogates."""
    return words.replace("\0", "").encode("utf-8", "ignore").decode()
