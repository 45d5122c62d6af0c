"""Review templates: those that come along and a project's own, and the seats they make."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from django.db import transaction

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.projects import keep_open
from sessions.catalog.best import best_seats
from sessions.catalog.review_templates import REVIEW_TEMPLATES, ReviewTemplate, TemplateSeat
from sessions.engine.text import storable
from sessions.models import Project, SavedTemplate, Session
from sessions.seats import Seat, seats_of_session
from sessions.states import ENDED

OWN = "Saved in this project."


def templates_of(project: Project) -> list[ReviewTemplate]:
    """The project's own by name, then those that come along."""
    return [*map(_from_row, SavedTemplate.objects.filter(project=project)), *REVIEW_TEMPLATES.values()]


def find_template(project: Project, key: str) -> ReviewTemplate:
    """By its key, or by the code of one of the project's own. Raises Refused."""
    if found := REVIEW_TEMPLATES.get(key):
        return found
    try:
        row = SavedTemplate.objects.filter(project=project, code=UUID(key)).first()
    except ValueError:
        row = None
    if row is None:
        raise Refused("template_unknown", f"There is no review template {key[:80]!r} in this project.", 404)
    return _from_row(row)


def seats_of_template(template: ReviewTemplate, project: Project, model_ids: Sequence[str] = ()) -> list[Seat]:
    """Its seats; those without a model of their own take `model_ids` in turn, or the best there are. Raises Refused
    when there is no model at all."""
    if all(seat.model_id for seat in template.seats):
        return [_seat(seat, seat.model_id) for seat in template.seats]
    models = list(model_ids) or [seat.model_id for seat in best_seats(project)]
    if not models:
        raise Refused("no_model", "There is no model to seat. Connect one first.", 409)
    return [_seat(seat, seat.model_id or models[at % len(models)]) for at, seat in enumerate(template.seats)]


def save_template(actor: Actor, session: Session, name: str) -> SavedTemplate:
    """Keep roster, focus and parameters of an ended session. Raises Refused, also for a name that is taken."""
    if session.status not in ENDED or session.deleted_at:
        raise Refused("wrong_state", "A template is made from a session that has ended.", 409)
    name = _checked_name(session.project, name)
    seats = [seat.model_dump(mode="json") for seat in seats_of_session(session)]
    with transaction.atomic():
        keep_open(session.project)
        return SavedTemplate.objects.create(project=session.project, name=name, seats=seats, params=session.params)


def rename_template(template: SavedTemplate, name: str) -> None:
    """Raises Refused for a name that is taken."""
    template.name = _checked_name(template.project, name, template.pk)
    template.save(update_fields=["name"])


def drop_template(template: SavedTemplate) -> None:
    """Sessions that were started from it keep their own copy."""
    template.delete()


def _checked_name(project: Project, name: str, own: int = 0) -> str:
    name = " ".join(storable(name).split())
    if not name or len(name) > 80:
        raise Refused("bad_name", "A template needs a name of at most 80 characters.", 422)
    if SavedTemplate.objects.filter(project=project, name=name).exclude(pk=own).exists():
        raise Refused("name_taken", f"There is another template called {name!r}. Choose another name.", 409)
    return name


def _from_row(row: SavedTemplate) -> ReviewTemplate:
    seats = tuple(TemplateSeat(**Seat.model_validate(seat).model_dump()) for seat in row.seats)
    return ReviewTemplate(str(row.code), row.name, OWN, seats, row.params)


def _seat(seat: TemplateSeat, model_id: str) -> Seat:
    return Seat.model_validate(asdict(seat) | {"model_id": model_id})
