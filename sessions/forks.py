"""A fork: who takes part in it from when to when, and what the record it is made of spares it.

Pure: `sessions.actions.forking` looks up what stands here, and refuses what cannot be.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessions.actions.errors import Refused
from sessions.forecast import EVERY_TIME, PlannedCall
from sessions.models import Participant, Session
from sessions.seats import Seat, letters, seat_of

MOST_LETTERS = 26
BLIND = frozenset({"brief", "review", "certify"})
"""Stages in which nobody sees what another wrote."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A seat with its letter, and the rounds it takes part in; `last_round` None: to the end."""

    letter: str
    seat: Seat
    first_round: int = 1
    last_round: int | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Of `recorded`, the first `taken` rounds; a kind without rounds has 0. `held` counts the rounds of the record that
    answer the same questions as those of an unchanged fork. `placed` is everybody who ever takes part, `before` the
    letters that took part in the record to its end, `added` the artifact versions that are read from here on.
    `goes_on`: even where nothing differs it does not end like the record."""

    recorded: Session
    taken: int
    held: int
    placed: tuple[Placed, ...]
    before: frozenset[str]
    added: tuple[uuid.UUID, ...]
    goes_on: bool

    @property
    def present(self) -> tuple[Placed, ...]:
        """Who takes part to the end."""
        return tuple(one for one in self.placed if one.last_round is None)

    @property
    def letters(self) -> frozenset[str]:
        return frozenset(one.letter for one in self.present)

    @property
    def differs(self) -> bool:
        return bool(self.added) or self.letters != self.before

    @property
    def replays(self) -> bool:
        """Whether it comes to the same end as the record, and asks nobody."""
        return not (self.differs or self.goes_on)

    @property
    def known(self) -> int:
        """After how many rounds something is asked again."""
        return self.held if self.taken and not self.differs else self.taken

    def said(self) -> dict[str, Any]:
        """As the log of the fork holds it."""
        return {
            "session": self.recorded.code,
            "rounds": self.taken,
            "joining": sorted(self.letters - self.before),
            "leaving": sorted(self.before - self.letters),
            "added": list(self.added),
        }

    def answered(self, call: PlannedCall) -> int:
        """How often the record answers a call of the plan; EVERY_TIME: as often as it is made."""
        if self.replays:
            return EVERY_TIME
        return self._in_rounds(call) if self.taken else self._alone(call)

    def _in_rounds(self, call: PlannedCall) -> int:
        """What a deliberation asks again begins with the round after the taken ones. Those who stay are shown there
        what the record showed them, unless somebody's arguments are gone or there is more to read."""
        joined_only = not self.added and self.before < self.letters
        again = joined_only and self.held > self.taken and call.letter in self.before
        return {"decision": 0, "synthesis": self.known, "assess": self.known - 1 + again}.get(call.stage, EVERY_TIME)

    def _alone(self, call: PlannedCall) -> int:
        """Those who stay are asked the same as before unless there is more to read, or another lead to follow."""
        leads = {one.letter for one in self.present if one.seat.role == "lead"}
        same = call.stage in BLIND and call.letter in self.before and leads <= self.before
        return EVERY_TIME if same and not self.added else 0


def place(rows: Sequence[Participant], taken: int, seats: Sequence[Seat]) -> tuple[Placed, ...]:
    """Who sits where in a fork, after `taken` rounds, of a session whose instances are `rows`. A seat in which nothing
    was changed is the same instance and keeps its letter; any other is a new one, with a letter that nobody had. Who
    was there in the rounds taken, and is not among `seats`, leaves after them. Raises Refused when the letters run
    out."""
    placed, new = [], list(seats)
    for row in rows:
        seat, was_there = seat_of(row), row.first_round <= max(taken, 1)
        if seat in new and (row.last_round is None or row.last_round >= taken):
            new.remove(seat)
            placed.append(Placed(row.letter, seat, row.first_round if was_there else taken + 1))
        elif was_there and taken:
            placed.append(Placed(row.letter, seat, row.first_round, min(row.last_round or taken, taken)))
    used = {row.letter for row in rows}
    fresh = [letter for letter in letters(MOST_LETTERS) if letter not in used]
    if len(new) > len(fresh):
        raise Refused("letters_spent", f"One line of forks has at most {MOST_LETTERS} instances. Start a new session.")
    placed += [Placed(letter, seat, taken + 1) for letter, seat in zip(fresh, new, strict=False)]
    return tuple(sorted(placed, key=lambda one: one.letter))
