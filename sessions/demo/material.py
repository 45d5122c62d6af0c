"""What a prompt holds, recovered from its text: a simulated model gets nothing a real one would not get.

Blocks stand between `BEGIN UNTRUSTED <mark> (<title>)` and `END UNTRUSTED <mark>`; a line of an artifact is
`  12| text`. Whatever does not look like that is passed over.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from sessions.engine.run import Message

_BEGIN = re.compile(r"BEGIN UNTRUSTED (\S+) \((.*)\)$")
_ROW = re.compile(r" *(\d+|-|)\| ?(.*)$", re.DOTALL)
_FILE = re.compile(r"file: (.*)$")
_CUT = re.compile(r"\bthe first (\d+) of (?:its )?(\d+) lines\b")
_KIND = re.compile(r"\b(code|document|data|diff)\b")
_FINDING = re.compile(r"(F-\d{3,}) (\w+)(, severity disputed)?(?:, raised by ([A-Z]+(?:, [A-Z]+)*))?: (.*)$")
_ANSWERED = re.compile(r"Who answered: (.*)$")
_LAID = re.compile(r"(F-\d{3,}) (\w+): ")
_LAID_QUOTE = re.compile(r" {2}at .*?; quote (?:verified|not found in the artifact): (.*)$")
_ARGUMENT = re.compile(r" {2}argument (F-\d{3,}\.\d) ([a-z ]+): ")
_COUNTED = re.compile(r"(F-\d{3,}) \w+, (accepted|rejected|contested|undecided) \(")
_ROUND = re.compile(r"Round: (\d+)$")
_OWN = re.compile(r"Your positions so far: (.*)$")
_CRITERION = re.compile(r"Criterion (\S+) \((mandatory|optional)(?:, critical)?\): ")
_MOST = re.compile(r"\bAt most (\d+) findings\b")
_FLOOR = re.compile(r"\bless grave than (\w+)")
_DOCUMENT_NAMES = (".md", ".rst", ".txt", ".adoc")
_DATA_NAMES = (".csv", ".tsv", ".json", ".yaml", ".yml", ".sql", ".xml")


@dataclass(frozen=True, slots=True)
class Line:
    """One line to judge; in a diff `path` is the file it belongs to and `number` its line in the new file."""

    number: int
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class Material:
    """An artifact to judge. `kind` is code, document or data; of `total` lines the first `shown` are in the prompt;
    of a diff `lines` holds only what it adds."""

    name: str
    kind: str
    lines: tuple[Line, ...]
    shown: int
    total: int

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class Listed:
    """A finding as the ledger of a summary prompt shows it."""

    label: str
    severity: str
    disputed: bool
    raised_by: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Laid:
    """A finding as the ledger of a deliberation lays it before an instance; `arguments` are (id, side)."""

    label: str
    severity: str
    quote: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """A finding with the status that the platform computed, as a synthesiser sees it."""

    label: str
    status: str


@dataclass(frozen=True, slots=True)
class AskedCriterion:
    """A criterion that a certifier is asked about."""

    id: str
    mandatory: bool


@dataclass(slots=True)
class _Block:
    title: str
    name: str
    rows: list[tuple[str, str]]
    cut: tuple[int, int] | None = None


def materials(messages: Sequence[Message]) -> list[Material]:
    """The artifacts to judge, in the order of the prompt; those to be read only are left out."""
    return [_material(block) for block in _blocks(messages) if "to review" in block.title]


def ledger(messages: Sequence[Message]) -> list[Listed]:
    """The findings a summary prompt lists, the gravest first."""
    rows = (text for block in _blocks(messages) if block.title.startswith("findings") for _, text in block.rows)
    found = (_FINDING.match(text) for text in rows)
    return [Listed(m[1], m[2], bool(m[3]), tuple(re.findall("[A-Z]+", m[4] or "")), m[5].strip()) for m in found if m]


def laid_before(messages: Sequence[Message]) -> list[Laid]:
    """The findings ledger of a later round, in its order. One that was cut to a line has no quote: its label counts."""
    rows = (text for block in _blocks(messages) if block.title == "the findings ledger" for _, text in block.rows)
    found: list[Laid] = []
    for text in rows:
        if head := _LAID.match(text):
            found.append(Laid(head[1], head[2], head[1], ()))
        elif found and (quoted := _LAID_QUOTE.match(text)):
            found[-1] = replace(found[-1], quote=quoted[1])
        elif found and (argument := _ARGUMENT.match(text)):
            found[-1] = replace(found[-1], arguments=(*found[-1].arguments, (argument[1], argument[2])))
    return found


def counted(messages: Sequence[Message]) -> list[Counted]:
    """The findings of a synthesis prompt; empty for any other one."""
    rows = (text for block in _blocks(messages) if block.title.endswith("their figures") for _, text in block.rows)
    return [Counted(match[1], match[2]) for match in map(_COUNTED.match, rows) if match]


def is_synthesis(messages: Sequence[Message]) -> bool:
    return any(block.title.endswith("their figures") for block in _blocks(messages))


def asked_round(messages: Sequence[Message]) -> int:
    """The round of an assessment prompt."""
    found = (_ROUND.match(line) for line in _user_lines(messages))
    return next((int(match[1]) for match in found if match), 2)


def own_positions(messages: Sequence[Message]) -> dict[str, str]:
    """By label, what an assessment prompt says the instance held so far."""
    found = (_OWN.match(line) for line in _user_lines(messages))
    said = next((match[1] for match in found if match), "")
    return dict(part.split(" ", 1) for part in said.split(", ") if " " in part)


def quoted_finding(messages: Sequence[Message]) -> str:
    """The quote of the finding that an opinion is asked about, or ""."""
    rows = [text for block in _blocks(messages) if block.title == "the finding" for _, text in block.rows]
    quoted = "\n".join(rows).partition("\nquote: ")[2]
    return quoted.strip()


def who_answered(messages: Sequence[Message]) -> str:
    """The platform's sentence in a summary prompt, or ""."""
    said = (_ANSWERED.match(line) for line in _user_lines(messages))
    return next((match[1] for match in said if match), "")


