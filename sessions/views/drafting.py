"""A new review as somebody fills it in: where it comes from, what was typed, what is wrong with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.http import Http404, HttpRequest

from sessions import access
from sessions.access import Actor
from sessions.actions.artifacts import add_text_artifact
from sessions.actions.errors import Refused
from sessions.actions.new_session import NewSession, find_versions, title_of
from sessions.actions.pull_requests import fetch_pull_request
from sessions.actions.templates import find_template, seats_of_template
from sessions.actions.unpacking import MAX_WAITING, Brought, brought_of, find_unpacking
from sessions.catalog.best import SeatState, best_seats, registry, seat_states
from sessions.forms import ReviewForm, SeatRow, review_form, rows_of, typed_params, typed_review, typed_rows
from sessions.models import ArtifactVersion, LanguageModel, Project, Session, Unpacking
from sessions.queries import findings_of
from sessions.queries.deliberation import deliberation_of
from sessions.queries.standards import usable_standards
from sessions.reading.uploads import bring_files
from sessions.reports.verdict_words import brief_about
from sessions.seats import Seat, seats_of_session
from sessions.titles import plain_title
from sessions.views.artifacts import PASTED
from sessions.views.rosters import name_rows

USE = "use:"
LONGEST_TITLE = 160
EVERYTHING = "everything"
REVIEW, CONTEXT = "review", "context"


@dataclass
class ReviewDraft:
    """`uses` says what each chosen artifact is for, by code. `unread` are (name, why not) of what came along and was
    passed over, `unpackings` archives that a worker has not looked into yet, with what they are for. `agreed` names the
    list of likely secrets that somebody agreed to send. `previous` is the review that this one continues with a new
    version; `fresh` asks again what has a recorded answer. `models` is the registry, read once for the whole page."""

    form: ReviewForm
    rows: list[SeatRow]
    models: Sequence[LanguageModel]
    uses: dict[str, str] = field(default_factory=dict)
    previous: Session | None = None
    fresh: bool = False
    agreed: str = ""
    unread: list[tuple[str, str]] = field(default_factory=list)
    unpackings: list[tuple[Unpacking, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    status: int = 200
    open: bool = False

    @property
    def kind(self) -> str:
        return self.form.kind_chosen

    def seats(self) -> list[Seat] | None:
        """The roster, or None when a row has a problem, which then says so."""
        seats = [row.seat() for row in self.rows]
        whole = [seat for seat in seats if seat is not None]
        return whole if len(whole) == len(seats) else None

    def codes(self, use: str) -> list[UUID]:
        return [code for text, chosen in self.uses.items() if chosen == use and (code := as_code(text))]

    def new_session(self, project: Project) -> NewSession | None:
        """What actions take; None while something typed is wrong. Raises Refused for artifacts that are not there."""
        seats = self.seats()
        if not self.form.is_complete or seats is None:
            return None
        return NewSession(
            kind=self.kind,
            seats=seats,
            versions=find_versions(project, self.codes(REVIEW)),
            context=find_versions(project, self.codes(CONTEXT)),
            title=self.form.cleaned_data["title"],
            brief=self.form.cleaned_data["brief"],
            params=self.form.params,
            soft_cap=self.form.cap("soft_cap"),
            hard_cap=self.form.cap("hard_cap"),
            previous=self.previous.code if self.previous else None,
        )


def as_code(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def begun(request: HttpRequest, actor: Actor, project: Project) -> ReviewDraft:
    """A draft nobody has touched: preset, or like the session named by `?from=` or `?previous=`, or by a `?template=`;
    of a `?kind=`, against a `?standard=`. Raises Refused, Http404."""
    given, models = request.GET, registry()
    like = _session(actor, project, given.get("from", ""))
    previous = _session(actor, project, given.get("previous", ""))
    uses = {code: use for use, key in ((REVIEW, "artifact"), (CONTEXT, "context")) for code in given.getlist(key)}
    if source := like or previous:
        typed = typed_review(source)
        if like:
            uses = uses or _uses_of(like)
            typed |= {"title": _own_title(like), **_about(like, given.get("about", ""))}
        typed |= {"kind": given["kind"]} if given.get("kind") else {}
        draft = ReviewDraft(form_in(project, typed), rows_of(seats_of_session(source)), models, uses, previous)
    else:
        rows = rows_of(usual_seats(actor, project, models)) or [SeatRow()]
        typed = {name: given.get(name, "") for name in ("kind", "standard")}
        draft = ReviewDraft(form_in(project, typed), rows, models, uses)
    if key := given.get("template", ""):
        apply_template(draft, project, key)
    _look_into(draft, project, given.getlist("unpacking"))
    return draft


def posted(request: HttpRequest, actor: Actor, project: Project) -> ReviewDraft:
    """What was sent; files, pasted text and a pull request become artifacts here."""
    data = request.POST
    uses = {key.removeprefix(USE): str(use) for key, use in data.items() if key.startswith(USE) and use}
    rows = typed_rows(data)
    name_rows(rows)
    draft = ReviewDraft(
        form_in(project, data.dict()),
        rows,
        registry(),
        uses,
        _session(actor, project, data.get("previous", "")),
        fresh="fresh" in data,
        agreed=data.get("agreed", ""),
        unread=[(name, why) for line in data.getlist("unread") for name, _, why in [line.partition("\t")]],
        open=bool(data.get("open")),
    )
    _look_into(draft, project, data.getlist("unpacking"))
    _bring(request, actor, project, draft)
    return draft


def usual_seats(actor: Actor, project: Project, models: Sequence[LanguageModel]) -> list[Seat]:
    """The roster this person used last, unless something in it cannot be asked now or the best of what there is has
    more makers: then that. `models` is the registry."""
    best = best_seats(project, models)
    mine = Session.objects.filter(project=project, created_by=actor.user, kind="review", deleted_at=None)
    last = mine.exclude(status="draft").order_by("-created_at", "-pk").first()
    if last is None or project.is_demo:
        return best
    seats = seats_of_session(last)
    states = seat_states(project, seats, models)
    broken = any(state.code or (state.model and state.model.simulated) for state in states)
    if broken or len(makers_of(states)) < len(makers_of(seat_states(project, best, models))):
        return best
    return seats


def makers_of(states: Iterable[SeatState]) -> list[str]:
    """Who made the models that sit there, each once."""
    models = (state.model for state in states if state.model)
    return sorted({model.family or model.provider.name for model in models})


def apply_template(draft: ReviewDraft, project: Project, key: str) -> None:
    """Its seats on the models that sit there now, and its parameters; what else was typed stays. With `everything`
    nobody has a focus of their own. Raises Refused."""
    if key == EVERYTHING:
        draft.rows = [replace(row, focus="") for row in draft.rows]
        return
    template = find_template(project, key)
    models = [row.model_id for row in draft.rows if row.model_id]
    draft.rows = rows_of(seats_of_template(template, project, models))
    typed = {name: value for name, value in draft.form.data.items() if name in draft.form.fields}
    draft.form = form_in(project, typed | typed_params(template.params))


def form_in(project: Project, typed: Mapping[str, str]) -> ReviewForm:
    """The form as it was typed, with the project's standards where one has to be chosen."""
    form = review_form(typed)
    if form.kind_chosen == "certification":
        form.offer(usable_standards(project.pk))
    return form


