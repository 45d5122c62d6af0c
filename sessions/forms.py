"""What the pages let people type, and how it becomes what actions take. Nothing typed is lost when it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from django import forms
from django.http import QueryDict
from pydantic import ValidationError

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions.glossary import GLOSSARY
from sessions.models import Session, StandardVersion
from sessions.seats import Seat
from sessions.specs import CertificationParams, DeliberationParams, ReviewParams, gated

SEVERITY_FLOORS = [
    ("info", "everything"),
    ("minor", "minor and above"),
    ("major", "major and above"),
    ("critical", "critical and blocker only"),
]
SECOND_OPINIONS = [("off", "only when somebody asks"), ("lone_critical", "for critical findings that only one raised")]
SEAT_FIELDS = ("name", "role", "model_id", "temperature", "focus", "fallback")
WITH_A_GATE = "with_a_gate"
CONFIRMATIONS = [(WITH_A_GATE, "when a gate judges it"), ("True", "always"), ("False", "never")]
MOST_ROUNDS = [(str(number), f"at most {number}") for number in range(2, 6)]
# What the form asks for, by kind of session; it leaves the rest of a deliberation's parameters as they are usually.
PARAMS = {
    "review": tuple(ReviewParams.model_fields),
    "deliberation": ("focus", "severity_floor", "max_findings", "threshold", "max_rounds", "confirmation_round"),
    "certification": ("focus", "standard", "rule", "allow_single"),
}
_PROBLEMS = {
    "name": "Give this instance a name of at most 80 characters.",
    "role": "Choose a role.",
    "model_id": "Choose a model.",
    "temperature": "The temperature is a number from 0 to 1, or empty.",
    "focus": "The focus has at most 2,000 characters.",
}
_HIGHEST_CAP = 100_000  # dollars


def saying(sentence: str) -> dict[str, str]:
    """The `error_messages` of a text or number field that says what to enter, whatever was wrong."""
    return dict.fromkeys(("required", "invalid", "min_value", "max_value", "max_length"), sentence)


def _cap(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        required=False,
        min_value=0,
        max_value=_HIGHEST_CAP,
        decimal_places=4,
        label=label,
        help_text=help_text,
        error_messages=saying(f"Enter an amount from 0 to {_HIGHEST_CAP:,} dollars, or leave it empty for no limit.")
        | {"max_decimal_places": "Enter at most four decimals."},
    )


class ReviewForm(forms.Form):
    """Everything of a new review that is one value; its seats and artifacts are lists beside it."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in PARAMS])
    title = forms.CharField(
        max_length=160,
        required=False,
        help_text="Left empty it is named after the artifact.",
        error_messages=saying("Shorten the title to 160 characters."),
    )
    brief = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What this is, what matters, what is known already. Every instance reads it.",
        error_messages=saying("Shorten the brief to 20,000 characters."),
    )
    focus = forms.CharField(
        required=False,
        max_length=2_000,
        help_text="What all instances look at in particular, e.g. error handling. Each one's own focus comes on top.",
        error_messages=saying("Shorten the focus to 2,000 characters."),
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
        error_messages=saying("Enter a whole number of findings, from 1 to 50."),
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
    confirmation_round = forms.ChoiceField(
        choices=CONFIRMATIONS,
        label="Confirmation round",
        help_text="One more round, only about grave findings that came in the last one. A gate lets none of them pass"
        " that the others did not assess.",
    )
    gate = forms.CharField(
        required=False,
        max_length=40,
        help_text="A policy judges the result: pass or fail. What needs a person waits for those who approve.",
    )
    standard = forms.CharField(
        required=False,
        max_length=80,
        help_text="Its newest version, unless you want an older one.",
    )
    rule = forms.ChoiceField(
        choices=[(term.api, term.label) for term in GLOSSARY["rule"].terms],
        label="Who must certify",
        help_text="Of the instances that take a side. A critical criterion that is proven unmet refuses for all.",
    )
    allow_single = forms.BooleanField(
        required=False,
        label="One instance alone may decide",
        help_text="Otherwise a single one ends as inconclusive. Its confidence is low in any case.",
    )
    soft_cap = _cap("Ask me at ($)", "It pauses before it would cost more, and waits for you.")
    hard_cap = _cap("Never above ($)", "No call is made that could cost more. What was answered is kept.")

    standards: Sequence[StandardVersion] = ()

    def offer(self, standards: Sequence[StandardVersion]) -> None:
        """What a certification can be held against; the newest version of each standard comes first."""
        self.standards = standards

    @property
    def standard_choices(self) -> list[tuple[str, str]]:
        return [("", "choose"), *((standard_value(one), str(one)) for one in self.standards)]

    @property
    def standard_chosen(self) -> StandardVersion | None:
        """The one among those on offer."""
        return next((one for one in self.standards if standard_value(one) == self["standard"].value()), None)

    @property
    def newest_standards(self) -> list[tuple[str, StandardVersion]]:
        """(value, version): the newest on offer of each standard."""
        newest = (next(versions) for _, versions in groupby(self.standards, key=lambda one: one.standard_id))
        return [(standard_value(one), one) for one in newest]

    def clean_standard(self) -> str:
        value: str = self.cleaned_data["standard"]
        if self.kind_chosen == "certification" and value and self.standard_chosen is None:
            raise forms.ValidationError("This standard is not offered any more. Choose another.")
        return value

    @property
    def is_complete(self) -> bool:
        """Whether nothing is wrong or missing."""
        return self.is_valid() and (self.kind_chosen != "certification" or self.standard_chosen is not None)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a complete form, as its kind has them."""
        params = {name: self.cleaned_data[name] for name in PARAMS[self.kind_chosen]}
        if params.get("confirmation_round") == WITH_A_GATE:
            del params["confirmation_round"]
        params = gated(self.kind_chosen, params, self.cleaned_data["gate"])
        if standard := self.standard_chosen:
            params |= {"standard": standard.standard.key, "version": standard.number}
        return params

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
    for params in (CertificationParams, DeliberationParams, ReviewParams):
        fields = params.model_fields.items()
        usual |= typed_params({name: field.default for name, field in fields if not field.is_required()})
    usual["confirmation_round"] = WITH_A_GATE
    given = {name: value for name, value in typed.items() if value or name not in usual}
    return ReviewForm(usual | given | ({"kind": "review"} if given.get("kind") not in PARAMS else {}))


def typed_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as somebody would have typed them."""
    typed = {name: str(value) for name, value in params.items() if any(name in known for known in PARAMS.values())}
    return typed | ({"standard": f"{params['standard']}:{params['version']}"} if "standard" in params else {})


def standard_value(version: StandardVersion) -> str:
    """What stands for a version of a standard in forms and addresses."""
    return f"{version.standard.key}:{version.number}"


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
    fallback: str = ""
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
    """The roster of a posted form: field n of every row belongs to row n. Nobody has to name a fallback."""
    *columns, fallbacks = [data.getlist(f"seat_{field}") for field in SEAT_FIELDS]
    rows = list(zip(*columns, strict=False))
    return [SeatRow(*row) for row in zip(*columns, fallbacks or [""] * len(rows), strict=False)]


def rows_of(seats: Sequence[Seat]) -> list[SeatRow]:
    return [
        SeatRow(
            seat.name,
            seat.role,
            seat.model_id,
            "" if seat.temperature is None else f"{seat.temperature:g}",
            seat.focus,
            seat.fallback,
        )
        for seat in seats
    ]