def asked_criteria(messages: Sequence[Message]) -> list[AskedCriterion]:
    """The criteria of a certification prompt, in its order."""
    found = (_CRITERION.match(line) for line in _user_lines(messages))
    return [AskedCriterion(match[1], match[2] == "mandatory") for match in found if match]


def untrusted_text(messages: Sequence[Message]) -> str:
    """Everything between fences, without line numbers."""
    return "\n".join(text for block in _blocks(messages) for _, text in block.rows)


def is_reask(messages: Sequence[Message]) -> bool:
    """Whether the model is shown its own earlier answer."""
    return any(message.role == "assistant" for message in messages)


def asked_limits(messages: Sequence[Message]) -> tuple[int, str]:
    """How many findings may be reported, and the lowest severity; without a rule 25 and info."""
    rules = "\n".join(message.content for message in messages if message.role == "system")
    most, floor = _MOST.search(rules), _FLOOR.search(rules)
    return int(most[1]) if most else 25, floor[1] if floor else "info"


def _blocks(messages: Sequence[Message]) -> list[_Block]:
    blocks: list[_Block] = []
    end = ""
    for line in _user_lines(messages):
        if end and line == end:
            end = ""
        elif end:
            _fill(blocks[-1], line)
        elif begin := _BEGIN.match(line):
            end = f"END UNTRUSTED {begin[1]}"
            blocks.append(_Block(begin[2], "", []))
        elif blocks and (cut := _CUT.search(line)):
            blocks[-1].cut = int(cut[1]), int(cut[2])
    return blocks


def _user_lines(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if message.role == "user":
            yield from message.content.split("\n")


def _fill(block: _Block, line: str) -> None:
    if row := _ROW.match(line):
        block.rows.append((row[1], row[2]))
    elif not block.rows and (name := _FILE.match(line)):
        block.name = name[1]


def _material(block: _Block) -> Material:
    kind = _KIND.search(block.title)
    is_diff = kind is not None and kind[1] == "diff"
    lines = tuple(_added(block) if is_diff else _plain(block))
    shown, total = block.cut or (len(block.rows), len(block.rows))
    return Material(block.name, kind[1] if kind and not is_diff else _kind_of(lines), lines, shown, total)


def _plain(block: _Block) -> Iterator[Line]:
    for number, (_, text) in zip(count(1), block.rows, strict=False):
        yield Line(number, text, block.name)


def _added(block: _Block) -> Iterator[Line]:
    path = block.name
    for mark, raw in block.rows:
        if not mark and raw.startswith("+++ "):
            path = raw[4:].split("\t")[0].removeprefix("b/")
        elif mark.isdigit() and raw.startswith("+"):
            yield Line(int(mark), raw[1:], path)


def _kind_of(lines: Sequence[Line]) -> str:
    path = lines[0].path.lower() if lines else ""
    if path.endswith(_DOCUMENT_NAMES):
        return "document"
    return "data" if path.endswith(_DATA_NAMES) else "code"
