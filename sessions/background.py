"""What a phase needs beside the artifacts: findings of this session or of the one it continues, with their words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from sessions.engine.certifying import Standard
from sessions.engine.compare import Earlier
from sessions.engine.findings import Location, Report
from sessions.engine.opinions import Asked
from sessions.engine.roster import Source
from sessions.models import Event, Finding, Participant, Session
from sessions.models import Report as ReportRow
from sessions.queries.standards import standard_of
from sessions.specs import SourceErased, read_sources


@dataclass(frozen=True, slots=True)
class Background:
    """`earlier` and `before`: the findings of the session this one continues, and the texts they are about. `asked` and
    `answered`: the findings others are asked about, and the letters of the instances that answered the review.
    `standard`: what a certification is against."""

    earlier: tuple[Earlier, ...] = ()
    before: tuple[Source, ...] = ()
    asked: tuple[Asked, ...] = ()
    answered: tuple[str, ...] = ()
    standard: Standard | None = None


def read_background(session: Session) -> Background:
    """Raises SourceErased when words are gone that the phase cannot do without."""
    if session.phase == "opinions":
        return Background(asked=_asked(session), answered=_answered(session))
    if session.kind == "certification":
        return Background(standard=standard_of(session))
    if session.previous_id is None:
        return Background()
    before = read_sources([session.previous_id]).get(session.previous_id)
    if not before:  # its artifact was deleted: there is nothing to compare with
        return Background()
    return Background(earlier=_earlier(session), before=tuple(source for source in before if not source.context))


def _asked(session: Session) -> tuple[Asked, ...]:
    asked = Event.objects.filter(session=session, kind="opinions.asked").values_list("data", flat=True)
    numbers = {number for data in asked for number in data["numbers"]}
    rows = Finding.objects.filter(session=session, number__in=numbers, status="open")
    found = []
    for row in rows.select_related("canonical__content", "canonical__source__artifact").order_by("number"):
        words = _words(row)
        if words is None:
            raise SourceErased
        found.append(Asked(row.number, words, tuple(row.raised_by)))
    return tuple(found)


def _answered(session: Session) -> tuple[str, ...]:
    seats = Participant.objects.filter(session=session).exclude(state="missing").order_by("letter")
    return tuple(seats.values_list("letter", flat=True))


def _earlier(session: Session) -> tuple[Earlier, ...]:
    """A dismissal that a person has looked at again in this session is not carried over once more."""
    decided = Finding.objects.filter(session=session, decided_by__isnull=False)
    settled = set(decided.values_list("earlier_number", flat=True))
    rows = Finding.objects.filter(session=session.previous_id, status="open")
    found = []
    for row in rows.select_related("canonical__content", "canonical__source__artifact").order_by("number"):
        if (words := _words(row)) is not None:
            because = row.dismissed_because if row.disposition == "dismissed" and row.number not in settled else ""
            found.append(Earlier(row.number, words, because))
    return tuple(found)


def _words(row: Finding) -> Report | None:
    return next(iter(words_of_reports([row.canonical])), None)


def words_of_reports(rows: Iterable[ReportRow]) -> list[Report]:
    """The reports as they were raised; those whose words were erased are left out."""
    found = []
    for row in rows:
        items = [] if row.content.erased_at else orjson.loads(row.content.text)
        name = f"{row.letter}-{row.ordinal}"
        found += [_report(row, item) for item in items if item["id"] == name]
    return found


def _report(row: ReportRow, item: dict[str, Any]) -> Report:
    location = Location(**{**item["location"], "start_line": row.start_line, "end_line": row.end_line})
    kind = row.source.artifact.kind if row.source else "document"
    return Report(**{**item, "location": location, "artifact": str(row.source_id), "kind": kind})
