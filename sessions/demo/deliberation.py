"""Later rounds of simulated instances: positions that follow an arc, and what is written about them.

A session's arc is drawn from its seed: all settle in round 2, all settle in round 3, or one finding is never settled.
The arc overrides what an instance would find, so that each demo goes as it was drawn (deliberation.md 5.2): until a
finding settles every second instance holds the opposite. What is left to the personas is how they move: who is open
cites an argument, who conforms changes sides without a reason, who is stubborn would cut a claim down first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sessions.demo.draws import draw
from sessions.demo.material import Counted, Laid, Material
from sessions.demo.personas import Instance
from sessions.demo.plants import planted_in
from sessions.engine.findings import SEVERITIES
from sessions.engine.positions import Stance

Arc = Literal["settles_in_2", "settles_in_3", "diverges"]
ARCS: tuple[tuple[float, Arc], ...] = ((0.4, "settles_in_2"), (0.8, "settles_in_3"), (1.0, "diverges"))
NEVER = 99
_BORNE_OUT = 0.75  # share of suspicions in a text of somebody's own that everybody ends up holding to be true
_SLOW = 0.3  # share of the findings that take a round longer, beside the one that always does

_FOR = (
    "The quoted words say so, and nothing around them takes it back.",
    "I followed the place from where it is called to what it leaves behind, and the claim holds.",
    "This happens in a case that will occur; nothing in the material rules it out.",
)
_AGAINST = (
    "What surrounds the quoted words already takes care of what the claim fears.",
    "The claim needs a case that the material rules out before this place is reached.",
    "The words are there, but they do not mean what the claim makes of them.",
)
_CONVINCED = "I read the place again with {argument} in mind, and it is right: {reason}"
_NARROWER = "This holds where the quoted words apply, not everywhere."
_QUESTION = "Does the case in which {label} matters occur, and what happens then? A test or a log would show it."


def arc_of(seed: str) -> Arc:
    at = draw(seed, "arc")
    return next(arc for limit, arc in ARCS if at < limit)


def assessment(
    instance: Instance, materials: Sequence[Material], laid: Sequence[Laid], round_number: int, own: Mapping[str, str]
) -> dict[str, Any]:
    """Positions in the shape of `engine.assessing.ASSESSMENT`. `own` is where the instance stands so far, by label."""
    settles = _settling(instance.seed, laid)
    return {
        "analysis": "Read every listed place again before looking at the arguments.",
        "positions": [
            _position(instance, one, _target(instance.seed, materials, one), settles[one.label] <= round_number, own)
            for one in laid
        ],
        "findings": [],
    }


def round_synthesis(counted: Sequence[Counted]) -> str:
    agreed, argued = _labels(counted, "accepted", "rejected"), _labels(counted, "contested", "undecided")
    parts = [f"Agreed so far: {', '.join(agreed)}." if agreed else "Nothing is agreed yet."]
    parts += (
        [f"Still argued: {', '.join(argued)}, because the sides read the quoted words differently."] if argued else []
    )
    return " ".join(parts)


def final_synthesis(counted: Sequence[Counted]) -> dict[str, Any]:
    """In the shape of `engine.synthesis.SYNTHESIS`."""
    accepted, rejected = _labels(counted, "accepted"), _labels(counted, "rejected")
    argued = _labels(counted, "contested", "undecided")
    sentences = [f"Begin with {accepted[0]}." if accepted else "There is nothing that all hold to be true."]
    sentences += [f"Agreed to hold: {', '.join(accepted)}."] if accepted else []
    sentences += [f"Agreed not to hold: {', '.join(rejected)}."] if rejected else []
    sentences += [f"Not agreed: {', '.join(argued)}; read both sides before deciding."] if argued else []
    return {
        "summary": " ".join(sentences),
        "settle": [{"finding": label, "question": _QUESTION.format(label=label)} for label in argued],
        "open_questions": [],
    }


def _labels(counted: Sequence[Counted], *statuses: str) -> list[str]:
    return [one.label for one in counted if one.status in statuses]


def _settling(seed: str, laid: Sequence[Laid]) -> dict[str, int]:
    """By label, the round in which everybody agrees on it. What takes longest is a grave finding."""
    arc = arc_of(seed)
    grave = [one for one in laid if SEVERITIES.get(one.severity, 0) >= SEVERITIES["major"]] or list(laid)
    slowest = min(grave, key=lambda one: draw(seed, "slow", one.quote), default=None)
    rounds = {one.label: 2 + (arc != "settles_in_2" and draw(seed, "slow", one.quote) < _SLOW) for one in laid}
    if slowest and arc != "settles_in_2":
        rounds[slowest.label] = NEVER if arc == "diverges" else 3
    return rounds


def _target(seed: str, materials: Sequence[Material], one: Laid) -> Stance:
    """What everybody ends up holding: planted defects are true, decoys are not."""
    planted = [plant for material in materials for plant in planted_in(material.text) or ()]
    known = next((plant for plant in planted if plant.quote in one.quote or one.quote in plant.quote), None)
    is_true = not known.decoy if known else draw(seed, "borne out", one.quote) < _BORNE_OUT
    return "agree" if is_true else "disagree"


def _position(instance: Instance, one: Laid, target: Stance, settled: bool, own: Mapping[str, str]) -> dict[str, Any]:
    stance = target if settled or not _holds_against(instance, one) else _opposite(target)
    amends = not settled and stance == "agree" and _cuts_down(instance, one)
    changed = own.get(one.label) in ("agree", "disagree") and own[one.label] != stance
    cited = next((argument for argument, side in one.arguments if (side == "against") == (stance == "disagree")), "")
    reason = _reason(instance, one, stance)
    because = cited if changed and instance.draw("conforms", one.quote) >= instance.persona.conformity else ""
    return {
        "finding": one.label,
        "rationale": _CONVINCED.format(argument=because, reason=reason) if because else reason,
        "new_evidence": one.quote[:300] if instance.draw("quotes", one.quote) < instance.persona.openness else "",
        "changed_because": because or "none",
        "same_as": None,
        "amend_field": "scope" if amends else "none",
        "amend_value": _NARROWER if amends else "",
        "confidence": round(0.05 * (12 + int(7 * instance.draw("sure", one.quote, stance))), 2),
        "stance": "amend" if amends else stance,
    }


def _holds_against(instance: Instance, one: Laid) -> bool:
    """Every second instance: which half is drawn, so that neither side is always the same."""
    half = int(2 * draw(instance.seed, "half", one.quote))
    return (ord(instance.letter[-1]) + half) % 2 == 0


def _cuts_down(instance: Instance, one: Laid) -> bool:
    """At most one instance of a session, or its wording would be taken."""
    return instance.letter == "C" and instance.draw("cuts down", one.quote) < instance.persona.stubbornness


def _opposite(stance: Stance) -> Stance:
    return "disagree" if stance == "agree" else "agree"


def _reason(instance: Instance, one: Laid, stance: Stance) -> str:
    reasons = _AGAINST if stance == "disagree" else _FOR
    return reasons[int(instance.draw("reason", one.quote) * len(reasons))]
