"""What a person has chosen on the page of a session, as its address says it: any view can be sent to a colleague."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from django.http import QueryDict

from sessions.queries import FoundFinding

LONGEST = 200  # characters of a value that are looked at
_LABEL = re.compile(r"F-([0-9]{1,9})")

# name in the address -> whether the finding is shown when that is chosen
FILTERS: dict[str, Callable[[FoundFinding, str], bool]] = {
    "severity": lambda finding, value: finding.severity == value,
    "by": lambda finding, value: value in finding.raised_by,
    "disposition": lambda finding, value: finding.disposition == value,
    "only": lambda finding, value: not finding.verified if value == "unverified" else len(finding.raised_by) == 1,
    "q": lambda finding, value: value.casefold() in _searched(finding),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """`f` is the label of the selected finding; `severity` to `q` filter the list; `file` is the id of an artifact
    version and `start` the row at which its window begins; `tab` is empty for the review itself."""

    f: str = ""
    severity: str = ""
    by: str = ""
    disposition: str = ""
    only: str = ""
    q: str = ""
    file: str = ""
    start: str = ""
    tab: str = ""

    @property
    def number(self) -> int | None:
        match = _LABEL.fullmatch(self.f)
        return int(match[1]) if match else None

    @property
    def filtered(self) -> int:
        """How many filters are set."""
        return sum(bool(getattr(self, name)) for name in FILTERS)

    def shows(self, finding: FoundFinding) -> bool:
        return all(test(finding, value) for name, test in FILTERS.items() if (value := getattr(self, name)))

    def link(self, **changes: str) -> str:
        """The address of the same page with something else chosen."""
        chosen = replace(self, **changes)
        pairs = [(field.name, value) for field in fields(chosen) if (value := getattr(chosen, field.name))]
        return f"?{urlencode(pairs)}"

    @property
    def of_findings(self) -> str:
        """The address of a finding, up to its label."""
        return self.link(f="", file="", start="") + ("&f=" if self.filtered or self.tab else "f=")

    @property
    def address(self) -> str:
        return self.link()

    @property
    def unfiltered(self) -> str:
        return self.link(**dict.fromkeys(FILTERS, ""))

    @property
    def unselected(self) -> str:
        return self.link(f="", file="", start="")


def choice_of(query: QueryDict) -> Choice:
    return Choice(**{field.name: query.get(field.name, "")[:LONGEST] for field in fields(Choice)})


def _searched(finding: FoundFinding) -> str:
    return " ".join((finding.label, finding.title, finding.claim, str(finding.place), finding.category)).casefold()
