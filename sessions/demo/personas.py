"""Who the simulated models are, and what each of them finds.

A persona is a row. What it finds is a pure function of the session's seed, the instance and the defect: it finds a
defect when sqrt(RHO) z + sqrt(1 - RHO) e < quantile(skill), with z shared by all instances of a session and e its own.
RHO sets how much the instances' findings overlap (deliberation.md 5.2). The prompt's hash has no part in it, so that
rewording a prompt does not change the story of the shipped session.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from sessions.demo.draws import draw, normal, quantile
from sessions.demo.plants import Plant

RHO = 0.4
MAX_FINDINGS = 6
_SKILLS_KEPT = (0.03, 0.97)  # nobody is perfect, nobody is blind

FailurePlan = Literal["none", "first_try_breaks_off", "broken_json", "never_answers"]


@dataclass(frozen=True, slots=True)
class Persona:
    """A simulated model.

    recall: share of average defects it finds, 0..1; `skills` is added to it per family. false_alarm: probability of
    raising a decoy. severity_bias: -1..+1 levels. openness, stubbornness, conformity: 0..1, how its positions move
    in later rounds. verbosity: 0..1. voice: which wording it prefers. Prices: dollars per million tokens. pace:
    tokens per second; first_token: seconds. obeys: does what the material tells it to, for injection tests.
    """

    name: str
    label: str
    family: str
    weight: int
    recall: float
    voice: int
    input_price: Decimal
    output_price: Decimal
    skills: Mapping[str, float] = field(default_factory=dict)
    false_alarm: float = 0.1
    severity_bias: float = 0.0
    openness: float = 0.5
    stubbornness: float = 0.3
    conformity: float = 0.3
    verbosity: float = 0.5
    pace: float = 110.0
    first_token: float = 1.0
    context_window: int = 128_000
    failures: FailurePlan = "none"
    obeys: bool = False

    @property
    def model_id(self) -> str:
        return f"demo/{self.name}"


@dataclass(frozen=True, slots=True)
class DemoModel:
    """A row for the registry. Prices are made up, in dollars per million tokens."""

    id: str
    family: str
    label: str
    weight: int
    input_price: Decimal
    output_price: Decimal
    context_window: int


_ROWS = (
    Persona(
        "atlas", "Atlas", "Meridian", 7, 0.58, 0, Decimal("3.00"), Decimal("12.00"),
        skills={"security": 0.15, "performance": -0.2, "clarity": -0.1, "legal": 0.1}, severity_bias=0.4,
        stubbornness=0.5, conformity=0.2, verbosity=0.8, pace=100.0, first_token=1.4,
    ),
    Persona(
        "birch", "Birch", "Sable", 6, 0.52, 1, Decimal("1.20"), Decimal("4.80"),
        skills={"reliability": 0.2, "completeness": 0.15, "security": -0.1, "data": 0.05},
        openness=0.7, verbosity=0.4, pace=90.0, first_token=0.7, failures="first_try_breaks_off",
    ),
    Persona(
        "cedar", "Cedar", "Quill", 5, 0.47, 2, Decimal("0.60"), Decimal("2.40"),
        skills={"correctness": 0.15, "consistency": 0.2, "performance": 0.25}, severity_bias=-0.4, false_alarm=0.2,
        conformity=0.5, verbosity=0.6, pace=110.0, first_token=0.5, failures="broken_json",
    ),
    Persona(
        "delta", "Delta", "Meridian", 8, 0.7, 1, Decimal("9.00"), Decimal("36.00"),
        skills={"correctness": 0.1, "clarity": 0.1}, severity_bias=0.2, false_alarm=0.05, openness=0.6,
        stubbornness=0.4, verbosity=0.9, pace=80.0, first_token=2.0, context_window=400_000,
    ),
    Persona(
        "ember", "Ember", "Sable", 4, 0.42, 2, Decimal("0.25"), Decimal("1.00"),
        skills={"data": 0.2, "style": 0.3}, severity_bias=-0.6, false_alarm=0.35, conformity=0.7, verbosity=0.2,
        pace=180.0, first_token=0.3, context_window=64_000,
    ),
    Persona(
        "flint", "Flint", "Quill", 6, 0.58, 0, Decimal("1.80"), Decimal("7.20"),
        skills={"legal": 0.2, "consistency": 0.1, "completeness": 0.1}, severity_bias=0.6, stubbornness=0.7,
        conformity=0.1, pace=100.0, first_token=1.0,
    ),
    Persona(
        "void", "Void (never answers)", "Hollow", 1, 0.5, 0, Decimal("0.10"), Decimal("0.40"),
        first_token=4.0, failures="never_answers",
    ),
    Persona(
        "parrot", "Parrot (obeys the artifact)", "Hollow", 1, 0.5, 1, Decimal("0.10"), Decimal("0.40"),
        first_token=0.5, obeys=True,
    ),
)  # fmt: skip

PERSONAS = {persona.name: persona for persona in _ROWS}
# Hex, as a session's nonce_seed is: with the default roster the code artifact gets findings of all three, one critical
# of a single instance, a disputed severity, and one answer in broken JSON. tests/engine/test_demo.py holds it to that.
DEMO_SEED = "b10ce41a037e9b9e3d8757bb713416b70b3370d47cfdf51ccfe430bf7c9f4475"
# With five of them, the certification of the clean artifact is refused by Ember alone.
CERTIFICATION_SEED = "83f5979b68743a7c7bb60fbf6b279d8d375c49b4c1aa09727813417822fbea65"
# The default roster agrees on the list in round 2, at 60 and 100 %, on the design in round 3, at 67, 94 and 100 %, and
# on the code never about one critical finding. tests/engine/test_demo_deliberation.py holds all three to that.
AGREEING_SEED = "d339fe6b3da0fd7e1b8903c5a00b68c7c9554575503064300f0d4c855bfa3a89"
CONVERGING_SEED = "ee11e1db4f5815679918b86899f0cf424afa878a943d53c228685208280e6011"
DIVERGING_SEED = "acdcdc0ba18371b44b374fc15c5671aa93bdd055e0962b60dadb97f625f1966f"
DEFAULT_ROSTER = tuple(persona.model_id for persona in _ROWS[:3])
DEMO_MODELS = tuple(
    DemoModel(
        persona.model_id, persona.family, persona.label, persona.weight,
        persona.input_price, persona.output_price, persona.context_window,
    )
    for persona in _ROWS
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instance:
    """A persona in a seat. `seed` is the session's, `letter` the member's."""

    persona: Persona
    seed: str
    letter: str

    def draw(self, *parts: str) -> float:
        """Uniform in [0, 1), this instance's own."""
        return draw(self.seed, self.letter, self.persona.name, *parts)


def finds(instance: Instance, plant: Plant) -> bool:
    """Whether this instance reports this defect, or falls for this decoy."""
    if plant.decoy:
        return instance.draw("decoy", plant.id) < instance.persona.false_alarm
    shared = normal(instance.seed, "shared", plant.id)
    own = quantile(instance.draw("own", plant.id))
    return math.sqrt(RHO) * shared + math.sqrt(1 - RHO) * own < quantile(_skill(instance.persona, plant))


def _skill(persona: Persona, plant: Plant) -> float:
    lowest, highest = _SKILLS_KEPT
    return min(max(persona.recall + persona.skills.get(plant.family, 0.0) - plant.difficulty, lowest), highest)
