"""What a deliberation has published: its rounds as the pure maths takes them, and the decision. A fixed number of
queries whatever its size."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from django.db.models import BigAutoField

from sessions.compiled import Compiled, CompiledRows, Given
from sessions.engine.agreement import RoundFigures, Rules, figures
from sessions.engine.positions import Round, Standing, standing
from sessions.engine.roster import Member
from sessions.engine.rounds import restored
from sessions.models import ArtifactVersion, Content, Event, Participant, Position, Session
from sessions.models import Round as RoundRow
from sessions.projections import decision_pk
from sessions.queries.findings import text_of
from sessions.specs import DeliberationParams, member_of

_POSITION = ("letter", "number", "version", "stance", "field", "material", "severity", "confidence", "verified",
             "explained")  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublishedRound:
    """A round as it was published. `told` is it for `sessions.engine`, `synthesis` the words of `writer`, empty without
    any. Shares are basis points. `missing` maps letters to error codes."""

    number: int
    mode: str
    attempt: int
    missing: dict[str, str]
    agreement_bp: int | None
    same_set_bp: int | None
    stability_bp: int | None
    told: Round
    synthesis: str
    writer: str
    cost_microcredits: int
    definition: str
    seal: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision. `data` is the event `decision.written`: outcome, reason, confidence, statuses, flips and so on;
    `version` the artifact version that holds `text`; `settle` says by number what would settle a finding. Words that
    were erased are empty."""

    data: dict[str, Any]
    version: ArtifactVersion
    text: str
    summary: str
    settle: dict[int, str]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliberationView:
    """`rounds` are those of the newest generation that published any. `held_by` is where everybody stands after the
    last of them, by finding and letter, and `figures` what that amounts to. `stopped`: somebody ended it before
    there was a decision. `members` decide in the end; in a fork `letters` are those of others, too, who left before."""

    rules: Rules
    members: tuple[Member, ...]
    letters: tuple[str, ...]
    rounds: tuple[PublishedRound, ...]
    decided: Decided | None
    held_by: Standing = field(default_factory=dict)
    figures: RoundFigures | None = None
    stopped: bool = False

    @property
    def told(self) -> tuple[Round, ...]:
        return tuple(one.told for one in self.rounds)


def deliberation_of(session: Session) -> DeliberationView | None:
    """None for a session of another kind; six queries."""
    if session.kind != "deliberation":
        return None
    seats = _SEATS(session=session.pk)
    letters = tuple(seat.letter for seat in seats)
    members = tuple(member_of(seat) for seat in seats if seat.last_round is None)
    rules = DeliberationParams.model_validate(session.params).rules(tuple(member.letter for member in members))
    rounds, decided = _rounds(session), _decided(session)
    if not rounds:
        return DeliberationView(rules, members, letters, (), decided)
    if session.fork_round:
        rounds = tuple(replace(one, told=replace(one.told, letters=_deciding(seats, one.number))) for one in rounds)
    told = [one.told for one in rounds]
    held_by = standing(told, told[-1].letters or rules.letters)
    counted = figures(told, rules, held_by)
    return DeliberationView(rules, members, letters, rounds, decided, held_by, counted, session.status == "cancelled")


def _deciding(seats: Sequence[Participant], number: int) -> tuple[str, ...]:
    """Who took part in that round of a fork."""
    rounds = [(seat.letter, seat.first_round, seat.last_round or number) for seat in seats]
    return tuple(letter for letter, first, last in rounds if first <= number <= last)


def rejected_in(found: DeliberationView | None) -> list[int]:
    """The findings that the instances agree do not hold."""
    told = found.figures.findings if found and found.figures else ()
    return [one.number for one in told if one.status == "rejected"]


_SEATS = Compiled(
    lambda: (
        Participant.objects.filter(session=Given("session", BigAutoField()))
        .select_related("language_model__provider", "fallback__provider")
        .order_by("letter")
    )
)
_SAID = CompiledRows(
    lambda *row: row,
    lambda: (
        Position.objects.filter(session=Given("session", BigAutoField()))
        .order_by("ordinal")
        .values_list("round__generation", "round__number", *_POSITION)
    ),
)


def _rounds(session: Session) -> tuple[PublishedRound, ...]:
    rows = list(RoundRow.objects.filter(session=session).select_related("words", "synthesis").order_by("number"))
    newest = max((row.generation for row in rows), default=0)
    taken: dict[int, list[dict[str, Any]]] = {}
    for generation, number, *row in _SAID(session=session.pk):
        if generation == newest:
            taken.setdefault(number, []).append(dict(zip(_POSITION, row, strict=True)))
    return tuple(_round(row, taken.get(row.number, [])) for row in rows if row.generation == newest)


def _round(row: RoundRow, positions: Sequence[dict[str, Any]]) -> PublishedRound:
    data = {
        "round": row.number,
        "answered": row.answered,
        "empty_lists": row.empty_lists,
        "about": row.about,
        "attempt": row.attempt,
        "findings": row.findings,
        "closed": row.closed,
        "positions": positions,
        "cost_microcredits": row.cost_microcredits,
    }
    words = text_of(row.words)
    return PublishedRound(
        number=row.number,
        mode=row.mode,
        attempt=row.attempt,
        missing={one["letter"]: one["code"] for one in row.missing},
        agreement_bp=row.agreement_bp,
        same_set_bp=row.same_set_bp,
        stability_bp=row.stability_bp,
        told=restored(data, orjson.loads(words) if words else []),
        synthesis=text_of(row.synthesis),
        writer=row.writer,
        cost_microcredits=row.cost_microcredits,
        definition=row.definition,
        seal=row.seal,
        published_at=row.published_at,
    )


def _decided(session: Session) -> Decided | None:
    told = Event.objects.filter(session=session, kind="decision.written").order_by("-seq")
    data = told.values_list("data", flat=True).first()
    if data is None:
        return None
    pk = decision_pk(session.code, data["decision"]["digest"])
    version = ArtifactVersion.objects.select_related("artifact", "content").get(pk=pk)
    ids = [data[name]["id"] for name in ("said", "summary") if data[name]]
    texts = {str(content.pk): text_of(content) for content in Content.objects.filter(pk__in=ids)}
    said = orjson.loads(texts.get(data["said"]["id"]) or b'{"settle": {}, "questions": []}')
    return Decided(
        data=data,
        version=version,
        text=text_of(version.content),
        summary=texts.get(data["summary"]["id"], "") if data["summary"] else "",
        settle={int(number): words for number, words in said["settle"].items()},
        questions=tuple(said["questions"]),
    )
