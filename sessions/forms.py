"""What the pages let people type, and how it becomes what actions take. Nothing typed is lost when it is refused."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from pydantic import ValidationError

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions.seats import Seat

SEVERITY_FLOORS = [
    ("info", "everything"),
    ("minor", "minor and above"),
    ("major", "major and above"),
    ("critical", "critical and blocker only"),
]
SEAT_FIELDS = ("name", "role", "model_id", "temperature", "focus")
_PROBLEMS = {
    "name": "Give this instance a name of at most 80 characters.",
    "role": "Choose a role.",
    "model_id": "Choose a model.",
    "temperature": "The temperature is a number from 0 to 1, or empty.",
    "focus": "The focus has at most 2,000 characters.",
}
_HUNDRED_THOUSAND = Decimal(100_000)


class ReviewForm(forms.Form):
    """Everything of a new review that is one value; its seats and artifacts are lists beside it."""

    title = forms.CharField(max_length=160, required=False, help_text="Left empty it is named after the artifact.")
    brief = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What this is, what matters, what is known already. Every instance reads it.",
    )
    focus = forms.CharField(
        required=False, max_length=2_000, help_text="What all instances look at in particular, e.g. error handling."
    )
    severity_floor = forms.ChoiceField(
        choices=SEVERITY_FLOORS, label="Report", initial="info", help_text="Lesser findings are not asked for."
    )
    soft_cap = forms.DecimalField(
        required=False,
        min_value=0,
        max_value=_HUNDRED_THOUSAND,
        decimal_places=4,
        label="Ask me at ($)",
        help_text="The review pauses before it would cost more, and waits for you.",
    )
    hard_cap = forms.DecimalField(
        required=False,
        min_value=0,
        max_value=_HUNDRED_THOUSAND,
        decimal_places=4,
        label="Never above ($)",
        help_text="No call is made that could cost more. What was answered is kept.",
    )

    @property
    def params(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("focus", "severity_floor")}

    def cap(self, name: str) -> int | None:
        """A cap in micro-credits."""
        value: Decimal | None = self.cleaned_data[name]
        return None if value is None else int(value * MICROCREDITS_PER_DOLLAR)


@dataclass(slots=True)
class SeatRow:
    """One row of the roster as it was typed, and what is wrong with it."""

    name: str = ""
    role: str = "reviewer"
    model_id: str = ""
    temperature: str = ""
    focus: str = ""
    problem: str = ""

    def seat(self) -> Seat | None:
        """The seat, or None: then `problem` says why."""
        typed: dict[str, Any] = {field: value for field, value in asdict(self).items() if field in SEAT_FIELDS}
        typed["temperature"] = typed["temperature"].strip() or None
        try:
            return Seat.model_validate(typed)
        except ValidationError as error:
            wrong = {str(item["loc"][0]) for item in error.errors(include_url=False, include_input=False)}
            self.problem = " ".join(sentence for field, sentence in _PROBLEMS.items() if field in wrong)
            return None


def typed_rows(data: QueryDict) -> list[SeatRow]:
    """The roster of a posted form: field n of every row belongs to row n."""
    columns = [data.getlist(f"seat_{field}") for field in SEAT_FIELDS]
    return [SeatRow(*row) for row in zip(*columns, strict=False)]


def rows_of(seats: Sequence[Seat]) -> list[SeatRow]:
    return [
        SeatRow(
            seat.name, seat.role, seat.model_id, "" if seat.temperature is None else f"{seat.temperature:g}", seat.focus
        )
        for seat in seats
    ]
