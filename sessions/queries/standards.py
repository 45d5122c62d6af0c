"""Standards as pages, the API and certifications read them."""

from collections.abc import Iterable

import orjson
from django.db.models import QuerySet

from sessions.engine.certifying import Criterion
from sessions.engine.certifying import Standard as Judged
from sessions.models import Session, StandardVersion
from sessions.specs import SourceErased

NO_CRITERIA = "[]"
"""The text of a version that retires its standard."""


def versions_in(project_id: int) -> QuerySet[StandardVersion]:
    """Every version of every standard of a project, with its words; the newest of each first."""
    return StandardVersion.objects.filter(standard__project=project_id).select_related("standard", "content")


def newest_standards(project_id: int) -> list[StandardVersion]:
    """The newest version of each, by name."""
    return list(_newest(versions_in(project_id).order_by("standard__name", "standard", "-number")).values())


def usable_standards(project_id: int) -> list[StandardVersion]:
    """What new sessions can be held against: every version of every standard that is not retired, by name, the newest
    of each first."""
    versions = list(versions_in(project_id).order_by("standard__name", "standard", "-number"))
    retired = {pk for pk, version in _newest(versions).items() if retires(version)}
    return [one for one in versions if one.standard_id not in retired and not retires(one)]


def retires(version: StandardVersion) -> bool:
    """Whether this is the version that ends its standard: it has no criteria. A later one brings it back."""
    return version.content.text == NO_CRITERIA


def _newest(versions: Iterable[StandardVersion]) -> dict[int, StandardVersion]:
    """By standard the first of these, which come newest first."""
    newest: dict[int, StandardVersion] = {}
    for version in versions:
        newest.setdefault(version.standard_id, version)
    return newest


def criteria_of(version: StandardVersion) -> tuple[Criterion, ...]:
    """Empty when the words were erased, and of a version that retires its standard."""
    rows = [] if version.content.erased_at else orjson.loads(version.content.text)
    return tuple(Criterion(**row) for row in rows)


def standard_of(session: Session) -> Judged:
    """What a certification is against. Raises SourceErased when its words are gone."""
    return standard_named(session.project_id, session.params["standard"], session.params["version"])


def standard_named(project_id: int, key: str, number: int | None) -> Judged:
    """One version of a standard, the newest without a number. Raises SourceErased when its words are gone."""
    rows = versions_in(project_id).filter(standard__key=key)
    version = (rows if number is None else rows.filter(number=number)).first()
    if version is None or version.content.erased_at:
        raise SourceErased
    return Judged(version.standard.key, version.standard.name, version.number, version.digest, criteria_of(version))
