"""A seat as people write it: who sits there, in which role, with which focus."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sessions.actions.errors import Refused
from sessions.models import LanguageModel, Participant, Project, Provider, Session
from sessions.providers.locality import is_own_server

MAX_SEATS = 12
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Seat(BaseModel):
    """`temperature` 0..1, unset: the pattern's own. `focus` tells this instance what to look at in particular.
    `fallback` is the id of the model that answers where its own one fails for good, empty: none does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    role: Literal["lead", "reviewer", "synthesizer"] = "reviewer"
    model_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    focus: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    fallback: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""


def seats_of_session(session: Session) -> list[Seat]:
    """Who sits in a session to its end, by letter, as somebody would write it."""
    return [seat_of(row) for row in session.participants.filter(last_round=None).order_by("letter")]


def seat_of(row: Participant) -> Seat:
    """An instance of a session as somebody would write it."""
    return Seat.model_validate(
        {
            "name": row.name,
            "role": row.role,
            "model_id": row.language_model_id,
            "temperature": row.temperature,
            "focus": row.focus,
            "fallback": row.fallback_id or "",
        }
    )


def letters(count: int) -> list[str]:
    """A, B, ... for the seats of one session."""
    return [chr(ord("A") + index) for index in range(count)]


def check_shape(seats: list[Seat]) -> None:
    """Refuses an empty or overfull roster, and equal names."""
    if not seats:
        raise Refused("roster_empty", "A session needs at least one instance. Add a seat.")
    if len(seats) > MAX_SEATS:
        raise Refused(
            "roster_too_large", f"At most {MAX_SEATS} instances can sit in one session; this has {len(seats)}."
        )
    names = [seat.name.casefold() for seat in seats]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused("duplicate_name", f"Two instances are called {twice[0]!r}. Give each its own name.")


def known_models(seats: list[Seat]) -> dict[str, LanguageModel]:
    """The models of the seats and their fallbacks by id, whether or not they can be asked. Refuses ids that nobody ever
    registered, and what cannot be a fallback."""
    wanted = {pk for seat in seats for pk in (seat.model_id, seat.fallback) if pk}
    found = {row.pk: row for row in LanguageModel.objects.select_related("provider").filter(pk__in=wanted)}
    if unknown := sorted(wanted - found.keys()):
        raise Refused("model_unknown", f"{unknown[0]!r} is not in the registry. Choose another model.")
    for seat in seats:
        _check_fallback(seat, found)
    return found


def _check_fallback(seat: Seat, models: dict[str, LanguageModel]) -> None:
    """A fallback is another model, and none that would make up answers in the place of one that reads."""
    if seat.fallback == seat.model_id:
        raise Refused("fallback_is_same", f"{seat.name}: the fallback is its own model. Choose another one, or none.")
    if seat.fallback and models[seat.fallback].simulated != models[seat.model_id].simulated:
        why = "Demo models make their answers up: one can stand in for another, not for a model that reads."
        raise Refused("fallback_simulated", f"{seat.name}: {seat.fallback} cannot be its fallback. {why}")


def check_seats(seats: list[Seat], project: Project) -> dict[str, LanguageModel]:
    """The models of the seats by id. Refuses a roster that no session can have, and models that are not there to be
    asked for this project."""
    check_shape(seats)
    found = known_models(seats)
    if removed := sorted(pk for pk, row in found.items() if row.removed_at):
        raise Refused("model_unknown", f"{removed[0]!r} was removed from the registry. Choose another model.")
    if disabled := sorted(pk for pk, row in found.items() if not row.enabled):
        raise Refused("model_disabled", f"{disabled[0]!r} is switched off. Enable it or choose another model.")
    if keyless := sorted(pk for pk, row in found.items() if not row.provider.usable):
        raise Refused("no_key", f"{keyless[0]!r} has no key. Add one to its provider, or choose another model.")
    if outside := sorted(pk for pk, row in found.items() if not may_receive(project, row.provider)):
        raise Refused("provider_not_allowed", f"{outside[0]!r} is not for this project: {restriction_of(project)}.")
    return found


def may_receive(project: Project, provider: Provider) -> bool:
    """Whether files of the project may go to this provider. Demo models send nothing anywhere."""
    if provider.simulated:
        return True
    local = not project.local_only or is_own_server(provider.base_url)
    return local and (not project.allowed_providers or provider.name in project.allowed_providers)


def restriction_of(project: Project) -> str:
    """Where files of the project may go, as half a sentence; empty when anywhere."""
    where = [f"its files go only to {', '.join(project.allowed_providers)}"] if project.allowed_providers else []
    where += ["its files stay on servers of your own (http addresses)"] if project.local_only else []
    return " and ".join(where)
