"""Standards as pages, the API and certifications read them."""

import orjson
from django.db.models import QuerySet

from sessions.engine.certifying import Criterion
from sessions.engine.certifying import Standard as Judged
from sessions.models import Session, StandardVersion
from sessions.specs import SourceErased


def versions_in(project_id: int) -> QuerySet[StandardVersion]:
    """Every version of every standard of a project, with its words; the newest of each first."""
    return StandardVersion.objects.filter(standard__project=project_id).select_related("standard", "content")


def newest_standards(project_id: int) -> list[StandardVersion]:
    """The newest version of each, by name."""
    newest: dict[int, StandardVersion] = {}
    for version in versions_in(project_id).order_by("standard__name", "standard", "-number"):
        newest.setdefault(version.standard_id, version)
    return list(newest.values())


def criteria_of(version: StandardVersion) -> tuple[Criterion, ...]:
    """Empty when the words were erased."""
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
