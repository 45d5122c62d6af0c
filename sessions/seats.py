"""A seat as people write it: who sits there, in which role, with which focus."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sessions.actions.errors import Refused
from sessions.models import LanguageModel

MAX_SEATS = 12
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Seat(BaseModel):
    """`temperature` 0..1, unset: the pattern's own. `focus` tells this instance what to look at in particular."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    role: Literal["lead", "reviewer", "synthesizer"] = "reviewer"
    model_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    focus: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""


def letters(count: int) -> list[str]:
    """A, B, ... for the seats of one session."""
    return [chr(ord("A") + index) for index in range(count)]


def check_seats(seats: list[Seat]) -> dict[str, LanguageModel]:
    """The models of the seats by id. Refuses an empty or overfull roster, equal names, and models that are not
    there to be asked."""
    if not seats:
        raise Refused("roster_empty", "A session needs at least one instance. Add a seat.")
    if len(seats) > MAX_SEATS:
        raise Refused(
            "roster_too_large", f"At most {MAX_SEATS} instances can sit in one session; this has {len(seats)}."
        )
    names = [seat.name.casefold() for seat in seats]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused("duplicate_name", f"Two instances are called {twice[0]!r}. Give each its own name.")
    wanted = {seat.model_id for seat in seats}
    found = {row.pk: row for row in LanguageModel.objects.select_related("provider").filter(pk__in=wanted)}
    if unknown := sorted(wanted - found.keys()):
        raise Refused("model_unknown", f"{unknown[0]!r} is not in the registry. Choose another model.")
    if disabled := sorted(pk for pk, row in found.items() if not row.enabled):
        raise Refused("model_disabled", f"{disabled[0]!r} is switched off. Enable it or choose another model.")
    keyless = sorted(pk for pk, row in found.items() if row.provider.adapter != "demo" and not row.provider.sealed_key)
    if keyless:
        raise Refused("no_key", f"{keyless[0]!r} has no key. Add one to its provider, or choose another model.")
    return found
