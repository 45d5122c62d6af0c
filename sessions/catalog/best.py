"""Which models to seat: the best three that work, what is wrong with a seat, and who could sit there instead."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch
from django.db.models.functions import Now

from sessions.actions.errors import Refused
from sessions.engine.errors import ERRORS
from sessions.models import LanguageModel, ModelPrice, Project, Session
from sessions.seats import Seat, may_receive, restriction_of
from sessions.specs import seated

SEATS = 3
# What the second and third instance of the same model look at, so that three answers are more than one answer thrice.
FOCUS = (
    "",
    "How it can be misused, broken or attacked, and what it loses or leaks then.",
    "What is missing, unclear, contradicts itself, or fails at the edges and in errors.",
)


@dataclass(frozen=True, slots=True)
class SeatState:
    """A seat and whether its model can be asked. `code` is empty when it can, else an error code that `problem` says
    in words. `nearest` could sit there instead; `keyless` is the provider that only lacks a key."""

    seat: Seat
    model: LanguageModel | None
    code: str = ""
    problem: str = ""
    nearest: LanguageModel | None = None

    @property
    def keyless(self) -> str:
        """Name of the provider to which a key could be added; empty when that is not what is missing."""
        return self.model.provider.name if self.model and self.code in {"no_key", "provider_auth"} else ""


def registry() -> list[LanguageModel]:
    """Every model that was not removed, with provider and prices in force (newest first); two queries."""
    prices = Prefetch("prices", ModelPrice.objects.filter(since__lte=Now()).order_by("-since"))
    rows = LanguageModel.objects.filter(removed_at=None).select_related("provider").prefetch_related(prices)
    return list(rows.order_by("pk"))


def working_models(project: Project) -> list[LanguageModel]:
    """Models that work and may read files of the project, the strongest first. Models nobody has tested count only
    where none has been."""
    return _able(project, registry())


def best_seats(project: Project, models: Sequence[LanguageModel] | None = None) -> list[Seat]:
    """Three reviewers from the models that work, of different makers as far as there are. Without a working model the
    demo models sit there, which are simulated and say so; empty when those were switched off too. `models` is the
    registry, for who has read it."""
    models = registry() if models is None else models
    able = _able(project, models) or sorted((m for m in models if m.simulated and not m.broken), key=_rank)
    return seat_reviewers(_three(able)) if able else []


def seat_reviewers(models: Sequence[LanguageModel]) -> list[Seat]:
    """A reviewer per model; one that sits several times gets another focus each time."""
    seats: list[Seat] = []
    for model in models:
        before = sum(seat.model_id == model.pk for seat in seats)
        name = (model.label or model.pk.rpartition("/")[2])[:76]
        taken = {seat.name.casefold() for seat in seats}
        name = name if name.casefold() not in taken else f"{name} {len(seats) + 1}"
        seats.append(Seat(name=name, model_id=model.pk, focus=FOCUS[before] if before < len(FOCUS) else ""))
    return seats


def seat_states(
    project: Project, seats: Iterable[Seat], models: Sequence[LanguageModel] | None = None
) -> list[SeatState]:
    """Each seat with what is wrong with it, and a way out. `models` is the registry, for who has read it; a model that
    was removed costs a query more."""
    seats = list(seats)
    models = registry() if models is None else models
    by_id = {model.pk: model for model in models}
    if others := {seat.model_id for seat in seats} - by_id.keys():
        by_id |= LanguageModel.objects.select_related("provider").in_bulk(others)
    able = _able(project, models)
    return [_state(project, seat, by_id.get(seat.model_id), able) for seat in seats]


def check_start(session: Session) -> None:
    """Raises Refused when a seat that has not answered yet has no model that can be asked: nothing is started with
    fewer instances than were chosen, or with other ones, unless somebody says so."""
    for row in seated(session):
        if row.state in ("answered", "done"):
            continue
        if code := _code(session.project, row.language_model):
            nearest = _nearest(row.language_model, working_models(session.project))
            sentence = f"Seat {row.letter} ({row.language_model_id}) cannot answer. {_words(session.project, code)}"
            if nearest:
                sentence += f" Or give the seat to {nearest.pk}, which works."
            raise Refused("seat_without_model", sentence, 409)


def _able(project: Project, models: Iterable[LanguageModel]) -> list[LanguageModel]:
    able = [model for model in models if not model.broken and may_receive(project, model.provider)]
    for state in ("works", "untested"):
        if found := [model for model in able if model.state == state]:
            return sorted(found, key=_rank)
    return []


def _state(project: Project, seat: Seat, model: LanguageModel | None, able: Sequence[LanguageModel]) -> SeatState:
    code = _code(project, model) if model else "model_unknown"
    if not code:
        return SeatState(seat, model)
    return SeatState(seat, model, code, _words(project, code), _nearest(model, able))


def _code(project: Project, model: LanguageModel) -> str:
    return model.broken or ("" if may_receive(project, model.provider) else "provider_not_allowed")


def _words(project: Project, code: str) -> str:
    if code == "provider_not_allowed":
        return f"This project restricts that: {restriction_of(project)}."
    return f"{ERRORS[code].sentence} {ERRORS[code].next_step}"


def _nearest(model: LanguageModel | None, able: Sequence[LanguageModel]) -> LanguageModel | None:
    """The working model most like the one that is missing: of the same maker, then of about the same strength."""
    if model is None:
        return able[0] if able else None
    return min(able, key=lambda other: (other.family != model.family, abs(other.weight - model.weight)), default=None)


def _three(able: Sequence[LanguageModel]) -> list[LanguageModel]:
    """One of each maker first, then further models, then the strongest again."""
    families: dict[str, LanguageModel] = {}
    for model in able:
        families.setdefault(model.family or model.provider.name, model)
    chosen = list(families.values())
    chosen += [model for model in able if model not in chosen]
    return (chosen + [able[0]] * SEATS)[:SEATS]


def _rank(model: LanguageModel) -> tuple[int, int, str]:
    """Strongest first. Between models of one weight the dearer one: a price is the best public sign of strength."""
    prices = list(model.prices.all())
    return -model.weight, -(prices[0].output_microcredits if prices else 0), model.pk
