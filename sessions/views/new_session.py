"""From a file to Start: one page with everything preset, and the whole form folded below it. Files it brought are kept
even when something else has to be corrected first."""

import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from sessions import access
from sessions.access import WRITE, Actor
from sessions.actions import rosters
from sessions.actions.errors import Refused
from sessions.actions.gates import judge_session
from sessions.actions.idempotency import Answer, Post, once
from sessions.actions.lifecycle import start_session
from sessions.actions.new_session import NewSession, create_session
from sessions.actions.templates import templates_of
from sessions.catalog.best import best_seats
from sessions.catalog.review_templates import ReviewTemplate
from sessions.catalog.session_types import SESSION_TYPES
from sessions.forms import SEVERITY_FLOORS, ReviewForm, SeatRow, rows_of, standard_value
from sessions.glossary import label
from sessions.kinds import KINDS
from sessions.models import Project, Repository, Roster
from sessions.queries.gates import policy_labels
from sessions.queries.standards import criteria_of
from sessions.reports.certification import rule_sentence
from sessions.seats import Seat
from sessions.views.artifacts import TEXT_KINDS, UPLOAD_LIMITS
from sessions.views.base import page, show
from sessions.views.drafting import CONTEXT, REVIEW, ReviewDraft, apply_template, as_code, begun, form_in, posted
from sessions.views.outlook import offered_artifacts, outlook
from sessions.views.rosters import EDITS as SEAT_EDITS
from sessions.views.rosters import seat_editor

SMALL = re.compile("[0-9]{1,3}")
UNREAD = "unread"  # in the browser session: what the last drop passed over, by the address it led to


