"""The instances of a session: their true states, and whose answers count."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import BigAutoField, Count, OuterRef, Q, QuerySet, Subquery, Sum

from sessions.compiled import Compiled, Given
from sessions.engine.errors import explain
from sessions.engine.rounds import round_of
from sessions.models import Attempt, Event, Participant, Report, Session
from sessions.states import AT_REST

MISSING, RETRIED = "instance.missing", "session.retried"
# What an instance may have left out of what it handed in with that event.
LACKING = {"reports.submitted": "may miss findings", "attestation.submitted": "left criteria out"}
RETRIES_READ = 50  # the last ones: every instance that waits for its next try is among them
UNDER_WAY = frozenset({"thinking", "retrying", "summing_up", "judging"})
SIMULATED = "simulated: no model read this file"
_DID = {
    "rate_limited": "was rate limited",
    "provider_auth": "had its key refused",
    "provider_denied": "was not allowed to its key",
    "quota_exceeded": "had no credit left",
    "no_key": "had no key",
    "model_disabled": "was switched off",
    "model_not_found": "was unknown to its provider",
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
class Replacement:
    """At the step `path` the instance's own model failed with `code`, and `by` was asked."""

    path: str
    by: str
    code: str


@dataclass(frozen=True, slots=True)
class SeatView:
    """One instance and its true state. `fallback` is the model that stands in for its own, empty for none, `replaced`
    where it did. `problem` says why it is retrying or missing and what to do next. `cost` is
    micro-credits so far, None when the price of an answer is unknown. In a fork it may take part from `first_round` on
    only, or until `last_round`."""

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
    fallback: str = ""
    replaced: tuple[Replacement, ...] = ()
    first_round: int = 1
    last_round: int | None = None

    @property
    def display_name(self) -> str:
        """Its name; where it is called after its model, as the model is written."""
        return self.model_label if self._is_named_after_model else self.name

    @property
    def model_beside(self) -> str:
        """What its model is called, empty where its own name says so."""
        return "" if self._is_named_after_model else self.model_label

    @property
    def _is_named_after_model(self) -> bool:
        return self.name.casefold() == self.model_label.casefold()

    @property
    def replaced_by(self) -> str:
        """`lab/small in round 1, 2: its own model timed out`; empty when its own model answered all it was asked."""
        if not self.replaced:
            return ""
        last = self.replaced[-1]
        rounds = sorted({number for one in self.replaced if (number := round_of(one.path))})
        where = f" in round {', '.join(map(str, rounds))}" if rounds[-1:] > [1] else ""
        return f"{last.by}{where}: its own model {did(last.code)}"


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
    """The instances by letter; one query, and one more when a fallback is named."""
    rows = _SEATS(session=session.pk)
    replaced = _replaced(session) if any(row.fallback_id for row in rows) else {}
    return [_seat(row, true_state(row.state, session.status), tuple(replaced.get(row.letter, ()))) for row in rows]


def _replaced(session: Session) -> dict[str, list[Replacement]]:
    """By letter, in the order in which it was."""
    told = Event.objects.filter(session=session, kind="instance.replaced").order_by("seq")
    found: dict[str, list[Replacement]] = {}
    for data in told.values_list("data", flat=True):
        found.setdefault(data["letter"], []).append(Replacement(data["path"], data["fallback"], data["code"]))
    return found


def true_state(state: str, status: str) -> str:
    """What becomes of an instance's state when its session ends with `status`, which no event of its own says: whoever
    was at it then has been stopped, and whoever had answered is done."""
    if status in AT_REST and state in UNDER_WAY:
        return "stopped"
    return "done" if status == "completed" and state == "answered" else state


def next_tries(session: Session, seats: Iterable[SeatView]) -> dict[str, datetime]:
    """When those whose last try failed are asked again, by letter; no query when nobody waits for that."""
    if not any(seat.state == "retrying" for seat in seats):
        return {}
    told = Event.objects.filter(session=session, kind="call.retrying").order_by("-seq")
    due: dict[str, datetime] = {}
    for data, at in told.values_list("data", "at")[:RETRIES_READ]:
        due.setdefault(data["letter"], at + timedelta(milliseconds=data["wait_ms"]))
    return due


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


def who_answered(session: Session, letters: list[str] | None = None) -> WhoAnswered:
    """Whose answers count, read from the log (a seat's state moves on when it writes the summary); two queries, one
    when the `letters` of the instances are known. Who joined a fork later was not asked for what counts here."""
    if letters is None:
        seats = session.participants.filter(first_round=1)
        letters = list(seats.order_by("letter").values_list("letter", flat=True))
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
    facts += cut_short(who, lacking)
    return f"{len(who.answered)} of {len(letters)} answered" + (f": {', '.join(facts)}" if facts else "")


def cut_short(who: WhoAnswered, lacking: str = LACKING["reports.submitted"]) -> list[str]:
    """Which answers are not whole: `C read only part`."""
    read = [f"{letter} read only part" for letter in who.read_in_part]
    return read + [f"{letter} {lacking}" for letter in who.partial if letter not in who.read_in_part]


def did(code: str) -> str:
    """What happened to an instance, after its letter: `timed out`."""
    return "timed out" if code.startswith("timeout_") else _DID.get(code, f"failed ({code})")


def _seat(row: Any, state: str, replaced: tuple[Replacement, ...]) -> SeatView:
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
        fallback=row.fallback_id or "",
        replaced=replaced,
        first_round=row.first_round,
        last_round=row.last_round,
    )
