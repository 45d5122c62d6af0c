"""What the pages let people type, and how it becomes what actions take. Nothing typed is lost when it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from pydantic import ValidationError

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions.glossary import GLOSSARY
from sessions.models import Session
from sessions.seats import Seat
from sessions.specs import DeliberationParams, ReviewParams

SEVERITY_FLOORS = [
    ("info", "everything"),
    ("minor", "minor and above"),
    ("major", "major and above"),
    ("critical", "critical and blocker only"),
]
SECOND_OPINIONS = [("off", "only when somebody asks"), ("lone_critical", "for critical findings that only one raised")]
SEAT_FIELDS = ("name", "role", "model_id", "temperature", "focus")
MOST_ROUNDS = [(str(number), f"at most {number}") for number in range(2, 6)]
# What the form asks for, by kind of session; it leaves the rest of a deliberation's parameters as they are usually.
PARAMS = {
    "review": tuple(ReviewParams.model_fields),
    "deliberation": ("focus", "severity_floor", "max_findings", "threshold", "max_rounds"),
}
_PROBLEMS = {
    "name": "Give this instance a name of at most 80 characters.",
    "role": "Choose a role.",
    "model_id": "Choose a model.",
    "temperature": "The temperature is a number from 0 to 1, or empty.",
    "focus": "The focus has at most 2,000 characters.",
}
_HIGHEST_CAP = 100_000  # dollars


def _cap(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        required=False, min_value=0, max_value=_HIGHEST_CAP, decimal_places=4, label=label, help_text=help_text
    )


class ReviewForm(forms.Form):
    """Everything of a new review that is one value; its seats and artifacts are lists beside it."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in PARAMS])
    title = forms.CharField(max_length=160, required=False, help_text="Left empty it is named after the artifact.")
    brief = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What this is, what matters, what is known already. Every instance reads it.",
    )
    focus = forms.CharField(
        required=False,
        max_length=2_000,
        help_text="What all instances look at in particular, e.g. error handling. Each one's own focus comes on top.",
    )
    severity_floor = forms.ChoiceField(
        choices=SEVERITY_FLOORS,
        label="Report",
        help_text="Lesser findings are not asked for: shorter answers, less to decide.",
    )
    max_findings = forms.IntegerField(
        min_value=1,
        max_value=50,
        label="Findings per instance",
        help_text="At most so many each; fewer makes every instance choose what matters most.",
    )
    second_opinion = forms.ChoiceField(
        choices=SECOND_OPINIONS,
        label="Second opinion",
        help_text="The others then check claim and quote, without knowing who raised it; each check is a call.",
    )
    threshold = forms.ChoiceField(
        choices=[(term.api, term.label) for term in GLOSSARY["threshold"].terms],
        label="Who must agree",
        help_text="On each finding that counts, of the instances that take a side.",
    )
    max_rounds = forms.ChoiceField(
        choices=MOST_ROUNDS,
        label="Rounds",
        help_text="The first is blind. It ends early when they agree, or when nobody moves any more.",
    )
    soft_cap = _cap("Ask me at ($)", "The review pauses before it would cost more, and waits for you.")
    hard_cap = _cap("Never above ($)", "No call is made that could cost more. What was answered is kept.")

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a valid form, as its kind has them."""
        return {name: self.cleaned_data[name] for name in PARAMS[self.kind_chosen]}

    @property
    def kind_chosen(self) -> str:
        return str(self["kind"].value())

    def cap(self, name: str) -> int | None:
        """A cap in micro-credits."""
        value: Decimal | None = self.cleaned_data[name]
        return None if value is None else int(value * MICROCREDITS_PER_DOLLAR)


def review_form(typed: Mapping[str, str]) -> ReviewForm:
    """The form as it was typed; a parameter that was left empty is the usual one, a kind without a form a review."""
    usual = {"kind": "review"}
    for params in (DeliberationParams, ReviewParams):
        usual |= typed_params(params.model_validate({}).model_dump())
    given = {name: value for name, value in typed.items() if value or name not in usual}
    return ReviewForm(usual | given | ({"kind": "review"} if given.get("kind") not in PARAMS else {}))


def typed_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as somebody would have typed them."""
    return {name: str(value) for name, value in params.items() if any(name in known for known in PARAMS.values())}


def typed_review(session: Session) -> dict[str, str]:
    """The form from which a review was made. Its title only when somebody gave one."""
    caps = {"soft_cap": session.soft_cap_microcredits, "hard_cap": session.hard_cap_microcredits}
    return {
        "kind": session.kind,
        "brief": session.brief.text if session.brief else "",
        **typed_params(session.params),
        **{name: f"{Decimal(cap) / MICROCREDITS_PER_DOLLAR:f}" for name, cap in caps.items() if cap is not None},
    }


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
