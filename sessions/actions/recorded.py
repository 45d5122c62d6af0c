"""Whether a session that somebody is about to make has been answered already."""

from collections.abc import Mapping
from typing import Any

from sessions.actions.new_session import NewSession, check_params, title_of
from sessions.engine.text import storable
from sessions.events import digest_of
from sessions.models import LanguageModel, Participant, Project, Session
from sessions.seats import Seat, known_models, letters
from sessions.specs import Frozen, member_data, member_of


def recorded_answer(project: Project, new: NewSession) -> Session | None:
    """The newest completed session of this very input, whose result starting `new` would take at no cost. Raises
    Refused for seats or parameters that no session can have."""
    models = known_models(new.seats)
    members: list[dict[str, Any]] = [
        member_data(member_of(Participant(letter=letter, **_row(seat, models))))
        for letter, seat in zip(letters(len(new.seats)), new.seats, strict=True)
    ]
    sources = [
        {"ref": str(version.pk), "digest": version.digest, "context": read}
        for versions, read in ((new.versions, False), (new.context, True))
        for version in versions
    ]
    frozen = Frozen(title_of(new), storable(new.brief.strip()), check_params(new.kind, new.params), members, sources)
    same = Session.objects.filter(project=project, kind=new.kind, input_digest=digest_of(frozen.text()))
    return same.filter(status="completed", deleted_at=None).order_by("-finished_at").first()


def _row(seat: Seat, models: Mapping[str, LanguageModel]) -> dict[str, Any]:
    return {
        "language_model": models[seat.model_id],
        "fallback": models.get(seat.fallback),
        "simulated": models[seat.model_id].simulated,
        "name": storable(seat.name),
        "role": seat.role,
        "temperature": seat.temperature,
        "focus": storable(seat.focus),
    }
