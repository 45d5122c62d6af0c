"""What a session is, frozen at start: one canonical JSON text in an erasable row, from which every replay builds the
same prompts. Artifact texts stay where they are and are named by version id and digest."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from sessions.engine.patterns.review import ReviewSpec
from sessions.engine.roster import Member, Source
from sessions.models import Content, Participant, Session, SessionSource


class ReviewParams(BaseModel):
    """Parameters of a review. Findings below `severity_floor` are not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    focus: str = Field("", max_length=2_000)
    severity_floor: Literal["info", "minor", "major", "critical"] = "info"
    max_findings: int = Field(25, ge=1, le=50)


class SourceErased(Exception):  # noqa: N818
    """An artifact of the session was deleted: it can be read no more."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """The stored spec: `members` and `sources` as plain JSON."""

    title: str
    brief: str
    params: dict[str, Any]
    members: list[dict[str, Any]]
    sources: list[dict[str, Any]]

    def text(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


def freeze(session: Session) -> str:
    """The spec of a draft as canonical JSON text."""
    members = [
        asdict(_member(participant))
        for participant in session.participants.select_related("language_model__provider").order_by("letter")
    ]
    sources = [
        {"ref": str(row.version_id), "digest": row.version.digest, "context": row.context}
        for row in session.sources.select_related("version").order_by("position")
    ]
    brief = session.brief.text if session.brief else ""
    return Frozen(session.title, brief, session.params, members, sources).text()


def thaw_review(session: Session, frozen: Frozen, sources: tuple[Source, ...]) -> ReviewSpec:
    params = ReviewParams.model_validate(frozen.params)
    return ReviewSpec(
        members=tuple(Member(**member) for member in frozen.members),
        sources=sources,
        title=frozen.title,
        brief=frozen.brief,
        focus=params.focus,
        nonce_seed=session.nonce_seed,
        severity_floor=params.severity_floor,
        max_findings=params.max_findings,
    )


def thaw(spec: Content) -> Frozen:
    if spec.erased_at:
        raise SourceErased
    return Frozen(**orjson.loads(spec.text))


def read_sources(session: Session) -> tuple[Source, ...]:
    """The texts the session reads. Raises SourceErased."""
    rows = SessionSource.objects.filter(session=session).order_by("position")
    return tuple(_source(row) for row in rows.select_related("version__content", "version__artifact"))


def _member(participant: Participant) -> Member:
    model = participant.language_model
    return Member(
        letter=participant.letter,
        name=participant.name,
        role=participant.role,
        model_id=model.pk,
        family=model.family or model.provider.name,
        focus=participant.focus,
        temperature=float(participant.temperature) if participant.temperature is not None else None,
        context_window=model.context_window,
        simulated=participant.simulated,
    )


def _source(row: SessionSource) -> Source:
    version = row.version
    if version.content.erased_at:
        raise SourceErased
    return Source(
        ref=str(version.pk),
        name=version.artifact.name,
        kind=version.artifact.kind,  # type: ignore[arg-type]
        text=version.content.text,
        digest=version.digest,
        context=row.context,
    )
