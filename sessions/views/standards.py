"""The standards of a project: what artifacts are certified against, version by version."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import standards
from sessions.actions.errors import Refused
from sessions.actions.standard_versions import MAX_CRITERIA
from sessions.catalog.standards import shipped_standards
from sessions.engine.certifying import Criterion
from sessions.forms import standard_value
from sessions.models import Project, Session, StandardVersion
from sessions.queries.standards import criteria_of, newest_standards, retires, versions_in
from sessions.standard_form import CriterionRow, checked_criteria, criterion_rows, number_rows, typed_criteria
from sessions.views.base import number_in, page, show

FIRST_ROWS = 3  # of a standard that somebody begins


@dataclass
class Edited:
    """The editor as it stands. `seen` is the version it began with, None for a new standard."""

    name: str
    purpose: str
    rows: list[CriterionRow]
    seen: StandardVersion | None = None
    problems: list[str] = field(default_factory=list)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A version, and by ID what it changed in the one before."""

    version: StandardVersion
    retires: bool
    changes: list[str]


@page("GET")
def listing(request: HttpRequest, actor: Actor, slug: str) -> HttpResponse:
    project = access.find_project(actor, slug)
    used, along = _used(project), {one.key for one in shipped_standards()}
    shown = [
        (one, criteria_of(one), used.get(one.standard.key, 0), one.standard.key in along)
        for one in newest_standards(project.pk)
    ]
    context = {
        "standards": [row for row in shown if not retires(row[0])],
        "retired": [row for row in shown if retires(row[0])],
        "tab": "settings",
    }
    return show(request, actor, project, "standards/listing.html", context)


