"""A roster as YAML: names of models, never keys, so that it can stand in a repository or be sent to a colleague."""

from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sessions.actions.errors import Refused
from sessions.seats import MAX_SEATS, Name, Seat

MOST_CHARACTERS = 100_000
_PLACES = {"model": "model_id"}


class RosterText(BaseModel):
    """What the YAML of a roster holds."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    seats: Annotated[list[Seat], Field(min_length=1, max_length=MAX_SEATS)]


def to_yaml(name: str, seats: list[Seat]) -> str:
    """Only what was set; `model` is the id of the registry."""
    rows = [
        {_out(field): value for field, value in seat.model_dump(mode="json").items() if value not in (None, "")}
        for seat in seats
    ]
    return yaml.safe_dump({"name": name, "seats": rows}, sort_keys=False, allow_unicode=True, width=100)


def from_yaml(text: str) -> tuple[str, list[Seat]]:
    """Name and seats. Raises Refused with the first thing that is wrong and where."""
    if len(text) > MOST_CHARACTERS:
        raise Refused("bad_yaml", "A roster has at most 100,000 characters.", 422)
    found = _loaded(text)
    if not isinstance(found, dict):
        raise Refused("bad_yaml", "A roster in YAML has a name and seats.", 422)
    seats = found.get("seats")
    rows = [_renamed(seat) for seat in seats] if isinstance(seats, list) else seats
    try:
        roster = RosterText.model_validate({**found, "seats": rows})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part + 1 if isinstance(part, int) else _out(part)) for part in first["loc"])
        raise Refused("bad_yaml", f"{where}: {first['msg']}.", 422) from None
    return roster.name, roster.seats


def _loaded(text: str) -> Any:
    try:
        # Few characters of references can stand for gigabytes; a roster has no use for any.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise Refused("bad_yaml", "A roster in YAML has no anchors and references.", 422)
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Refused("bad_yaml", f"This is not YAML{where}.", 422) from None


def _renamed(seat: Any) -> Any:
    return {_PLACES.get(name, name): value for name, value in seat.items()} if isinstance(seat, dict) else seat


def _out(field: object) -> str:
    return "model" if field == "model_id" else str(field)
