"""A project's own gate policies, and when somebody else than the starter has to decide."""

from typing import Annotated, Literal

from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.engine.policy import SHIPPED
from sessions.models import GatePolicy, Project, SeparateApprover


class Rules(BaseModel):
    """What one version of a policy says; see `engine.policy.Policy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    block_severity: Literal["minor", "major", "critical", "blocker"] = "critical"
    min_confidence: Literal["low", "medium", "high"] = "medium"
    automatic: bool = False
    two_people: bool = False
    hours: Annotated[int, Field(ge=1, le=8_760)] = 72


def save_policy(actor: Actor, project: Project, key: str, label: str, rules: Rules) -> GatePolicy:
    """The next version of that policy; gates keep the one that judged them. Raises Refused."""
    if key in SHIPPED:
        raise Refused("policy_shipped", f"{key!r} is a policy of Crucible. Choose another key.", 409)
    name = " ".join(label.split())
    if not name or len(name) > 80:
        raise Refused("bad_name", "A policy needs a name of at most 80 characters.", 422)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # of two at once each is a version
        last = GatePolicy.objects.filter(project=project, key=key).order_by("version").last()
        version = last.version + 1 if last else 1
        return GatePolicy.objects.create(
            project=project, key=key, version=version, label=name, rules=rules.model_dump(), created_by=actor.user
        )


def set_separate_approver(project: Project, choice: str) -> None:
    """Raises Refused."""
    if choice not in SeparateApprover.values:
        raise Refused("bad_choice", f"Choose one of {', '.join(SeparateApprover.values)}.", 422)
    Project.objects.filter(pk=project.pk, deleted_at=None).update(separate_approver=choice)