@page("GET", "POST")
def new(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    project = access.find_project(actor, slug, WRITE)
    rows = [CriterionRow() for _ in range(FIRST_ROWS)]
    number_rows(rows)
    return _edit(request, actor, project, Edited("", "", rows))


@page("GET")
def standard(request: HttpRequest, actor: Actor, slug: str, key: str) -> HttpResponse:
    """`?version=` shows an older one."""
    project = access.find_project(actor, slug)
    asked = request.GET.get("version", "")
    versions = list(versions_in(project.pk).filter(standard=standards.find_standard(project, key).standard))
    shown = standards.find_standard(project, key, number_in(asked)) if asked else _with_criteria(versions)
    context = {
        "standard": shown.standard,
        "shown": shown,
        "value": standard_value(shown),
        "criteria": criteria_of(shown),
        "newest": versions[0],
        "retired": versions[0] if retires(versions[0]) else None,
        "steps": _steps(versions),
        "used": _used(project).get(key, 0),
        "along": any(one.key == key for one in shipped_standards()),
        "tab": "settings",
    }
    return show(request, actor, project, "standards/standard.html", context)


@page("GET", "POST")
def edit(request: HttpRequest, actor: Actor, slug: str, key: str) -> HttpResponseBase:
    """Saving makes the next version."""
    project = access.find_project(actor, slug, WRITE)
    newest = standards.find_standard(project, key)
    rows = criterion_rows(criteria_of(_with_criteria(list(versions_in(project.pk).filter(standard=newest.standard)))))
    return _edit(request, actor, project, Edited(newest.standard.name, newest.standard.purpose, rows, newest))


@page("GET", "POST")
def retire(request: HttpRequest, actor: Actor, slug: str, key: str) -> HttpResponseBase:
    """GET says what stays and what ends."""
    project = access.find_project(actor, slug, WRITE)
    newest = standards.find_standard(project, key)
    if request.method == "POST":
        standards.retire_standard(actor, newest.standard)
        messages.success(request, f"{newest.standard.name} was retired.")
        return redirect("sessions:standards", project.slug)
    context = {"standard": newest.standard, "newest": newest, "used": _used(project).get(key, 0), "tab": "settings"}
    return show(request, actor, project, "standards/retire.html", context)


def _edit(request: HttpRequest, actor: Actor, project: Project, edited: Edited) -> HttpResponseBase:
    """Show the editor, or do what its buttons say."""
    if request.method != "POST":
        return _show(request, actor, project, edited)
    edited.rows = typed_criteria(request.POST)
    if edited.seen is None:
        edited.name, edited.purpose = request.POST.get("name", ""), request.POST.get("purpose", "")
    command, _, place = request.POST.get("go", "").partition(":")
    if command in ROW_EDITS:
        ROW_EDITS[command](edited.rows, number_in(place))
        number_rows(edited.rows)
        return _show(request, actor, project, edited)
    criteria = checked_criteria(edited.rows)
    edited.status = 422
    try:
        if criteria is not None:
            saved = _save(actor, project, edited, criteria, request.POST.get("seen", ""))
            messages.success(request, f"{saved.standard.name}, version {saved.number}, was saved.")
            return redirect("sessions:standard", project.slug, saved.standard.key)
    except Refused as refused:
        edited.problems, edited.status = [refused.sentence], refused.status
    return _show(request, actor, project, edited)


def _save(actor: Actor, project: Project, edited: Edited, criteria: list[dict[str, Any]], seen: str) -> StandardVersion:
    if edited.seen is None:
        return standards.create_standard(actor, project, edited.name, criteria, edited.purpose)
    return standards.revise_standard(actor, edited.seen.standard, criteria, number_in(seen))


def _add(rows: list[CriterionRow], place: int) -> None:
    if len(rows) < MAX_CRITERIA:
        rows.append(CriterionRow(focus="text"))


def _remove(rows: list[CriterionRow], place: int) -> None:
    if place < len(rows):
        del rows[place]
        for row in rows[place : place + 1] or rows[-1:]:
            row.focus = "text"


def _up(rows: list[CriterionRow], place: int) -> None:
    if 0 < place < len(rows):
        rows[place].focus = "up" if place > 1 else "down"
        rows[place - 1], rows[place] = rows[place], rows[place - 1]


def _down(rows: list[CriterionRow], place: int) -> None:
    if place + 1 < len(rows):
        rows[place].focus = "down" if place + 2 < len(rows) else "up"
        rows[place + 1], rows[place] = rows[place], rows[place + 1]


RowEdit = Callable[[list[CriterionRow], int], None]
ROW_EDITS: dict[str, RowEdit] = {"add": _add, "remove": _remove, "up": _up, "down": _down}


def _show(request: HttpRequest, actor: Actor, project: Project, edited: Edited) -> HttpResponse:
    for row in [row for row in edited.rows if row.problems][:1]:
        row.focus = next(iter(row.problems))
    context = {"edited": edited, "full": len(edited.rows) >= MAX_CRITERIA, "tab": "settings"}
    return show(request, actor, project, "standards/edit.html", context, edited.status)


def _with_criteria(versions: list[StandardVersion]) -> StandardVersion:
    """The newest that does not retire the standard: the last thing it said."""
    return next(one for one in versions if not retires(one))


def _steps(versions: list[StandardVersion]) -> list[Step]:
    """Newest first; a version is compared with the one before that had criteria."""
    told = [one for one in versions if not retires(one)]
    changes = {after.pk: _changes(criteria_of(before), criteria_of(after)) for after, before in pairwise(told)}
    return [Step(one, retires(one), changes.get(one.pk, [])) for one in versions]


def _changes(before: tuple[Criterion, ...], after: tuple[Criterion, ...]) -> list[str]:
    """`added C-4`, `changed C-1, C-2`"""
    old, new = ({one.id: one for one in criteria} for criteria in (before, after))
    told = {
        "added": [key for key in new if key not in old],
        "changed": [key for key in new if key in old and new[key] != old[key]],
        "removed": [key for key in old if key not in new],
    }
    return [f"{word} {', '.join(ids)}" for word, ids in told.items() if ids]


def _used(project: Project) -> dict[str, int]:
    """By key, how many certifications were held against a standard."""
    sessions = Session.objects.filter(project=project, kind="certification", deleted_at=None)
    counted = sessions.values_list("params__standard").annotate(number=Count("pk")).order_by()
    return dict(counted)
