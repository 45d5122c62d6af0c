"""What instances read of the texts, and what they say that they examined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sessions.engine.text import extent
from sessions.models import Content, Event, Session, SessionSource

# With these an instance hands in what it has to say of the texts.
SUBMITTED = ("reports.submitted", "attestation.submitted")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one instance. `cut_to` names the part it read of each text that did not fit into its window; `examined` is
    what it wrote on its own work, empty when it wrote nothing or the words were erased."""

    cut_to: list[str] = field(default_factory=list)
    examined: str = ""


def coverage_of(session: Session) -> dict[str, Coverage]:
    """By letter, of those who answered; two queries, and one more when a text was cut."""
    told = Event.objects.filter(session=session, kind__in=SUBMITTED).order_by("seq")
    given = list(told.values_list("data", flat=True))
    words = {str(pk): text for pk, text in Content.objects.filter(pk__in=examined_in(given)).values_list("pk", "text")}
    return coverage_in(given, words, _source_names(session) if any(data.get("cut") for data in given) else {})


def examined_in(given: Sequence[dict[str, Any]]) -> list[str]:
    """The ids of what instances wrote on their own work, in the data of these events."""
    return [data["examined"]["id"] for data in given if data.get("examined")]


def coverage_in(
    given: Sequence[dict[str, Any]], words: Mapping[str, str], names: Mapping[UUID, str]
) -> dict[str, Coverage]:
    """By letter; `words` by content id, `names` of the sources by version."""
    return {data["letter"]: _coverage(data, words, names) for data in given}


def _coverage(data: dict[str, Any], words: Mapping[str, str], names: Mapping[UUID, str]) -> Coverage:
    cuts, said = data.get("cut", ()), data.get("examined")
    return Coverage(
        [f"{extent(cut['lines'], cut['total'])} of {names[UUID(cut['source'])]}" for cut in cuts],
        words.get(said["id"], "") if said else "",
    )


def _source_names(session: Session) -> dict[UUID, str]:
    rows = SessionSource.objects.filter(session=session)
    return dict(rows.values_list("version_id", "version__artifact__name"))
