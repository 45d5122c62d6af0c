"""The form that makes a review: artifacts, roster, parameters, limits. Files it brought are kept even when something
else has to be corrected first."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import lifecycle, rosters
from sessions.actions.errors import Refused
from sessions.actions.idempotency import Answer, Post, once
from sessions.actions.lifecycle import NewSession
from sessions.engine.roster import ROLES
from sessions.forms import ReviewForm, SeatRow, rows_of, typed_rows
from sessions.models import Artifact, ArtifactVersion, LanguageModel, Project, Roster
from sessions.seats import MAX_SEATS, Seat
from sessions.views.artifacts import TEXT_KINDS, bring_in
from sessions.views.base import page, show

ARTIFACTS_OFFERED = 100
USE = "use:"


@dataclass
class Typed:
    """The form as it stands. `uses` says what each chosen artifact is for, by code."""

    form: ReviewForm
    rows: list[SeatRow]
    uses: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    status: int = 200

    def seats(self) -> list[Seat] | None:
        """The roster, or None when a row has a problem, which then says so."""
        seats = [row.seat() for row in self.rows]
        whole = [seat for seat in seats if seat is not None]
        return whole if len(whole) == len(seats) else None


@page("GET", "POST")
def new_session(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """GET shows the form, with `?artifact=` chosen. POST edits it, keeps a draft, or starts."""
    project = access.find_project(actor, slug, WRITE)
    if request.method != "POST":
        chosen = request.GET.get("artifact", "")
        rows = rows_of(rosters.default_seats()) or [SeatRow()]
        return _show(request, actor, project, Typed(ReviewForm(), rows, {chosen: "review"} if chosen else {}))
    typed = _typed(request, actor, project)
    command, _, argument = request.POST.get("go", "").partition(":")
    try:
        if command in EDITS:
            EDITS[command](request, project, typed, argument)
        elif code := _create(request, actor, project, typed, start=command == "start"):
            return redirect("sessions:detail", code)
    except Refused as refused:
        typed.problems.append(refused.sentence)
        typed.status = refused.status
    return _show(request, actor, project, typed)


def _typed(request: HttpRequest, actor: Actor, project: Project) -> Typed:
    """What was posted; files and pasted text become artifacts here."""
    uses = {key.removeprefix(USE): str(use) for key, use in request.POST.items() if key.startswith(USE) and use}
    typed = Typed(ReviewForm(request.POST), typed_rows(request.POST), uses)
    for name, use in (("files", "review"), ("context_files", "context")):
        kept, unread = bring_in(request, actor, project, name)
        typed.uses |= {str(version.artifact.code): use for version in kept}
        typed.problems += [f"{file}: {why}" for file, why in unread]
    return typed


def _create(request: HttpRequest, actor: Actor, project: Project, typed: Typed, *, start: bool) -> str | None:
    """The code of the session, or None when something has to be corrected first. A form that was sent twice makes
    one session. Raises Refused."""
    seats = typed.seats()
    if not typed.form.is_valid() or seats is None or typed.problems:
        typed.status = 422
        return None
    new = NewSession(
        kind="review",
        seats=seats,
        versions=_versions(project, typed, "review"),
        context=_versions(project, typed, "context"),
        title=typed.form.cleaned_data["title"],
        brief=typed.form.cleaned_data["brief"],
        params=typed.form.params,
        soft_cap=typed.form.cap("soft_cap"),
        hard_cap=typed.form.cap("hard_cap"),
    )

    def act() -> Answer:
        session = lifecycle.create_session(actor, project, new)
        if start:
            lifecycle.start_session(actor, session)
        return Answer(201, {"code": str(session.code)})

    return str(once(Post(actor.user_id, request.path, _key(request, new), b""), act).reply["code"])


def _key(request: HttpRequest, new: NewSession) -> str:
    """One per form as it was filled in: going back and changing something makes another session."""
    what = repr((request.POST.get("token", ""), request.POST.get("go", ""), new))
    return hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()


def _versions(project: Project, typed: Typed, use: str) -> list[ArtifactVersion]:
    codes = [code for text, chosen in typed.uses.items() if chosen == use and (code := _code(text))]
    return lifecycle.find_versions(project, codes)


def _code(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _add_seat(request: HttpRequest, project: Project, typed: Typed, argument: str) -> None:
    if len(typed.rows) < MAX_SEATS:
        typed.rows.append(SeatRow())


def _remove_seat(request: HttpRequest, project: Project, typed: Typed, argument: str) -> None:
    if argument.isascii() and argument.isdigit() and int(argument) < len(typed.rows):
        del typed.rows[int(argument)]


def _use_roster(request: HttpRequest, project: Project, typed: Typed, argument: str) -> None:
    code = _code(request.POST.get("roster", ""))
    saved = Roster.objects.filter(project=project, code=code).first() if code else None
    typed.rows = rows_of(rosters.seats_of_roster(saved) if saved else rosters.default_seats())


def _save_roster(request: HttpRequest, project: Project, typed: Typed, argument: str) -> None:
    seats = typed.seats()
    if seats is None:
        typed.status = 422
    else:
        rosters.save_roster(project, request.POST.get("roster_name", ""), seats)


# What a button does to the form before it is sent.
EDITS: dict[str, Callable[[HttpRequest, Project, Typed, str], None]] = {
    "add_seat": _add_seat,
    "remove_seat": _remove_seat,
    "use_roster": _use_roster,
    "save_roster": _save_roster,
}


def _show(request: HttpRequest, actor: Actor, project: Project, typed: Typed) -> HttpResponse:
    chosen = [code for text in typed.uses if (code := _code(text))]
    rows = Artifact.objects.filter(project=project, deleted_at=None)
    offered = [*rows.filter(code__in=chosen), *rows.filter(~Q(code__in=chosen))[:ARTIFACTS_OFFERED]]
    context = {
        "typed": typed,
        "offered": [(artifact, typed.uses.get(str(artifact.code), "")) for artifact in offered],
        "models": LanguageModel.objects.filter(enabled=True).select_related("provider").order_by("provider", "id"),
        "rosters": Roster.objects.filter(project=project),
        "roles": ROLES,
        "blank": SeatRow(),
        "max_seats": MAX_SEATS,
        "text_kinds": TEXT_KINDS,
        "token": request.POST.get("token") or uuid4().hex,
        "tab": "reviews",
    }
    return show(request, actor, project, "sessions/new_session.html", context, typed.status)
