"""Whether the cost caps of a session can be kept: a cap counts prices, and not every model has one."""

from django.db.models import Q
from django.db.models.functions import Now

from sessions.actions.errors import Refused
from sessions.models import LanguageModel, ModelPrice, Participant, Session
from sessions.providers.locality import is_own_server


def check_caps(session: Session) -> None:
    """Raises Refused when a cap is set and some provider's bill could pass it unseen."""
    unseen = [model.pk for model in _unpriced(session) if not is_own_server(model.provider.base_url)]
    if unseen:
        names = ", ".join(unseen)
        way_out = "Set one (0 for a server of your own), choose another model, or start without a cap."
        raise Refused("cap_needs_price", f"No price is known for {names}, so a cap could not be kept. {way_out}")


def uncounted_models(session: Session) -> list[str]:
    """Ids of the models that the session's caps do not count: without a price, on a server of one's own."""
    return [model.pk for model in _unpriced(session) if is_own_server(model.provider.base_url)]


def _unpriced(session: Session) -> list[LanguageModel]:
    """The models of a capped session that have no price now, with their providers; none of one without caps."""
    if session.soft_cap_microcredits is None and session.hard_cap_microcredits is None:
        return []
    seats = Participant.objects.filter(session=session, simulated=False, last_round=None)
    seated = Q(pk__in=seats.values("language_model")) | Q(pk__in=seats.exclude(fallback=None).values("fallback"))
    priced = ModelPrice.objects.filter(since__lte=Now())
    rows = LanguageModel.objects.filter(seated).select_related("provider")
    return list(rows.exclude(pk__in=priced.values("language_model")).order_by("pk"))