def _bring(request: HttpRequest, actor: Actor, project: Project, draft: ReviewDraft) -> None:
    for name, use in (("files", REVIEW), ("context_files", CONTEXT)):
        _take(draft, bring_files(request, actor, project, name), use)
    typed = request.POST
    try:
        if typed.get("text", "").strip():
            name = typed.get("text_name", "").strip() or PASTED
            text = add_text_artifact(actor, project, name, typed["text"], typed.get("text_kind") or None)
            _use(draft, [text], REVIEW)
        if typed.get("pull_request", "").strip():
            fetched = fetch_pull_request(actor, project, typed["pull_request"])
            _use(draft, [fetched.version], REVIEW)
            _use(draft, fetched.context, CONTEXT)
            draft.unread += [(path, "Not fetched: the diff alone shows it.") for path in fetched.left_out]
    except Refused as refused:
        draft.problems.append(refused.sentence)
        draft.status = refused.status


def _look_into(draft: ReviewDraft, project: Project, archives: Sequence[str]) -> None:
    """Archives by `use:code`: what a worker found in them is taken, for the others somebody waits."""
    for text in archives[:MAX_WAITING]:
        use, _, code = text.partition(":")
        if use in (REVIEW, CONTEXT) and (row := find_unpacking(project, code)):
            _take(draft, brought_of(row), use)


def _take(draft: ReviewDraft, brought: Brought, use: str) -> None:
    _use(draft, brought.versions, use)
    draft.unread += [(one.name, one.sentence) for one in brought.ignored]
    draft.problems += [f"{one.name}: {one.sentence} {one.next_step}".strip() for one in brought.refused]
    draft.unpackings += [(row, use) for row in brought.unpackings]


def _use(draft: ReviewDraft, versions: Iterable[ArtifactVersion], use: str) -> None:
    draft.uses |= {str(version.artifact.code): use for version in versions}


def _session(actor: Actor, project: Project, text: str) -> Session | None:
    """The review of this project that an address or a form names; Http404 for one that is not there."""
    found = access.find_session(actor, text) if text else None
    if found and found.project_id != project.pk:
        raise Http404
    return found


def _uses_of(session: Session) -> dict[str, str]:
    rows = session.sources.select_related("version__artifact").filter(version__artifact__deleted_at=None)
    return {str(row.version.artifact.code): CONTEXT if row.context else REVIEW for row in rows}


def _about(session: Session, label: str) -> dict[str, str]:
    """Title and brief of a session about one finding of that one; empty when there is no such finding."""
    finding = next((one for one in findings_of(session) if one.label == label), None) if label else None
    if finding is None:
        return {}
    found = deliberation_of(session)
    settle = found.decided.settle if found and found.decided else {}
    return {"title": finding.title[:LONGEST_TITLE], "brief": brief_about(finding, settle.get(finding.number, ""))}


def _own_title(session: Session) -> str:
    """Its title if somebody gave it one; empty when it is named after its artifacts."""
    judged = [row.version for row in session.sources.select_related("version__artifact").filter(context=False)]
    named = title_of(NewSession(kind=session.kind, seats=[], versions=judged)) if judged else ""
    title = plain_title(session)
    return "" if title == named else title
