"""What a session is, frozen at start: one canonical JSON text in an erasable row, from which every replay builds the
same prompts. Artifact texts stay where they are and are named by version id and digest."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import orjson
from django.db.models import BigAutoField
from pydantic import BaseModel, ConfigDict, Field

from sessions.compiled import Compiled, Given, GivenMany
from sessions.engine.agreement import EVERYONE, MORE_THAN_HALF, THREE_QUARTERS, Rules
from sessions.engine.patterns.certification import CertificationSpec
from sessions.engine.patterns.deliberation import DeliberationSpec
from sessions.engine.patterns.opinions import OpinionsSpec
from sessions.engine.patterns.review import ReviewSpec
from sessions.engine.roster import Member, Source
from sessions.models import Content, LanguageModel, Participant, Session, SessionSource

if TYPE_CHECKING:
    from sessions.background import Background


class ReviewParams(BaseModel):
    """Parameters of a review. Findings below `severity_floor` are not asked for. `second_opinion`: `lone_critical` asks
    the other instances about every finding from critical up that only one raised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    focus: str = Field("", max_length=2_000)
    severity_floor: Literal["info", "minor", "major", "critical"] = "info"
    max_findings: int = Field(25, ge=1, le=50)
    second_opinion: Literal["off", "lone_critical"] = "off"


THRESHOLDS = {"everyone": EVERYONE, "three_quarters": THREE_QUARTERS, "more_than_half": MORE_THAN_HALF}


class DeliberationParams(BaseModel):
    """Parameters of a deliberation. `threshold` says who must agree on a finding. After `max_rounds` a
    `confirmation_round` asks once more about grave findings that came in the last one. Findings from `block_severity`
    up decide how sure the result is. `only`, which settling a review sets, are the numbers of the findings that later
    rounds are asked about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    focus: str = Field("", max_length=2_000)
    severity_floor: Literal["info", "minor", "major", "critical"] = "info"
    max_findings: int = Field(25, ge=1, le=50)
    threshold: Literal["everyone", "three_quarters", "more_than_half"] = "everyone"
    max_rounds: int = Field(3, ge=2, le=5)
    confirmation_round: bool = False
    block_severity: Literal["minor", "major", "critical", "blocker"] = "critical"
    only: list[int] | None = Field(None, min_length=1, max_length=1_000)

    def rules(self, letters: tuple[str, ...]) -> Rules:
        return Rules(letters, THRESHOLDS[self.threshold], self.max_rounds, self.confirmation_round)


def gated(kind: str, params: Mapping[str, Any], policy: str) -> dict[str, Any]:
    """The parameters of a session that a gate judges by `policy`, empty for none. A deliberation then has its
    confirmation round, because a gate lets nothing pass that nobody assessed; what somebody chose stays."""
    confirms = kind == "deliberation" and bool(policy)
    return {"confirmation_round": True, **params} if confirms else dict(params)


class CertificationParams(BaseModel):
    """Parameters of a certification. `standard` is the key of one of the project's; without `version` it is the newest,
    which is written down when the session is made. `rule` says how many of those who take a side must certify; one
    instance alone decides only with `allow_single`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    standard: str = Field(max_length=60)
    version: int | None = Field(None, ge=1)
    rule: Literal["unanimous", "supermajority", "majority"] = "unanimous"
    allow_single: bool = False
    focus: str = Field("", max_length=2_000)


class SourceErased(Exception):  # noqa: N818
    """An artifact of the session was deleted: it can be read no more."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """The stored spec: `members` and `sources` as plain JSON. In a fork `before` is the spec of the session that was
    forked, in the same shape, and `taken` how many of its rounds are taken."""

    title: str
    brief: str
    params: dict[str, Any]
    members: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    before: dict[str, Any] | None = None
    taken: int = 0

    def text(self) -> str:
        """Canonical. What only a fork has stands in it only there, so that no other session's digest knows of forks."""
        whole = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.before is None:
            del whole["before"], whole["taken"]
        return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS).decode()


_SEATS = Compiled(
    lambda: (
        Participant.objects.filter(session=Given("session", BigAutoField()), last_round=None)
        .select_related("language_model__provider", "fallback__provider")
        .order_by("letter")
    )
)
_SOURCES = Compiled(
    lambda: (
        SessionSource.objects.filter(session=Given("session", BigAutoField()))
        .select_related("version")
        .order_by("position")
    )
)


_READ = Compiled(
    lambda: (
        SessionSource.objects.filter(session__in=GivenMany("sessions", BigAutoField()))
        .select_related("version__content", "version__artifact")
        .order_by("session", "position")
    )
)


