"""Fork a finished session: another one of the same kind goes on from one of its rounds, with other instances or with
more to read, and pays only for what differs.

A fork of a deliberation takes the rounds up to the one it is forked from as they were, failures included. After them
its own roster decides: who stays keeps its positions, who joins has none in the rounds before, who leaves is not
counted any more. A review and a certification have one blind round, so their forks take the answers of those who stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.new_session import NewSession, create_session, params_for
from sessions.forks import Fork, place
from sessions.kinds import KINDS
from sessions.models import ArtifactVersion, Content, Round, Session, SessionSource
from sessions.queries.estimate import Estimate, estimate
from sessions.seats import Seat, check_shape, seats_of_session
from sessions.titles import fork_title

MOST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be different: `seats` None leaves the roster as it is, `added` are artifact versions that are read and
    not judged. `rounds` is how many a deliberation may have at most, None: as many as before, one more if need be."""

    seats: Sequence[Seat] | None = None
    added: Sequence[ArtifactVersion] = ()
    rounds: int | None = None


def rounds_of(session: Session) -> int:
    """How many rounds of a session can be forked from: those of its newest generation, 0 for a kind without any."""
    return Round.objects.filter(session=session, generation=session.generation).count()


def fork(actor: Actor, recorded: Session, after: int | None = None, changes: Changes | None = None) -> Session:
    """A draft that goes on after round `after` of `recorded`, None for the last. Raises Refused."""
    new = _new(recorded, after, changes or Changes())
    with transaction.atomic():
        return create_session(actor, recorded.project, new)


def plan_of(recorded: Session, after: int | None = None, changes: Changes | None = None) -> Fork:
    """Who would take part from when to when, and what the record spares. Raises Refused for what cannot be."""
    check_forking(recorded)
    held = rounds_of(recorded)
    return _fork(recorded, _taken(recorded, held, after), held, changes or Changes())


def forking_estimate(recorded: Session, after: int | None = None, changes: Changes | None = None) -> Estimate:
    """What the fork will ask, cost and take. Raises Refused for one that could not be made or started."""
    new = _new(recorded, after, changes or Changes())
    params = params_for(recorded.project, new.kind, new.params)
    return estimate(
        recorded.project, new.seats, new.versions, params,
        kind=new.kind, context=new.context, brief=new.brief, fork=new.fork,
    )  # fmt: skip


def check_forking(recorded: Session) -> None:
    """Raises Refused for what cannot be forked."""
    label = KINDS[recorded.kind].label.lower()
    if recorded.status != "completed":
        sentence = f"This {label} is {recorded.status}. It can be forked once it is completed."
        raise Refused("not_completed", sentence, 409)
    sources = SessionSource.objects.filter(session=recorded)
    erased = (
        sources.exclude(version__content__erased_at=None),
        sources.exclude(version__artifact__deleted_at=None),
        Content.objects.filter(session=recorded).exclude(erased_at=None),
    )
    if any(rows.exists() for rows in erased):
        raise Refused("source_erased", f"Texts of this {label} were erased: nobody can read them again.", 409)


def _new(recorded: Session, after: int | None, changes: Changes) -> NewSession:
    made = plan_of(recorded, after, changes)
    rows = list(recorded.sources.select_related("version__artifact", "version__content"))
    previous = recorded.previous
    return NewSession(
        kind=recorded.kind,
        seats=[one.seat for one in made.present],
        versions=[row.version for row in rows if not row.context],
        context=[*(row.version for row in rows if row.context), *changes.added],
        title=fork_title(recorded),
        brief=recorded.brief.text if recorded.brief else "",
        params=_params(recorded, made, changes),
        soft_cap=recorded.soft_cap_microcredits,
        hard_cap=recorded.hard_cap_microcredits,
        previous=previous.code if previous and previous.deleted_at is None else None,
        fork=made,
    )


def _taken(recorded: Session, held: int, after: int | None) -> int:
    """How many rounds are taken; a kind without rounds has one, of which only answers can be taken."""
    last = held or 1
    if after is not None and not 1 <= after <= last:
        have = f"{last} round{'s' if last > 1 else ''}"
        raise Refused("round_unknown", f"There is no round {after} to fork from: this session has {have}.", 404)
    return (after or last) if held else 0


def _fork(recorded: Session, taken: int, held: int, changes: Changes) -> Fork:
    seats = seats_of_session(recorded) if changes.seats is None else list(changes.seats)
    check_shape(seats)
    rows = list(recorded.participants.order_by("letter"))
    own = taken >= (recorded.fork_round or 0)
    return Fork(
        recorded,
        taken,
        held=held if own else taken,
        placed=place(rows, taken, seats),
        before=frozenset(row.letter for row in rows if row.last_round is None),
        added=tuple(version.pk for version in changes.added),
        goes_on=not own or (taken > 0 and _ends_otherwise(recorded, changes.rounds)),
    )


def _ends_otherwise(recorded: Session, rounds: int | None) -> bool:
    """Whether an unchanged fork with that many rounds does not end like the record: another limit, or money again."""
    most = recorded.params["max_rounds"]
    fewer, more = rounds is not None and rounds < most, rounds is not None and rounds > most
    return fewer or recorded.reason == "budget" or (more and recorded.reason == "max_rounds")


def _params(recorded: Session, made: Fork, changes: Changes) -> dict[str, Any]:
    """Those of the record, with as many rounds as the fork may have."""
    if not made.taken:
        return dict(recorded.params)
    least = made.taken + 1 if made.differs else made.taken
    if made.differs and least > MOST_ROUNDS:
        sentence = f"A deliberation has at most {MOST_ROUNDS} rounds. Fork from an earlier one to change something."
        raise Refused("too_many_rounds", sentence, 409)
    before = recorded.params["max_rounds"]
    usual = max(before, least) if made.differs else before  # one that was there to confirm is beyond the limit
    if (changes.rounds or least) < least:
        raise Refused("too_few_rounds", f"After round {made.taken} this takes at least {least} rounds in all.")
    return {**recorded.params, "max_rounds": usual if changes.rounds is None else changes.rounds}
