"""Rosters: the library of a project, the editor, YAML in and out."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.text import slugify

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import rosters
from sessions.actions.errors import Refused
from sessions.catalog.best import SeatState, best_seats, registry, seat_states
from sessions.catalog.roster_yaml import from_yaml, to_yaml
from sessions.engine.roster import ROLES
from sessions.forms import SeatRow, rows_of, typed_rows
from sessions.models import LanguageModel, Project, Roster
from sessions.seats import MAX_SEATS, Seat, may_receive
from sessions.views.base import page, show


@dataclass
class Edited:
    """The editor as it stands: what was typed, and what is wrong with it."""

    name: str
    rows: list[SeatRow]
    saved: Roster | None = None
    problem: str = ""
    status: int = 200
    notes: list[str] = field(default_factory=list)

    def seats(self) -> list[Seat] | None:
        """The roster, or None when a row has a problem, which then says so."""
        seats = [row.seat() for row in self.rows]
        whole = [seat for seat in seats if seat is not None]
        return whole if len(whole) == len(seats) else None


@page("GET")
def listing(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    """The library, and what "best of what you have" would seat."""
    project = access.find_project(actor, slug)
    saved = list(Roster.objects.filter(project=project))
    seated = [rosters.seats_of_roster(roster) for roster in saved]
    best = best_seats(project)
    states = iter(seat_states(project, [seat for seats in [best, *seated] for seat in seats]))
    shown = [[next(states) for _ in seats] for seats in [best, *seated]]
    broken = [sum(bool(state.code) for state in states) for states in shown[1:]]
    context = {
        "best": shown[0],
        "simulated": all(state.model and state.model.simulated for state in shown[0]),
        "rosters": list(zip(saved, shown[1:], broken, strict=True)),
        "tab": "rosters",
    }
    return show(request, actor, project, "rosters/listing.html", context)


@page("GET", "POST")
def new(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """The editor, filled with the best of what there is."""
    project = access.find_project(actor, slug, WRITE)
    return _edit(request, actor, project, Edited("", rows_of(best_seats(project)) or [SeatRow()]))


@page("GET", "POST")
def roster(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    saved = access.find_roster(actor, code, WRITE if request.method == "POST" else access.READ)
    return _edit(request, actor, saved.project, Edited(saved.name, rows_of(rosters.seats_of_roster(saved)), saved))


@page("GET", "POST")
def bring_in(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """YAML from a file or pasted. It opens in the editor, where it is looked at before it is saved."""
    project = access.find_project(actor, slug, WRITE)
    refusal = None
    if request.method == "POST":
        try:
            name, seats = from_yaml(_sent_text(request))
            known = Roster.objects.filter(project=project, name=name).first()
            return _show(request, actor, project, _compared(Edited(name, rows_of(seats)), known))
        except Refused as refused:
            refusal = refused
    context = {"refusal": refusal, "typed": request.POST.get("text", ""), "tab": "rosters"}
    return show(request, actor, project, "rosters/import.html", context, refusal.status if refusal else 200)


@page("GET")
def as_yaml(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    saved = access.find_roster(actor, code)
    text = to_yaml(saved.name, rosters.seats_of_roster(saved))
    name = slugify(saved.name) or "roster"
    headers = {"Content-Disposition": f'attachment; filename="{name}.yaml"'}
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)


@page("POST")
def delete(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    saved = access.find_roster(actor, code, WRITE)
    rosters.drop_roster(saved)
    messages.success(request, f"{saved.name} was deleted. Sessions that used it keep their own copy.")
    return redirect("sessions:rosters", saved.project.slug)


def _edit(request: HttpRequest, actor: Actor, project: Project, edited: Edited) -> HttpResponseBase:
    """Show the editor, or do what its buttons say."""
    if request.method != "POST":
        return _show(request, actor, project, edited)
    edited.name, edited.rows = request.POST.get("roster_name", ""), typed_rows(request.POST)
    name_rows(edited.rows)
    command, _, argument = request.POST.get("go", "").partition(":")
    if command in EDITS:
        place = int(argument) if argument.isascii() and argument.isdigit() and len(argument) < 4 else 0
        EDITS[command](project, edited.rows, place)
        return _show(request, actor, project, edited)
    try:
        seats = edited.seats()
        if seats is not None:
            _save(project, edited, seats)
            messages.success(request, f"{edited.name} was saved.")
            return redirect("sessions:rosters", project.slug)
        edited.status = 422
    except Refused as refused:
        edited.problem, edited.status = refused.sentence, refused.status
    return _show(request, actor, project, edited)


def _save(project: Project, edited: Edited, seats: list[Seat]) -> None:
    """Under another name it is renamed, not doubled."""
    if edited.saved:
        rosters.change_roster(edited.saved, edited.name, seats)
    else:
        rosters.save_roster(project, edited.name, seats)


def _add(project: Project, rows: list[SeatRow], place: int) -> None:
    if len(rows) < MAX_SEATS:
        rows.append(SeatRow())


def _remove(project: Project, rows: list[SeatRow], place: int) -> None:
    if place < len(rows):
        del rows[place]


def _duplicate(project: Project, rows: list[SeatRow], place: int) -> None:
    """The same model once more, to be given another focus."""
    if place < len(rows) < MAX_SEATS:
        rows.insert(place + 1, replace(rows[place], name="", problem=""))
        name_rows(rows)


def _raise(project: Project, rows: list[SeatRow], place: int) -> None:
    if 0 < place < len(rows):
        rows[place - 1], rows[place] = rows[place], rows[place - 1]


def _nearest(project: Project, rows: list[SeatRow], place: int) -> None:
    """Give the seat to the working model that is offered in place of one that does not work."""
    seat = rows[place].seat() if place < len(rows) else None
    (state,) = seat_states(project, [seat]) if seat else (None,)
    if state and state.nearest:
        rows[place] = replace(rows[place], model_id=state.nearest.pk, name="")
        name_rows(rows)


EDITS: dict[str, Callable[[Project, list[SeatRow], int], None]] = {
    "add": _add,
    "remove": _remove,
    "duplicate": _duplicate,
    "raise": _raise,
    "nearest": _nearest,
}


def name_rows(rows: list[SeatRow]) -> None:
    """Whoever got no name, or still has that of another model, is called after the model, with a number where that is
    taken."""
    labels = dict(LanguageModel.objects.values_list("pk", "label"))
    names = {pk: (label or pk.rpartition("/")[2])[:76] for pk, label in labels.items()}
    own = [names.get(row.model_id) or row.model_id.rpartition("/")[2][:76] for row in rows]
    nameless = [
        (row, plain)
        for row, plain in zip(rows, own, strict=True)
        if row.model_id and (not row.name.strip() or _is_of_another(row.name, plain, names.values()))
    ]
    for row, _ in nameless:
        row.name = ""
    for row, plain in nameless:
        taken = {other.name.casefold() for other in rows}
        numbered = [plain, *(f"{plain} {number}" for number in range(2, MAX_SEATS + 2))]
        row.name = next(name for name in numbered if name.casefold() not in taken)


def _is_of_another(name: str, own: str, names: Collection[str]) -> bool:
    """Whether a seat is called after a model that does not sit there (any more); `own` is what its model is called."""
    unnumbered = re.sub(r" \d+$", "", name.strip())
    return own not in (name.strip(), unnumbered) and (name.strip() in names or unnumbered in names)


def _compared(edited: Edited, known: Roster | None) -> Edited:
    """What saving would change in the roster that has this name already."""
    if known is None:
        edited.notes = ["Nothing is saved yet. Look at it, then save."]
        return edited
    before = {seat.name: seat for seat in rosters.seats_of_roster(known)}
    after = {row.name: seat for row in edited.rows if (seat := row.seat())}
    changed = [name for name in after if name in before and after[name] != before[name]]
    told = {
        "New": [name for name in after if name not in before],
        "Changed": changed,
        "Gone": [name for name in before if name not in after],
    }
    lines = [f"{word}: {', '.join(names)}." for word, names in told.items() if names]
    edited.notes = [f"Saving replaces {known.name!r}.", *(lines or ["Nothing is different."])]
    return edited


def _sent_text(request: HttpRequest) -> str:
    upload = request.FILES.get("file")
    if upload is None:
        return request.POST.get("text", "")
    try:
        return str(upload.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Refused("bad_yaml", "The file is not UTF-8 text.", 422) from None


def _states(
    project: Project, rows: list[SeatRow], models: Sequence[LanguageModel]
) -> list[tuple[SeatRow, SeatState | None]]:
    seats = [(row, row.seat() if row.model_id else None) for row in rows]
    states = iter(seat_states(project, [seat for _, seat in seats if seat], models))
    return [(row, next(states) if seat else None) for row, seat in seats]


def _show(request: HttpRequest, actor: Actor, project: Project, edited: Edited) -> HttpResponse:
    context = {"edited": edited, "tab": "rosters", **seat_editor(actor, project, edited.rows, registry())}
    return show(request, actor, project, "rosters/roster.html", context, edited.status)


def seat_editor(actor: Actor, project: Project, rows: list[SeatRow], models: Sequence[LanguageModel]) -> dict[str, Any]:
    """What `rosters/_seat.html` needs beside its row, and the rows with what is wrong with their models. `models` is
    the registry."""
    offered = [m for m in models if m.enabled and may_receive(project, m.provider)]
    return {
        "rows": _states(project, rows, models),
        "models": sorted(offered, key=lambda m: (m.provider.name, m.pk)),
        "offered": {m.pk for m in offered},
        "roles": ROLES,
        "full": len(rows) >= MAX_SEATS,
        "may_connect": access.may_connect(actor),
    }
