"""A gate policy as somebody types it."""

from typing import Any

from django import forms

from sessions.actions.gate_policies import Rules
from sessions.engine.policy import Policy
from sessions.forms import saying
from sessions.glossary import label

SEVERITIES = [(word, label("severity", word)) for word in ("blocker", "critical", "major", "minor")]
CONFIDENCES = [(word, label("confidence", word)) for word in ("low", "medium", "high")]
NAMES = tuple(Rules.model_fields)


class PolicyForm(forms.Form):
    label = forms.CharField(
        max_length=80, label="Name", error_messages=saying("Give the policy a name of at most 80 characters.")
    )
    block_severity = forms.ChoiceField(
        choices=SEVERITIES, label="What blocks", help_text="Findings of this severity and graver ones."
    )
    min_confidence = forms.ChoiceField(
        choices=CONFIDENCES,
        label="Least confidence",
        help_text="Of a deliberation or certification. Reviews have none.",
    )
    hours = forms.IntegerField(
        min_value=1,
        max_value=8_760,
        label="Hours to decide",
        help_text="Nobody deciding in time is a fail.",
        error_messages=saying("Enter a whole number of hours, from 1 to 8,760 (a year)."),
    )
    automatic = forms.BooleanField(
        required=False, label="A clean pass and every fail take effect at once, without approval"
    )
    two_people = forms.BooleanField(required=False, label="A pass takes two people")

    def rules(self) -> Rules:
        """Of a valid form."""
        return Rules.model_validate({name: self.cleaned_data[name] for name in NAMES})


def policy_values(policy: Policy) -> dict[str, Any]:
    """What a form begins with to be like `policy`."""
    return {name: getattr(policy, name) for name in NAMES}