@page("GET", "POST")
def new_session(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """GET shows the page; `?artifact=` and `?context=` are chosen, `?template=`, `?from=` and `?previous=` fill it in.
    POST edits it, keeps a draft, or starts."""
    project = access.find_project(actor, slug, WRITE)
    if request.method != "POST":
        draft = begun(request, actor, project)
        draft.unread += request.session.get(UNREAD, {}).get(request.get_full_path(), [])
        return _show(request, actor, project, draft)
    draft = posted(request, actor, project)
    command, _, argument = request.POST.get("go", "").partition(":")
    try:
        brought = draft.uses or draft.unpackings
        if command == "drop" and brought and not draft.problems and not draft.rows:
            return redirect(_address_of(request, project, draft))
        if command in SEAT_EDITS:
            SEAT_EDITS[command](project, draft.rows, int(argument) if SMALL.fullmatch(argument) else 0)
        elif command in EDITS:
            EDITS[command](request, project, draft, argument)
        elif command in ("start", "draft") and (code := _create(request, actor, project, draft, command == "start")):
            return _go(request, reverse("sessions:detail", args=[code]))
    except Refused as refused:
        draft.problems.append(refused.sentence)
        draft.status = refused.status
    if draft.problems and draft.status == 200:
        draft.status = 422
    return _show(request, actor, project, draft)


def _go(request: HttpRequest, address: str) -> HttpResponseBase:
    """To another page, whether a browser or its script asked."""
    return HttpResponseClientRedirect(address) if request.headers.get("HX-Request") else redirect(address)


def _address_of(request: HttpRequest, project: Project, draft: ReviewDraft) -> str:
    """The start page with what was dropped chosen: an address that can be reloaded and come back to."""
    kept = {key: request.POST[key] for key in ("template", "previous") if request.POST.get(key)}
    if draft.kind != "review":
        kept["kind"] = draft.kind
    if standard := draft.form.standard_chosen:
        kept["standard"] = standard_value(standard)
    chosen = {
        "artifact": draft.codes(REVIEW),
        "context": draft.codes(CONTEXT),
        "unpacking": [f"{use}:{row.code}" for row, use in draft.unpackings],
    }
    address = f"{reverse('sessions:new', args=[project.slug])}?{urlencode(chosen | kept, doseq=True)}"
    if draft.unread:
        request.session[UNREAD] = {address: draft.unread}
    return address


def _create(request: HttpRequest, actor: Actor, project: Project, draft: ReviewDraft, start: bool) -> str | None:
    """The code of the session, or None when something has to be corrected first. A form that was sent twice makes
    one session. Raises Refused."""
    if draft.unpackings:
        waited_for = draft.unpackings[0][0].name
        raise Refused("unpacking", f"{waited_for} is still being unpacked. Start when it is done.", 409)
    new = draft.new_session(project)
    if new is None or draft.problems:
        draft.status = draft.status if draft.status != 200 else 422
        return None
    if start and (told := outlook(project, draft)).suspects and told.suspects_key != draft.agreed:
        raise Refused("likely_secrets", "Look at the likely secrets and agree to send them, or take them out.", 422)

    def act() -> Answer:
        session = create_session(actor, project, new)
        if policy := draft.form.cleaned_data["gate"]:
            judge_session(actor, session, policy)
        if start:
            start_session(actor, session, fresh=draft.fresh)
        return Answer(201, {"code": str(session.code)})

    return str(once(Post(actor.user_id, request.path, _key(request, new), b""), act).reply["code"])


def _key(request: HttpRequest, new: NewSession) -> str:
    """One per form as it was filled in: going back and changing something makes another session."""
    typed = [request.POST.get(name, "") for name in ("token", "go", "gate")]
    what = repr((typed, "fresh" in request.POST, new))
    return hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()


def _use_roster(request: HttpRequest, project: Project, draft: ReviewDraft, argument: str) -> None:
    """`best`, or the code of a saved roster."""
    code = as_code(argument)
    saved = Roster.objects.filter(project=project, code=code).first() if code else None
    seats = rosters.seats_of_roster(saved) if saved else best_seats(project, draft.models)
    draft.rows = rows_of(seats) or [SeatRow()]


def _save_roster(request: HttpRequest, project: Project, draft: ReviewDraft, argument: str) -> None:
    seats = draft.seats()
    if seats is None:
        draft.status = 422
    else:
        rosters.save_roster(project, request.POST.get("roster_name", ""), seats)


def _use_template(request: HttpRequest, project: Project, draft: ReviewDraft, argument: str) -> None:
    apply_template(draft, project, argument)


def _use_kind(request: HttpRequest, project: Project, draft: ReviewDraft, argument: str) -> None:
    draft.form = form_in(project, request.POST.dict() | {"kind": argument})


def _use_standard(request: HttpRequest, project: Project, draft: ReviewDraft, argument: str) -> None:
    draft.form = form_in(project, request.POST.dict() | {"standard": argument})


Edit = Callable[[HttpRequest, Project, ReviewDraft, str], None]
# What a button does to the form before it is sent.
EDITS: dict[str, Edit] = {
    "roster": _use_roster,
    "save_roster": _save_roster,
    "template": _use_template,
    "kind": _use_kind,
    "standard": _use_standard,
}


def _show(request: HttpRequest, actor: Actor, project: Project, draft: ReviewDraft) -> HttpResponse:
    told = outlook(project, draft)
    for name in list(draft.form.errors)[:1]:
        draft.form.fields[name].widget.attrs["autofocus"] = True
    seats, form = [state.seat for state in told.states], draft.form
    templates, saved = templates_of(project), list(Roster.objects.filter(project=project))
    context = {
        "draft": draft,
        "told": told,
        "wrong": bool(draft.form.errors) or any(row.problem for row in draft.rows),
        "artifacts": offered_artifacts(project, draft),
        "types": SESSION_TYPES,
        "type": next(one for one in SESSION_TYPES if one.key == draft.kind),
        "standard": form.standard_chosen,
        **_criteria(form),
        "who_must": _who_must(form, len(draft.rows)),
        "policies": policy_labels(project),
        "templates": templates,
        "template": next((one for one in templates if _is_template(one, seats)), None),
        "rosters": [(roster, rosters.seats_of_roster(roster) == seats) for roster in saved],
        "folded": _folded(draft.form),
        "unfocused": not any(seat.focus for seat in seats),
        "is_best": [seat.model_id for seat in best_seats(project, draft.models)] == [seat.model_id for seat in seats],
        "repository": Repository.objects.filter(project=project).first(),
        "text_kinds": TEXT_KINDS,
        "typed": request.POST if draft.problems else {},
        **UPLOAD_LIMITS,
        "token": request.POST.get("token") or uuid4().hex,
        "tab": "sessions",
        **seat_editor(actor, project, draft.rows, draft.models),
    }
    shown = show(request, actor, project, "sessions/new_session.html", context, draft.status)
    if request.method == "POST" and (draft.uses or draft.unpackings):  # reloading and coming back find what was chosen
        shown.headers["HX-Replace-Url"] = _address_of(request, project, draft)
    return shown


def _criteria(form: ReviewForm) -> dict[str, Any]:
    """Of the standard that was chosen, and how many of them have which weight."""
    criteria = criteria_of(form.standard_chosen) if form.standard_chosen else ()
    weights = {name: sum(getattr(one, name) for one in criteria) for name in ("mandatory", "critical")}
    return {"criteria": criteria, "weights": weights}


def _who_must(form: ReviewForm, seats: int) -> str:
    """Of a certification, in how many hands its verdict is; empty for another kind."""
    if form.kind_chosen != "certification":
        return ""
    return rule_sentence(seats, form["rule"].value(), form["allow_single"].value() in ("on", "True", True))


def _folded(form: ReviewForm) -> str:
    """What is set where nobody looks unless they open it: `Review, reports everything, no cost limit`."""
    set_to = {name: form[name].value() for name in form.fields}
    soft, hard = set_to["soft_cap"], set_to["hard_cap"]
    limit = f"never above ${hard}" if hard else f"asks at ${soft}" if soft else "no cost limit"
    return ", ".join([KINDS[form.kind_chosen].label, *_asked(form.kind_chosen, set_to), limit])


def _asked(kind: str, set_to: dict[str, str]) -> list[str]:
    """What a session of this kind is asked for, with these parameters."""
    reports = f"reports {dict(SEVERITY_FLOORS).get(set_to['severity_floor'], '')}"
    if kind == "certification":
        return [f"{label('rule', set_to['rule']).lower()} must certify"]
    if kind == "deliberation":
        who = label("threshold", set_to["threshold"]).lower()
        return [reports, f"{who} must agree", f"at most {set_to['max_rounds']} rounds"]
    return [reports, "second opinions"] if set_to["second_opinion"] != "off" else [reports]


def _is_template(template: ReviewTemplate, seats: list[Seat]) -> bool:
    """Whether these seats look at what the template says."""
    wanted = [seat.focus for seat in template.seats]
    return any(wanted) and wanted == [seat.focus for seat in seats]
