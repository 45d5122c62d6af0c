"""A project's own gate policies, and when somebody else than the starter has to decide."""

from typing import Annotated, Literal

from django.db import transaction
from django.utils.text import slugify
from pydantic import BaseModel, ConfigDict, Field

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.engine.policy import SHIPPED
from sessions.engine.text import storable
from sessions.models import GatePolicy, Project, SeparateApprover


class Rules(BaseModel):
    """What one version of a policy says; see `engine.policy.Policy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    block_severity: Literal["minor", "major", "critical", "blocker"] = "critical"
    min_confidence: Literal["low", "medium", "high"] = "medium"
    automatic: bool = False
    two_people: bool = False
    hours: Annotated[int, Field(ge=1, le=8_760)] = 72


def create_policy(actor: Actor, project: Project, label: str, rules: Rules) -> GatePolicy:
    """A new policy, its key made of its name. Raises Refused, also when there is one with that key."""
    key = slugify(storable(label))[:40].strip("-_")
    if not key:
        raise Refused("bad_name", "A policy needs a name with letters or digits.", 422)
    return save_policy(actor, project, key, label, rules, after=0)


def save_policy(
    actor: Actor, project: Project, key: str, label: str, rules: Rules, after: int | None = None
) -> GatePolicy:
    """The next version of that policy, the newest one when nothing has changed; gates keep the one that judged them.
    `after` is the version that its maker saw as the newest, 0 for none. Raises Refused, also when there is a newer one
    than that."""
    if key in SHIPPED:
        raise Refused("policy_shipped", f"{key!r} is a policy of Crucible. Choose another name.", 409)
    name = " ".join(storable(label).split())
    if not name or len(name) > 80:
        raise Refused("bad_name", "A policy needs a name of at most 80 characters.", 422)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # of two at once each is a version
        last = GatePolicy.objects.filter(project=project, key=key).order_by("version").last()
        if last and after != 0 and (last.label, last.rules) == (name, rules.model_dump()):
            return last
        newest = last.version if last else 0
        if after is not None and newest != after:
            raise Refused("changed_meanwhile" if after else "name_taken", _overtaken(key, newest, after), 409)
        return GatePolicy.objects.create(
            project=project, key=key, version=newest + 1, label=name, rules=rules.model_dump(), created_by=actor.user
        )


def _overtaken(key: str, newest: int, after: int) -> str:
    if after == 0:
        return f"There is a policy {key!r} already. Change that one, or choose another name."
    return f"Somebody saved version {newest} meanwhile. Look at it first; what you typed is kept."


def set_separate_approver(project: Project, choice: str) -> None:
    """Raises Refused."""
    if choice not in SeparateApprover.values:
        raise Refused("bad_choice", f"Choose one of {', '.join(SeparateApprover.values)}.", 422)
    Project.objects.filter(pk=project.pk, deleted_at=None).update(separate_approver=choice)
