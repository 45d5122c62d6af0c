"""The criteria of a standard: checked, and kept as versions that nobody changes."""

from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from sessions.actions.errors import Refused
from sessions.catalog.standards import shipped_standards
from sessions.engine.attesting import MAX_CRITERION
from sessions.engine.text import storable
from sessions.events import digest_of
from sessions.models import Content, Project, Standard, StandardVersion
from sessions.models.ids import uuid7

MAX_CRITERIA = 40


class CriterionData(BaseModel):
    """`critical`: not met with a quote that proves it, it refuses the certificate for all. `guidance` tells instances
    how to judge it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,23}$")]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=MAX_CRITERION)]
    mandatory: bool = True
    critical: bool = False
    guidance: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_CRITERION)] = ""


_CRITERIA = TypeAdapter(Annotated[list[CriterionData], Field(max_length=MAX_CRITERIA)])


def criteria_text(criteria: list[dict[str, Any]]) -> str:
    """The criteria as they are kept: canonical JSON. Raises Refused."""
    if not criteria:
        raise Refused("bad_criteria", "A standard needs at least one criterion.", 422)
    cleaned = [{name: storable(v) if isinstance(v, str) else v for name, v in row.items()} for row in criteria]
    try:
        found = _CRITERIA.validate_python(cleaned)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(["criteria", *(str(part) for part in first["loc"])])
        raise Refused("bad_criteria", f"{place}: {first['msg']}.", 422) from None
    names = [criterion.id.casefold() for criterion in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise Refused("criterion_twice", f"Two criteria have the ID {twice!r}. Give each its own.", 422)
    if not any(criterion.mandatory for criterion in found):
        raise Refused("nothing_mandatory", "One criterion at least must be mandatory: nothing else can refuse.", 422)
    rows = [criterion.model_dump(exclude=set() if criterion.guidance else {"guidance"}) for criterion in found]
    return orjson.dumps(rows, option=orjson.OPT_SORT_KEYS).decode()


def add_versions(project: Project, texts: list[tuple[Standard, int, str]], by: int | None) -> list[StandardVersion]:
    """Versions with these numbers and criteria texts. The caller holds a transaction."""
    contents = [
        Content(
            pk=uuid7(), project=project, kind="standard", text=text, digest=digest_of(text), size=len(text.encode())
        )
        for _, _, text in texts
    ]
    Content.objects.bulk_create(contents)
    return StandardVersion.objects.bulk_create(
        StandardVersion(standard=standard, number=number, content=content, digest=content.digest, created_by_id=by)
        for (standard, number, _), content in zip(texts, contents, strict=True)
    )


def seed_standards(project: Project) -> None:
    """The standards that come along, as far as the project has none with that key."""
    known = set(project.standards.values_list("key", flat=True))
    shipped = [one for one in shipped_standards() if one.key not in known]
    rows = [Standard(project=project, key=one.key, name=one.name, purpose=one.purpose) for one in shipped]
    Standard.objects.bulk_create(rows)
    texts = [criteria_text(list(one.criteria)) for one in shipped]
    add_versions(project, [(row, 1, text) for row, text in zip(rows, texts, strict=True)], None)
