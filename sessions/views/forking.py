"""The page on which somebody forks a finished session: from which round, with whom, with what to read in addition."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions.errors import Refused
from sessions.actions.forking import MOST_ROUNDS, Changes, check_forking, fork, forking_estimate, plan_of
from sessions.actions.idempotency import Answer, Post, once
from sessions.actions.lifecycle import start_session
from sessions.actions.new_session import find_versions
from sessions.catalog.best import registry
from sessions.engine.agreement import agreement_words
from sessions.forks import Fork
from sessions.forms import SeatRow, rows_of, typed_rows
from sessions.kinds import KINDS
from sessions.models import Artifact, Round, Session
from sessions.queries.estimate import Estimate, start_line
from sessions.queries.suspects import suspects_in
from sessions.reading.secrets_scan import Suspect
from sessions.reading.uploads import bring_files
from sessions.seats import seats_of_session
from sessions.views.base import page, show
from sessions.views.drafting import as_code
from sessions.views.outlook import ARTIFACTS_OFFERED, key_of
from sessions.views.rosters import EDITS, name_rows, seat_editor


@dataclass
class ForkDraft:
    """A fork as somebody fills it in. `after` and `rounds` are None where nothing was chosen; `codes` are the artifacts
    to be read in addition; `agreed` names the likely secrets that somebody agreed to send."""

    recorded: Session
    rows: list[SeatRow]
    after: int | None = None
    rounds: int | None = None
    codes: list[UUID] = field(default_factory=list)
    agreed: str = ""
    problems: list[str] = field(default_factory=list)
    status: int = 200

    def changes(self) -> Changes:
        """Raises Refused while a seat cannot be read, or for an artifact that is not there."""
        seats = [seat for row in self.rows if (seat := row.seat())]
        if len(seats) < len(self.rows):
            raise Refused("bad_seat", "A seat has to be corrected.", 422)
        return Changes(seats, find_versions(self.recorded.project, self.codes), self.rounds)

    def refuse(self, refused: Refused) -> None:
        self.problems.append(refused.sentence)
        self.status = refused.status


@dataclass(frozen=True, slots=True)
class Told:
    """What starting the fork does, `problem` why it cannot be started. `suspects` are likely secrets in texts that
    somebody will read for the first time, `suspects_key` names that list."""

    plan: Fork | None = None
    estimate: Estimate | None = None
    suspects: Sequence[Suspect] = ()
    problem: str = ""

    @property
    def suspects_key(self) -> str:
        return key_of(self.suspects)

    @property
    def line(self) -> str:
        if self.estimate is None or self.plan is None:
            return ""
        return "Asks nobody and costs nothing" if self.plan.replays else start_line(self.estimate)


@page("GET", "POST")
def forking(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    """GET shows the session as it is, forked from its last round; POST edits that, or starts the fork."""
    recorded = access.find_session(actor, code, WRITE)
    check_forking(recorded)
    if request.method != "POST":
        return _show(request, actor, ForkDraft(recorded, rows_of(seats_of_session(recorded))))
    draft = _posted(request, actor, recorded)
    command, _, place = request.POST.get("go", "").partition(":")
    if command in EDITS:
        EDITS[command](recorded.project, draft.rows, _number(place) or 0)
    elif command == "start" and not draft.problems:
        try:
            return redirect("sessions:detail", _start(request, actor, draft))
        except Refused as refused:
            draft.refuse(refused)
    return _show(request, actor, draft)


def _posted(request: HttpRequest, actor: Actor, recorded: Session) -> ForkDraft:
    """What was sent; files become artifacts here."""
    data, rows = request.POST, typed_rows(request.POST)
    known = {seat.name: seat.model_id for seat in seats_of_session(recorded)}
    for row in rows:
        row.name = row.name if known.get(row.name, row.model_id) == row.model_id else ""  # a new one has its own name
    name_rows(rows)
    codes = [code for text in data.getlist("context") if (code := as_code(text))]
    draft = ForkDraft(
        recorded, rows, _number(data.get("round")), _number(data.get("max_rounds")), codes, data.get("agreed", "")
    )
    brought = bring_files(request, actor, recorded.project, "context_files")
    draft.codes += [code for one in brought.versions if (code := one.artifact.code) not in draft.codes]
    unread = [*brought.refused, *brought.ignored]
    draft.problems += [f"{one.name}: {one.sentence} {one.next_step}".strip() for one in unread]
    draft.status = 422 if draft.problems else 200
    return draft


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else None


def _start(request: HttpRequest, actor: Actor, draft: ForkDraft) -> str:
    """The code of the fork; a form that was sent twice makes one. Raises Refused."""
    if (told := _told(draft)).suspects and told.suspects_key != draft.agreed:
        raise Refused("likely_secrets", "Look at the likely secrets and agree to send them, or leave them out.", 422)
    changes = draft.changes()

    def act() -> Answer:
        session = start_session(actor, fork(actor, draft.recorded, draft.after, changes))
        return Answer(201, {"code": str(session.code)})

    post = Post(actor.user_id, request.path, request.POST.get("token", ""), repr((draft.after, changes)).encode())
    return str(once(post, act).reply["code"])


def _told(draft: ForkDraft) -> Told:
    try:
        changes = draft.changes()
        plan = plan_of(draft.recorded, draft.after, changes)
        found = forking_estimate(draft.recorded, draft.after, changes)
    except Refused as refused:
        return Told(problem=refused.sentence)
    return Told(plan, found, _suspects(draft.recorded, plan, changes) if found.hosts else ())


def _suspects(recorded: Session, plan: Fork, changes: Changes) -> list[Suspect]:
    """In what was added, and in everything when somebody joins who has read none of it."""
    rows = recorded.sources.select_related("version__artifact", "version__content")
    known = [row.version for row in rows] if plan.letters - plan.before else []
    return suspects_in([*known, *changes.added])


def _show(request: HttpRequest, actor: Actor, draft: ForkDraft) -> HttpResponseBase:
    recorded, told = draft.recorded, _told(draft)
    rounds = list(Round.objects.filter(session=recorded, generation=recorded.generation).order_by("number"))
    taken = draft.after or (rounds[-1].number if rounds else 0)
    context: dict[str, Any] = {
        "session": recorded,
        "kind_word": KINDS[recorded.kind].label.lower(),
        "draft": draft,
        "told": told,
        "rounds": [(one.number, agreement_words(one.number, one.agreement_bp)) for one in rounds],
        "taken": taken,
        "most": range(max(taken, 2), MOST_ROUNDS + 1),
        "evidence": _offered(draft),
        "moves": _moves(told.plan, recorded) if told.plan else [],
        "token": request.POST.get("token") or uuid4().hex,
        "tab": "sessions",
        **seat_editor(actor, recorded.project, draft.rows, registry()),
    }
    letters = {one.seat: one.letter for one in told.plan.present} if told.plan else {}
    context["seats"] = [(row, state, letters.get(state.seat) if state else "") for row, state in context["rows"]]
    return show(request, actor, recorded.project, "sessions/fork.html", context, draft.status)


def _offered(draft: ForkDraft) -> list[tuple[Artifact, bool]]:
    """Artifacts of the project that the session has not read, with whether they are chosen; none changes its place."""
    read = draft.recorded.sources.values("version__artifact")
    rows = Artifact.objects.filter(project=draft.recorded.project, deleted_at=None).exclude(pk__in=read)
    offered = list(rows[:ARTIFACTS_OFFERED])
    older = [one for one in rows.filter(code__in=draft.codes) if one not in offered]
    return [(one, one.code in draft.codes) for one in [*offered, *older]]


def _moves(plan: Fork, session: Session) -> list[tuple[str, str, str]]:
    """(letter, name, what becomes of the instance), of everybody who is there or was until now."""
    names = dict(session.participants.values_list("letter", "name")) | {
        one.letter: one.seat.name for one in plan.present
    }
    since = f"joins in round {plan.taken + 1}" if plan.taken else "is new"
    until = f"leaves after round {plan.taken}" if plan.taken else "is left out"
    words = dict.fromkeys(plan.letters & plan.before, "stays")
    words |= dict.fromkeys(plan.letters - plan.before, since)
    words |= dict.fromkeys(plan.before - plan.letters, until)
    return [(letter, names[letter], what) for letter, what in sorted(words.items())]
