"""Saved rosters, and the one that is there before anybody saved one."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from sessions.actions.errors import Refused
from sessions.actions.projects import keep_open
from sessions.models import LanguageModel, Project, Roster
from sessions.seats import Seat, check_shape, known_models

DEFAULT_ROLES = ("lead", "reviewer", "synthesizer")
DEFAULT_NAMES = ("Lead", "Reviewer", "Synthesizer")


def default_seats() -> list[Seat]:
    """Three demo models: works with no key anywhere."""
    return seats_of_models(_default_demo_ids())


def seats_of_models(model_ids: Sequence[str]) -> list[Seat]:
    """One reviewer per model; the first also leads and the last also sums up."""
    last = len(model_ids) - 1
    return [
        Seat(
            name=f"{model_id.rpartition('/')[2]} {number}"
            if model_ids.count(model_id) > 1
            else model_id.rpartition("/")[2],
            role="lead" if number == 1 else "synthesizer" if number - 1 == last else "reviewer",
            model_id=model_id,
        )
        for number, model_id in enumerate(model_ids, start=1)
    ]


def seats_of_roster(roster: Roster) -> list[Seat]:
    return [Seat.model_validate(seat) for seat in roster.seats]


def save_roster(project: Project, name: str, seats: list[Seat]) -> Roster:
    """Save under `name`, replacing what had that name in the project. Models without a key may sit: the page says so,
    and no session starts with one."""
    name, stored = _checked(name, seats)
    with transaction.atomic():
        keep_open(project)
        roster, _ = Roster.objects.update_or_create(project=project, name=name, defaults={"seats": stored})
    return roster


def change_roster(roster: Roster, name: str, seats: list[Seat]) -> None:
    """Other seats, another name. Raises Refused when that name is another roster's."""
    name, stored = _checked(name, seats)
    if Roster.objects.filter(project=roster.project, name=name).exclude(pk=roster.pk).exists():
        raise Refused("name_taken", f"There is another roster called {name!r}. Choose another name.", 409)
    with transaction.atomic():
        keep_open(roster.project)
        roster.name, roster.seats = name, stored
        roster.save(update_fields=["name", "seats"])


def _checked(name: str, seats: list[Seat]) -> tuple[str, list[dict[str, Any]]]:
    name = " ".join(name.split())
    if not name or len(name) > 80:
        raise Refused("bad_name", "A roster needs a name of at most 80 characters.")
    check_shape(seats)
    known_models(seats)
    return name, [seat.model_dump(mode="json") for seat in seats]


def drop_roster(roster: Roster) -> None:
    """Sessions that used it keep their own copy."""
    roster.delete()


def _default_demo_ids() -> list[str]:
    from sessions.demo.personas import DEFAULT_ROSTER

    known = set(LanguageModel.objects.filter(pk__in=DEFAULT_ROSTER, enabled=True).values_list("pk", flat=True))
    return [model_id for model_id in DEFAULT_ROSTER if model_id in known]
