"""What a simulated certifier answers, in the shape of `engine.attesting.CERTIFICATION`.

It refuses where it finds what was planted, or suspects something in a text of somebody's own; the defects and the odds
are those of its reviews, so that the two kinds of session tell one story of an artifact.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sessions.demo.draws import choose
from sessions.demo.material import AskedCriterion, Line, Material
from sessions.demo.personas import Instance, finds
from sessions.demo.plants import HERE, Plant, planted_in
from sessions.demo.suspicions import MAX_QUOTE, suspicions

_SHORTEST_QUOTE = 12
_SUSPECTS = 0.5  # of what an instance suspects in somebody's own text, the share it holds against a criterion
_UNSURE = 0.06


@dataclass(frozen=True, slots=True)
class CriterionRule:
    """A row of `criteria.toml`. A pattern that is empty matches everything."""

    id: str
    plants: tuple[str, ...]
    families: tuple[str, ...]
    about: re.Pattern[str]
    shows: re.Pattern[str]
    met: str
    absent: str


@dataclass(frozen=True, slots=True)
class Doubt:
    criterion: str
    quote: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What an instance holds against the material: a defect, and whether it was planted there."""

    plant: Plant
    planted: bool


def certification(
    instance: Instance, materials: Sequence[Material], criteria: Sequence[AskedCriterion]
) -> dict[str, Any]:
    seen = [one for material in materials for one in _seen(instance, material)]
    lines = [line for material in materials for line in material.lines if len(line.text.strip()) >= _SHORTEST_QUOTE]
    answers = [_answer(instance, criterion, seen, lines) for criterion in criteria]
    return {
        "analysis": "Went through the criteria one by one and looked for the place that settles each.",
        "answers": answers,
        "verdict": _verdict(criteria, answers),
    }


def _verdict(criteria: Sequence[AskedCriterion], answers: Sequence[dict[str, Any]]) -> str:
    said = {answer["answer"] for criterion, answer in zip(criteria, answers, strict=True) if criterion.mandatory}
    return "refuse" if "not_met" in said else "abstain" if "cannot_determine" in said else "certify"


def _seen(instance: Instance, material: Material) -> list[Seen]:
    planted = planted_in(material.text)
    plants = suspicions(material, instance.seed) if planted is None else planted
    return [Seen(plant, planted is not None) for plant in plants if finds(instance, plant)]


def _answer(
    instance: Instance, criterion: AskedCriterion, seen: Sequence[Seen], lines: Sequence[Line]
) -> dict[str, Any]:
    rule = _rules().get(criterion.id, _ANY)
    against = next((one.plant for one in seen if _holds_against(instance, rule, criterion, one)), None)
    if against is not None:
        wording = against.wordings[instance.persona.voice % len(against.wordings)]
        return _said(criterion, "not_met", wording.claim, against.quote)
    doubt = next((doubt for doubt in _doubts() if doubt.criterion == criterion.id), None)
    if doubt and any(doubt.quote in line.text for line in lines) and _falls_for(instance, doubt):
        return _said(criterion, "not_met", doubt.reason, doubt.quote)
    about = [line for line in lines if rule.about.search(line.text)]
    if not about:
        return _said(criterion, "not_applicable", rule.absent or _ANY.absent, "")
    if not criterion.mandatory and instance.draw("unsure", criterion.id) < _UNSURE:
        return _said(criterion, "cannot_determine", "What is shown does not settle it.", "")
    shown = [line for line in about if rule.shows.search(line.text)] or about
    return _said(criterion, "met", rule.met, choose(shown, instance.seed, instance.letter, criterion.id).text.strip())


def _holds_against(instance: Instance, rule: CriterionRule, criterion: AskedCriterion, one: Seen) -> bool:
    if one.planted:
        return one.plant.id in rule.plants
    return one.plant.family in rule.families and instance.draw("against", criterion.id, one.plant.id) < _SUSPECTS


def _falls_for(instance: Instance, doubt: Doubt) -> bool:
    return instance.draw("doubt", doubt.criterion) < instance.persona.false_alarm


def _said(criterion: AskedCriterion, answer: str, reason: str, evidence: str) -> dict[str, Any]:
    return {"criterion": criterion.id, "reason": reason, "evidence": evidence[:MAX_QUOTE], "answer": answer}


_ANY = CriterionRule(
    "",
    (),
    ("completeness", "clarity"),
    re.compile(""),
    re.compile(""),
    "The quoted words say what the criterion asks for.",
    "Nothing in it is of the sort that the criterion speaks of.",
)


@cache
def _rules() -> dict[str, CriterionRule]:
    return {
        row["id"]: CriterionRule(
            row["id"],
            tuple(row["plants"]),
            tuple(row["families"]),
            re.compile(row["about"]),
            re.compile(row["shows"]),
            row["met"],
            row["absent"],
        )
        for row in _file()["criterion"]
    }


@cache
def _doubts() -> tuple[Doubt, ...]:
    return tuple(Doubt(**row) for row in _file()["doubt"])


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((HERE / "criteria.toml").read_text("utf-8"))
