"""The instances of a session: their true states, and whose answers count."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from django.db.models import BigAutoField, Count, OuterRef, Q, QuerySet, Subquery, Sum

from sessions.compiled import Compiled, Given
from sessions.engine.errors import explain
from sessions.models import Attempt, Event, Participant, Report, Session
from sessions.states import AT_REST

MISSING, RETRIED = "instance.missing", "session.retried"
# What an instance may have left out of what it handed in with that event.
LACKING = {"reports.submitted": "may miss findings", "attestation.submitted": "left criteria out"}
UNDER_WAY = frozenset({"thinking", "retrying", "summing_up", "judging"})
SIMULATED = "simulated: no model read this file"
_DID = {
    "rate_limited": "was rate limited",
    "provider_auth": "had its key refused",
    "no_key": "had no key",
    "unusable_answer": "gave no usable answer",
    "empty_answer": "gave an empty answer",
    "refused": "declined",
    "cap_reached": "was stopped by the cap",
    "context_too_long": "could not take so long a text",
    "stream_cut": "was cut off",
    "connection_lost": "was cut off",
    "connect_failed": "could not be reached",
    "provider_error": "had an error at its provider",
}


@dataclass(frozen=True, slots=True)
class SeatView:
    """One instance and its true state. `problem` says why it is retrying or missing and what to do next. `cost` is
    micro-credits so far, None when the price of an answer is unknown."""

    letter: str
    name: str
    role: str
    model_id: str
    model_label: str
    temperature: float | None
    focus: str
    simulated: bool
    state: str
    state_at: datetime | None
    error_code: str
    problem: str
    read_in_part: bool
    partial: bool
    raised: int
    cost: int | None


class _Told(Protocol):
    """What a notice says of an instance."""

    @property
    def letter(self) -> str: ...

    @property
    def simulated(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class WhoAnswered:
    """Whose reviews the findings rest on. `missing` gives the error code, `partial` lists answers that were cut
    off, `read_in_part` instances whose provider did not read the whole prompt."""

    sentence: str
    answered: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    partial: list[str] = field(default_factory=list)
    read_in_part: list[str] = field(default_factory=list)


def _seats() -> QuerySet[Participant]:
    own = {"session": OuterRef("session"), "letter": OuterRef("letter")}
    reports = Report.objects.filter(**own).order_by().values("letter").annotate(count=Count("pk"))
    attempts = Attempt.objects.filter(**own).order_by().values("letter")
    paid = attempts.annotate(sum=Sum("cost_microcredits"))
    priceless = attempts.annotate(count=Count("pk", filter=Q(state="delivered", cost_microcredits=None)))
    rows = Participant.objects.filter(session=Given("session", BigAutoField()))
    return (
        rows.select_related("language_model")
        .order_by("letter")
        .annotate(
            raised=Subquery(reports.values("count")),
            paid=Subquery(paid.values("sum")),
            priceless=Subquery(priceless.values("count")),
        )
    )


_SEATS = Compiled(_seats)


def seats_of(session: Session) -> list[SeatView]:
    """The instances by letter; one query."""
    return [_seat(row, _true_state(row, session)) for row in _SEATS(session=session.pk)]


def _true_state(row: Participant, session: Session) -> str:
    """The log ends with the session: whoever was at it then has been stopped, which no event of its own says."""
    return "stopped" if session.status in AT_REST and row.state in UNDER_WAY else row.state


def simulated_notice(seats: Iterable[_Told]) -> str:
    """What has to stand on everything that demo models had a part in; empty when none had."""
    return _of_simulated(seats, SIMULATED, f"{SIMULATED} for {{letters}}")


def charge_notice(seats: Iterable[_Told]) -> str:
    """What has to stand beside every cost that demo models had a part in; empty when none had."""
    return _of_simulated(seats, "nothing is charged", "nothing is charged for {letters}")


def _of_simulated(seats: Iterable[_Told], every: str, some: str) -> str:
    told = [(seat.letter, seat.simulated) for seat in seats]
    demo = [letter for letter, simulated in told if simulated]
    if not demo:
        return ""
    return every if len(demo) == len(told) else some.format(letters=", ".join(demo))


def who_answered(session: Session) -> WhoAnswered:
    """Whose answers count, read from the log (a seat's state moves on when it writes the summary); two queries."""
    letters = list(Participant.objects.filter(session=session).order_by("letter").values_list("letter", flat=True))
    told = Event.objects.filter(session=session, kind__in=(*LACKING, MISSING, RETRIED)).order_by("seq")
    return who_answered_in(list(told.values_list("kind", "data")), letters, at_rest=session.status in AT_REST)


def who_answered_in(told: Sequence[tuple[str, Any]], letters: list[str], *, at_rest: bool) -> WhoAnswered:
    """The same out of (kind, data) of the log, in its order; other kinds are passed over."""
    given: dict[str, Any] = {}
    missing: dict[str, str] = {}
    lacking = ""
    for kind, data in told:
        if kind == RETRIED:
            missing.clear()
        elif kind == MISSING:
            missing[data["letter"]] = data["code"]
        elif kind in LACKING:
            given[data["letter"]] = data
            lacking = LACKING[kind]
            missing.pop(data["letter"], None)
    who = WhoAnswered(
        sentence="",
        answered=sorted(given),
        missing=dict(sorted(missing.items())),
        partial=sorted(letter for letter, data in given.items() if data["partial"]),
        read_in_part=sorted(letter for letter, data in given.items() if data["read_in_part"]),
    )
    return replace(who, sentence=_sentence(who, letters, lacking, at_rest=at_rest))


def _sentence(who: WhoAnswered, letters: list[str], lacking: str, *, at_rest: bool) -> str:
    """`2 of 3 answered: C timed out`, and which answers are not whole."""
    facts = [f"{letter} {did(code)}" for letter, code in who.missing.items()]
    silent = [letter for letter in letters if letter not in who.missing and letter not in who.answered]
    if silent and (who.answered or who.missing or not at_rest):
        facts.append(f"{', '.join(silent)} {'did not answer' if at_rest else 'not yet'}")
    facts += [f"{letter} read only part" for letter in who.read_in_part]
    facts += [f"{letter} {lacking}" for letter in who.partial if letter not in who.read_in_part]
    return f"{len(who.answered)} of {len(letters)} answered" + (f": {', '.join(facts)}" if facts else "")


def did(code: str) -> str:
    """What happened to an instance, after its letter: `timed out`."""
    return "timed out" if code.startswith("timeout_") else _DID.get(code, f"failed ({code})")


def _seat(row: Any, state: str) -> SeatView:
    return SeatView(
        letter=row.letter,
        name=row.name,
        role=row.role,
        model_id=row.language_model_id,
        model_label=row.language_model.label or row.language_model_id,
        temperature=None if row.temperature is None else float(row.temperature),
        focus=row.focus,
        simulated=row.simulated,
        state=state,
        state_at=row.state_at,
        error_code=row.error_code,
        problem=explain(row.error_code) if row.error_code else "",
        read_in_part=row.read_in_part,
        partial=row.partial,
        raised=row.raised or 0,
        cost=None if row.priceless else row.paid or 0,
    )
