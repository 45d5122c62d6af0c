"""The review of a simulated instance, in the shape of `engine.schemas.REVIEW`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sessions.demo.draws import choose
from sessions.demo.material import Material
from sessions.demo.personas import MAX_FINDINGS, Instance, finds
from sessions.demo.plants import Plant, Wording, planted_in
from sessions.demo.suspicions import MAX_QUOTE, suspicions
from sessions.engine.findings import SEVERITIES
from sessions.engine.schemas import MAX_CLAIM

_SEVERITY_NOISE = 0.7  # levels, to either side
_LEVELS = {level: severity for severity, level in SEVERITIES.items()}
_APPROACHES = (
    "Read the material from the top, then went back to every place that changes state or handles input.",
    "Looked first for what happens when something fails, then for statements that do not fit together.",
    "Followed the values through the material and compared what is promised with what is done.",
)


def review(instance: Instance, materials: Sequence[Material], most: int, floor: str) -> dict[str, Any]:
    """One review of everything to judge: at most `most` findings (a persona stops at MAX_FINDINGS), none below the
    severity `floor`, the gravest first."""
    found = [_finding(instance, material, plant) for material in materials for plant in _found_in(instance, material)]
    wanted = [one for one in found if SEVERITIES[one["severity"]] >= SEVERITIES.get(floor, 0)]
    wanted.sort(key=lambda one: -SEVERITIES[one["severity"]])
    return {
        "analysis": _APPROACHES[instance.persona.voice],
        "findings": wanted[: min(most, MAX_FINDINGS)],
        "coverage": " ".join(_coverage(material) for material in materials) or "There was nothing to read.",
        "not_examined": [_unseen(material) for material in materials if material.shown < material.total],
    }


def _found_in(instance: Instance, material: Material) -> list[Plant]:
    """What the instance finds. In a text of somebody's own it finds at least the first suspicion, as do its peers."""
    planted = planted_in(material.text)
    if planted is not None:
        return [replace(plant, artifact=material.name) for plant in planted if finds(instance, plant)]
    suspected = suspicions(material, instance.seed)
    return [plant for plant in suspected if finds(instance, plant)] or suspected[:1]


def _finding(instance: Instance, material: Material, plant: Plant) -> dict[str, Any]:
    wording = _wording(instance, plant)
    verbose = instance.draw("verbose", plant.id) < instance.persona.verbosity
    first, last = _place(instance, material, plant)
    return {
        "title": wording.title,
        "claim": (f"{wording.claim} {plant.impact}" if verbose else wording.claim)[:MAX_CLAIM],
        "evidence": _quote(material, plant) if verbose else plant.quote,
        "location": {"path": plant.artifact, "start_line": first, "end_line": last, "anchor": plant.anchor},
        "suggestion": wording.suggestion,
        "category": plant.category,
        "confidence": _confidence(instance, plant),
        "family": plant.family,
        "severity": _severity(instance, plant),
    }


def _wording(instance: Instance, plant: Plant) -> Wording:
    """Personas of different voice use different words for the same defect."""
    turn = choose(range(len(plant.wordings)), plant.id)
    return plant.wordings[(instance.persona.voice + turn) % len(plant.wordings)]


def _quote(material: Material, plant: Plant) -> str:
    """The whole line around the planted quote when it is short enough to be evidence."""
    around = [line.text.strip() for line in material.lines if plant.start_line <= line.number <= plant.end_line]
    return next((text for text in around if plant.quote in text and len(text) <= MAX_QUOTE), plant.quote)


def _place(instance: Instance, material: Material, plant: Plant) -> tuple[int, int]:
    """First and last line, one line too generous now and then, as models are."""
    last = max(line.number for line in material.lines)
    before, after = (int(instance.draw(side, plant.id) < 0.3) for side in ("before", "after"))
    return max(1, plant.start_line - before), min(last, plant.end_line + after)


def _severity(instance: Instance, plant: Plant) -> str:
    noise = (2 * instance.draw("severity", plant.id) - 1) * _SEVERITY_NOISE
    level = round(SEVERITIES[plant.severity] + instance.persona.severity_bias + noise)
    return _LEVELS[min(max(level, 1), 5)]


def _confidence(instance: Instance, plant: Plant) -> float:
    """0.55 to 0.95 in steps of 0.05; decoys 0.3 lower."""
    return round(0.05 * (11 + int(9 * instance.draw("confidence", plant.id)) - 6 * plant.decoy), 2)


def _coverage(material: Material) -> str:
    name = material.name or "the artifact"
    if not material.text.strip():
        return f"{name} is empty."
    return f"Read {name}, {material.shown} lines." if material.shown else f"Read the beginning of {name}."


def _unseen(material: Material) -> str:
    return f"{material.name}: lines {material.shown + 1} to {material.total}, which were not shown"
