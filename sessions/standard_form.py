"""The criteria of a standard as somebody types them, and what is wrong with each. Nothing typed is lost."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from django.http import QueryDict
from pydantic import ValidationError

from sessions.actions.standard_versions import CriterionData
from sessions.engine.certifying import Criterion

FIELDS = ("id", "text", "guidance")
MARKS = ("mandatory", "critical")
_PROBLEMS = {
    "id": "An ID has at most 24 letters, digits, dots, dashes and underscores, and begins with a letter or digit.",
    "text": "Write the criterion in 8 to 600 characters.",
    "guidance": "Guidance has at most 600 characters.",
}
_MISSING = "This row has no criterion yet. Write it in 8 to 600 characters, or remove the row."
_TWICE = "Another criterion has this ID too."
_DRAWN_ID = re.compile(r"C-[0-9]+")


@dataclass(slots=True)
class CriterionRow:
    """One row of the editor. `problems` says by field what is wrong; `focus` is where to go on: text, up or down."""

    id: str = ""
    text: str = ""
    guidance: str = ""
    mandatory: bool = True
    critical: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    focus: str = ""

    def data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*FIELDS, *MARKS)}

    @property
    def is_empty(self) -> bool:
        """Whether nobody has put anything in: its ID is one the editor drew."""
        return self.data() == CriterionRow(self.id).data() and bool(_DRAWN_ID.fullmatch(self.id))


def criterion_rows(criteria: Iterable[Criterion]) -> list[CriterionRow]:
    return [CriterionRow(**asdict(criterion)) for criterion in criteria]


def typed_criteria(data: QueryDict) -> list[CriterionRow]:
    """The rows of a posted form: field n belongs to row n; a box that is ticked sends the number of its row. Who got no
    ID is numbered."""
    columns = [data.getlist(f"criterion_{name}") for name in FIELDS]
    mandatory, critical = (set(data.getlist(f"criterion_{name}")) for name in MARKS)
    rows = [
        CriterionRow(key.strip(), text.strip(), guidance.strip(), str(at) in mandatory, str(at) in critical)
        for at, (key, text, guidance) in enumerate(zip(*columns, strict=False))
    ]
    number_rows(rows)
    return rows


def number_rows(rows: list[CriterionRow]) -> None:
    taken = {row.id.casefold() for row in rows}
    free = (f"C-{number}" for number in count(1) if f"c-{number}" not in taken)
    for row in rows:
        row.id = row.id or next(free)


def checked_criteria(rows: list[CriterionRow]) -> list[dict[str, Any]] | None:
    """What actions take, of the rows that somebody filled in; None when a row has a problem, which then says so."""
    filled = [row for row in rows if not row.is_empty]
    uses = Counter(row.id.casefold() for row in filled)
    for row in filled:
        row.problems = _problems(row) | ({"id": _TWICE} if uses[row.id.casefold()] > 1 else {})
    return None if any(row.problems for row in filled) else [row.data() for row in filled]


def _problems(row: CriterionRow) -> dict[str, str]:
    try:
        CriterionData.model_validate(row.data())
    except ValidationError as error:
        wrong = {str(item["loc"][0]) for item in error.errors(include_url=False, include_input=False)}
        missing = {} if row.text else {"text": _MISSING}
        return {name: sentence for name, sentence in _PROBLEMS.items() if name in wrong} | missing
    return {}
