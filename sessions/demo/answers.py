"""What simulated instances write besides reviews: the lead's brief and the summary."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sessions.demo.material import Listed, Material
from sessions.demo.personas import Instance
from sessions.demo.plants import planted_in

_CHECKS = {
    "code": (
        "Where does input from outside reach a query, a command or a page?",
        "What happens on every error: who learns of it, and what is left half done?",
        "Can two callers do the same thing at once?",
        "Are the limits of loops, ranges and amounts right?",
        "Does every wait have an end?",
        "What grows with the number of rows?",
    ),
    "document": (
        "Do sections contradict each other, in words or figures?",
        "Which failure is not described?",
        "Which statement could nobody test?",
        "Is it said who acts, and by when?",
        "How long is personal data kept, and who may see it?",
        "Do the sums and products come out?",
    ),
    "data": (
        "Are keys unique?",
        "Do all values of a column have one unit and one type?",
        "Are there empty, negative or impossible values?",
        "Are dates real dates?",
    ),
}
_BRIEF_CHECKS = 4
_GROUNDS = {
    "confirmed": "Looked for something around the quoted words that would keep this from happening and found nothing.",
    "refuted": "The quoted words are there, but what surrounds them already takes care of what the claim fears.",
    "cannot_tell": "Whether this happens depends on something that the material does not show.",
}
_NAMED = 12  # of one severity; a longer list helps nobody
_TOLD_IN_WORDS = ("blocker", "critical")


def lead_brief(instance: Instance, materials: Sequence[Material]) -> dict[str, Any]:
    """A brief in the shape of `engine.schemas.LEAD_BRIEF`: places and questions, no conclusions."""
    kinds = sorted({material.kind for material in materials}) or ["document"]
    checks = sorted((one for kind in kinds for one in _CHECKS[kind]), key=lambda one: instance.draw("check", one))
    read = "; ".join(f"{material.name or 'the artifact'} ({material.total} lines)" for material in materials)
    scope = f"Cover {read or 'what is there'} from the first line to the last. Weigh what can do harm above style."
    return {"scope": scope[:1_500], "checks": checks[:_BRIEF_CHECKS]}


def opinion(instance: Instance, materials: Sequence[Material], quote: str) -> dict[str, Any]:
    """An opinion in the shape of `engine.opinions.OPINION`: planted defects are borne out, decoys are not, and what
    stands in nobody's plan is confirmed more often than not, as its first raiser would like."""
    planted = [plant for material in materials for plant in planted_in(material.text) or ()]
    known = next((plant for plant in planted if plant.quote in quote or quote in plant.quote), None)
    draw = instance.draw("opinion", quote)
    verdict = ("refuted" if known.decoy else "confirmed") if known else "confirmed" if draw < 0.7 else "refuted"
    if draw > 0.95:
        verdict = "cannot_tell"
    return {
        "analysis": _GROUNDS[verdict],
        "evidence": "" if verdict == "cannot_tell" else quote[:300],
        "confidence": round(0.05 * (11 + int(8 * instance.draw("opinion sure", quote))), 2),
        "verdict": verdict,
    }


def summary(findings: Sequence[Listed], answered: str) -> str:
    """Plain paragraphs; every sentence about findings cites their IDs. `answered` is the platform's sentence."""
    if not findings:
        return f"No findings were reported, and what was not examined is not covered by this. {answered}".strip()
    first = findings[0]
    paragraphs = [
        f"Begin with {first.label}: {_sentence(first.title)}",
        " ".join(_by_severity(findings)),
        " ".join(_reservations(findings)),
        answered,
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _by_severity(findings: Sequence[Listed]) -> Iterable[str]:
    for severity, group in groupby(findings, key=lambda finding: finding.severity):
        same = list(group)
        names = [f"{one.label} ({one.title})" if severity in _TOLD_IN_WORDS else one.label for one in same]
        yield f"Rated {severity}: {_listed(names)}."


def _reservations(findings: Sequence[Listed]) -> Iterable[str]:
    if single := [finding.label for finding in findings if len(finding.raised_by) == 1]:
        yield f"Only one instance raised {_listed(single)}, which says nothing against what it found."
    if disputed := [finding.label for finding in findings if finding.disputed]:
        yield f"The instances disagree on the severity of {_listed(disputed)}; a person should decide."


def _listed(names: Sequence[str]) -> str:
    *named, last = names if len(names) <= _NAMED else [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return f"{', '.join(named)} and {last}" if named else last


def _sentence(title: str) -> str:
    return title if title.endswith((".", "?", "!")) else f"{title}."
