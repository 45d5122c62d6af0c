"""What a session cost, in words that agree with what was said before its start: a server of one's own bills nobody."""

from dataclasses import dataclass

from billing.pricing import dollars
from sessions.models import Attempt, LanguageModel, Session
from sessions.providers.locality import is_own_server


@dataclass(frozen=True, slots=True)
class Unpriced:
    """The ids of the models whose answers have no known price; `own`: each runs on a server of one's own."""

    models: tuple[str, ...] = ()
    own: bool = False


def unpriced_of(session: Session) -> Unpriced:
    """Two queries at most."""
    if not session.price_unknown:
        return Unpriced()
    answered = Attempt.objects.filter(session=session, cost_microcredits=None).exclude(state="running")
    models = sorted(set(answered.values_list("model_id", flat=True)))
    rows = LanguageModel.objects.filter(pk__in=models).values_list("provider__base_url", flat=True)
    return Unpriced(tuple(models), bool(rows) and all(map(is_own_server, rows)))


def spent_words(session: Session, unpriced: Unpriced, named: str) -> str:
    """`$0.05`, `at least $0.05, price unknown for some models`, or with nobody to charge `no price known (own server)`.
    `named` are the models without a price as the sentence names them."""
    spent = dollars(session.cost_microcredits)
    if not unpriced.models:
        return spent
    if not unpriced.own:
        return f"at least {spent}, price unknown for {named}"
    if not session.cost_microcredits:
        return "no price known (own server)"
    return f"{spent}, no price known for {named} (own server)"
