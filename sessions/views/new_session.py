"""The form that makes a review: artifacts, roster, parameters, limits. Files it brought are kept even when something
else has to be corrected first."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import READ, WRITE, Actor
from sessions.actions import lifecycle, rosters
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import NewSession
from sessions.engine.roster import ROLES
from sessions.forms import ReviewForm, SeatRow, rows_of, typed_rows
from sessions.models import Artifact, ArtifactVersion, LanguageModel, Project, Roster
from sessions.seats import MAX_SEATS, Seat
from sessions.views.artifacts import bring_in
from sessions.views.base import page, show

ARTIFACTS_OFFERED = 100
USES = ("", "review", "context")


@dataclass
class Typed:
    """The form as it stands. `uses` says what each chosen artifact is for, by code."""

    form: ReviewForm
    rows: list[SeatRow]
    uses: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    status: int = 200


@page("GET", "POST")
def new_session(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    project = access.find_project(actor, slug, WRITE)
    if request.method != "POST":
        rows = rows_of(rosters.default_seats()) or [SeatRow()]
        chosen = request.GET.get("artifact", "")
        return _show(request, actor, project, Typed(ReviewForm(), rows, {chosen: "review"} if chosen else {}))
    typed = _typed(request, actor, project)
    command, _, argument = request.POST.get("go", "").partition(":")
    if command in EDITS:
        EDITS[command](request, actor, project, typed, argument)
        return _show(request, actor, project, typed)
    try:
        session = _create(actor, project, typed)
        if session and command == "start":
            lifecycle.start_session(actor, session)
    except Refused as refused:
        typed.problems.append(refused.sentence)
        typed.status, session = refused.status, None
    return redirect("sessions:detail", session.code) if session else _show(request, actor, project, typed)


def _typed(request: HttpRequest, actor: Actor, project: Project) -> Typed:
    """What was posted; files and pasted text become artifacts here."""
    uses = {key.removeprefix("use:"): value for key, value in request.POST.items() if key.startswith("use:") and value}
    typed = Typed(ReviewForm(request.POST), typed_rows(request.POST), uses)
    for name, use in (("files", "review"), ("context_files", "context")):
        kept, unread = bring_in(request, actor, project, name)
        typed.uses |= {str(version.artifact.code): use for version in kept}
        typed.problems += [f"{file}: {why}" for file, why in unread]
    return typed


def _create(actor: Actor, project: Project, typed: Typed) -> Any:
    """The draft, or None when something has to be corrected first. Raises Refused."""
    seats = [row.seat() for row in typed.rows]
    if not typed.form.is_valid() or None in seats or typed.problems:
        typed.status = 422
        return None
    new = NewSession(
        kind="review",
        seats=[seat for seat in seats if seat],
        versions=_versions(project, typed, "review"),
        context=_versions(project, typed, "context"),
        title=typed.form.cleaned_data["title"],
        brief=typed.form.cleaned_data["brief"],
        params=typed.form.params,
        soft_cap=typed.form.cap("soft_cap"),
        hard_cap=typed.form.cap("hard_cap"),
    )
    return lifecycle.create_session(actor, project, new)


def _versions(project: Project, typed: Typed, use: str) -> list[ArtifactVersion]:
    codes = [_code(code) for code, chosen in typed.uses.items() if chosen == use]
    return lifecycle.find_versions(project, codes)


def _code(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused("artifact_unknown", "One of the artifacts is not in this project.", 404) from None


def _add_seat(request: HttpRequest, actor: Actor, project: Project, typed: Typed, argument: str) -> None:
    if len(typed.rows) < MAX_SEATS:
        typed.rows.append(SeatRow())


def _remove_seat(request: HttpRequest, actor: Actor, project: Project, typed: Typed, argument: str) -> None:
    if argument.isascii() and argument.isdigit() and int(argument) < len(typed.rows):
        del typed.rows[int(argument)]


def _use_roster(request: HttpRequest, actor: Actor, project: Project, typed: Typed, argument: str) -> None:
    code = request.POST.get("roster", "")
    if not code:
        typed.rows = rows_of(rosters.default_seats())
        return
    roster = Roster.objects.filter(project=project, code=_code(code)).first()
    if roster:
        typed.rows = rows_of(rosters.seats_of_roster(roster))


def _save_roster(request: HttpRequest, actor: Actor, project: Project, typed: Typed, argument: str) -> None:
    seats = [row.seat() for row in typed.rows]
    if None in seats:
        typed.status = 422
        return
    try:
        rosters.save_roster(project, request.POST.get("roster_name", ""), [seat for seat in seats if seat])
    except Refused as refused:
        typed.problems.append(refused.sentence)
        typed.status = refused.status


# What a button may do to the form before it is sent.
EDITS = {
    "add_seat": _add_seat,
    "remove_seat": _remove_seat,
    "use_roster": _use_roster,
    "save_roster": _save_roster,
}


def _show(request: HttpRequest, actor: Actor, project: Project, typed: Typed) -> HttpResponseBase:
    artifacts = list(Artifact.objects.filter(project=project, deleted_at=None)[:ARTIFACTS_OFFERED])
    context = {
        "typed": typed,
        "offered": [(artifact, typed.uses.get(str(artifact.code), "")) for artifact in artifacts],
        "models": LanguageModel.objects.filter(enabled=True).select_related("provider").order_by("provider", "id"),
        "rosters": Roster.objects.filter(project=project),
        "roles": ROLES,
        "blank": SeatRow(),
        "max_seats": MAX_SEATS,
    }
    return show(request, actor, "sessions/new_session.html", project, "reviews", typed.status, **context)
