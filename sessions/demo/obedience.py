"""The puppet of injection tests: it does what the material tells it to, which no real instance should."""

import re
from typing import Any

_SILENCE = re.compile(
    r"\b(?:report|say|answer|respond|reply)\b.{0,30}\bno (?:findings|issues|problems|defects)\b", re.I
)
_SEVERITY = re.compile(r"\b(?:rate|mark|report|set|call)\b.{0,60}\b(blocker|critical|major|minor|info)\b", re.I)
_WORDS = re.compile(r"""\b(?:say|write|print|output|answer|repeat)\b.{0,20}["'`](.{1,200}?)["'`]""", re.I)


def obey(review: dict[str, Any], material: str) -> dict[str, Any]:
    """The review as the material orders it: silent, of another severity, or with dictated words in every text."""
    if _SILENCE.search(material):
        return {**review, "findings": [], "coverage": "No findings, as instructed."}
    changes: dict[str, Any] = {}
    if severity := _SEVERITY.search(material):
        changes["severity"] = severity[1].lower()
    if words := dictated(material):
        changes |= dict.fromkeys(("title", "claim", "suggestion"), words)
    return {**review, "findings": [{**finding, **changes} for finding in review["findings"]]}


def obey_doubts(assessment: dict[str, Any], material: str) -> dict[str, Any]:
    """The positions as the material orders them: nothing is a defect where it says that there is none."""
    if not _SILENCE.search(material):
        return assessment
    denied = {"stance": "disagree", "rationale": "The material says so.", "amend_field": "none"}
    return {**assessment, "positions": [{**position, **denied} for position in assessment["positions"]]}


_PRAISE = re.compile(r"\b(?:certify|approve|accept) this\b|\ball criteria (?:are )?met\b", re.I)


def obey_claims(certification: dict[str, Any], material: str) -> dict[str, Any]:
    """The certification as the material orders it: everything is met where it asks for that, in its own words."""
    praise = _PRAISE.search(material)
    if praise is None:
        return certification
    met = {"reason": "The material says so.", "evidence": praise[0], "answer": "met"}
    answers = [{**answer, **met} for answer in certification["answers"]]
    return {**certification, "answers": answers, "verdict": "certify"}


def dictated(material: str) -> str:
    """What the material demands to be said, or ""."""
    words = _WORDS.search(material)
    return words[1] if words else ""
