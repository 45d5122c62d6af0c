"""The standards of a project: its own ones, their versions, and which of them a certification means."""

from typing import Any

from django.db import transaction
from django.utils.text import slugify

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.projects import keep_open
from sessions.actions.standard_versions import add_versions, criteria_text
from sessions.engine.text import storable
from sessions.events import digest_of
from sessions.models import Project, Standard, StandardVersion
from sessions.queries.standards import NO_CRITERIA, retires, versions_in


def create_standard(
    actor: Actor, project: Project, name: str, criteria: list[dict[str, Any]], purpose: str = ""
) -> StandardVersion:
    """A new standard with its first version. Raises Refused."""
    name = " ".join(storable(name).split())
    key = slugify(name)[:60]
    if not key or len(name) > 80:
        raise Refused("bad_name", "A standard needs a name of at most 80 characters with letters or digits.", 422)
    text = criteria_text(criteria)
    with transaction.atomic():
        keep_open(project)
        row, created = Standard.objects.get_or_create(
            project=project, key=key, defaults={"name": name, "purpose": storable(purpose).strip()[:300]}
        )
        if not created:
            raise Refused("name_taken", f"There is a standard {key!r} already. Give it a new version instead.", 409)
        return add_versions(project, [(row, 1, text)], actor.user_id)[0]


def revise_standard(
    actor: Actor, standard: Standard, criteria: list[dict[str, Any]], after: int | None = None
) -> StandardVersion:
    """Its next version; the newest one when nothing has changed. Certificates against others stay. `after` is the
    version that its maker saw as the newest. Raises Refused, also when there is a newer one than that."""
    return _continue(actor, standard, criteria_text(criteria), after)


def retire_standard(actor: Actor, standard: Standard) -> StandardVersion:
    """No new session is made against it; versions, drafts, sessions and certificates stay. It is a version without
    criteria, so that it says who and when; the next one brings the standard back."""
    return _continue(actor, standard, NO_CRITERIA)


def _continue(actor: Actor, standard: Standard, text: str, after: int | None = None) -> StandardVersion:
    """The version with this text of criteria: a next one, unless the newest has it."""
    with transaction.atomic():
        keep_open(standard.project)
        Standard.objects.select_for_update().get(pk=standard.pk)
        newest = versions_in(standard.project_id).filter(standard=standard)[0]
        if newest.digest == digest_of(text):
            return newest
        if after is not None and newest.number != after:
            said = f"Somebody saved version {newest.number} meanwhile. Look at it first; what you typed is kept."
            raise Refused("changed_meanwhile", said, 409)
        return add_versions(standard.project, [(standard, newest.number + 1, text)], actor.user_id)[0]


def find_standard(project: Project, key: str, number: int | None = None) -> StandardVersion:
    """A version by its number, the newest without one. Raises Refused."""
    rows = versions_in(project.pk).filter(standard__key=storable(key))
    found = (rows if number is None else rows.filter(number=number)).first()
    if found is not None:
        return found
    known = ", ".join(project.standards.order_by("key").values_list("key", flat=True))
    what = f"version {number} of the standard" if number else "standard"
    raise Refused("standard_unknown", f"There is no {what} {key[:60]!r} here. Known: {known or 'none'}.", 404)


def pin_standard(project: Project, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a certification with the version that is meant. Raises Refused."""
    if retires(newest := find_standard(project, params["standard"])):
        said = f"The standard {newest.standard.key!r} was retired. Choose another, or give it a new version."
        raise Refused("standard_retired", said, 409)
    return params | {"version": find_standard(project, params["standard"], params["version"]).number}