def freeze(session: Session) -> Frozen:
    """The spec of a draft. The digest of its text is that of the session's input: the same text, the same prompts. What
    is made of another session keeps that one's title in its prompts. Raises SourceErased when its spec was erased."""
    record = _recorded(session)
    before = record if session.fork_round is not None else None
    known = {member["letter"]: member for member in before.members} if before else {}
    members = [known.get(seat.letter) or member_data(member_of(seat)) for seat in seated(session)]
    sources = [
        {"ref": str(row.version_id), "digest": row.version.digest, "context": row.context}
        for row in _SOURCES(session=session.pk)
    ]
    brief = session.brief.text if session.brief else ""
    title = record.title if record else session.title
    whole = Frozen(title, brief, session.params, members, sources)
    return replace(whole, before=asdict(before), taken=session.fork_round or 0) if before else whole


def _recorded(session: Session) -> Frozen | None:
    """The spec of the session that this draft is a fork of, or settles."""
    if session.reuses is None:
        return None
    assert session.reuses.spec is not None
    return thaw(session.reuses.spec)


def seated(session: Session) -> list[Participant]:
    """The instances that take part to the end, by letter, with their models and providers."""
    return _SEATS(session=session.pk)


def _given(session: Session, frozen: Frozen, sources: tuple[Source, ...]) -> dict[str, Any]:
    """What the specs of all kinds have in common; a spec reads those of the `sources` that it names."""
    named = {source["ref"] for source in frozen.sources}
    return {
        "members": tuple(map(_member, frozen.members)),
        "sources": tuple(source for source in sources if source.ref in named),
        "title": frozen.title,
        "brief": frozen.brief,
        "nonce_seed": session.nonce_seed,
    }


def thaw_review(session: Session, frozen: Frozen, sources: tuple[Source, ...], background: "Background") -> ReviewSpec:
    params = ReviewParams.model_validate(frozen.params)
    return ReviewSpec(
        **_given(session, frozen, sources),
        focus=params.focus,
        severity_floor=params.severity_floor,
        max_findings=params.max_findings,
        second_opinion=params.second_opinion,
        earlier=background.earlier,
        before=background.before,
    )


def thaw_deliberation(
    session: Session, frozen: Frozen, sources: tuple[Source, ...], background: "Background"
) -> DeliberationSpec:
    params = DeliberationParams.model_validate(frozen.params)
    given = _given(session, frozen, sources)
    return DeliberationSpec(
        **given,
        focus=params.focus,
        severity_floor=params.severity_floor,
        max_findings=params.max_findings,
        rules=params.rules(tuple(member.letter for member in given["members"])),
        block_severity=params.block_severity,
        generation=session.generation,
        artifact=session.decision_id or 0,
        only=None if params.only is None else frozenset(params.only),
        before=thaw_deliberation(session, Frozen(**frozen.before), sources, background) if frozen.before else None,
        taken=frozen.taken,
    )


def thaw_certification(
    session: Session, frozen: Frozen, sources: tuple[Source, ...], background: "Background"
) -> CertificationSpec:
    params = CertificationParams.model_validate(frozen.params)
    assert background.standard is not None
    return CertificationSpec(
        **_given(session, frozen, sources),
        focus=params.focus,
        standard=background.standard,
        rule=params.rule,
        allow_single=params.allow_single,
    )


def thaw_opinions(
    session: Session, frozen: Frozen, sources: tuple[Source, ...], background: "Background"
) -> OpinionsSpec:
    spec = thaw_review(session, frozen, sources, background)
    members = tuple(member for member in spec.members if member.letter in background.answered)
    return OpinionsSpec(spec, members, background.asked)


def thaw(spec: Content) -> Frozen:
    if spec.erased_at:
        raise SourceErased
    return Frozen(**orjson.loads(spec.text))


def read_sources(session_ids: Iterable[int]) -> dict[int, tuple[Source, ...] | None]:
    """By session, the texts it reads; None when one of them was erased."""
    found: dict[int, tuple[Source, ...] | None] = {}
    for row in _READ(sessions=session_ids):
        before = found.get(row.session_id, ())
        if before is None or row.version.content.erased_at:
            found[row.session_id] = None
        else:
            found[row.session_id] = (*before, _source(row))
    return found


def member_of(participant: Participant) -> Member:
    own = _seated_on(participant.language_model, participant)
    return replace(own, fallback=_seated_on(participant.fallback, participant)) if participant.fallback else own


def _seated_on(model: LanguageModel, participant: Participant) -> Member:
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
        route=model.route,
    )


def member_data(member: Member) -> dict[str, Any]:
    """As the spec holds it. A fallback stands in it only where there is one, so that the digests of others know of
    none."""
    data = asdict(member)
    fallback = data.pop("fallback")
    return data | ({"fallback": {name: fallback[name] for name in data}} if fallback else {})


def _member(data: dict[str, Any]) -> Member:
    fallback = data.get("fallback")
    return Member(**{**data, "fallback": Member(**fallback) if fallback else None})


def _source(row: SessionSource) -> Source:
    version = row.version
    return Source(
        ref=str(version.pk),
        name=version.artifact.name,
        kind=version.artifact.kind,  # type: ignore[arg-type]
        text=version.content.text,
        digest=version.digest,
        context=row.context,
    )
