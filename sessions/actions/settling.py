"""Settle a review: what its instances do not agree on goes on as a deliberation, whose first round is the review.

The deliberation has the review's seed, texts, brief and instances, so its first round builds the review's prompts and
finds every answer recorded. Only the findings that are put to the rounds are asked about.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.new_session import NewSession, create_session, params_for
from sessions.engine.findings import SEVERITIES
from sessions.models import ArtifactVersion, Content, Finding, Session, SessionSource
from sessions.queries.estimate import Estimate, estimate
from sessions.seats import seats_of_session
from sessions.titles import settled_title

INHERITED = ("focus", "severity_floor", "max_findings")
"""Parameters that stand in the review's prompts."""
BECAUSE = {
    "disputed": "the instances disagree on how severe it is",
    "alone": "one instance alone raised it",
    "blocking": "it is open at or above the blocking severity",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding that can be put to the rounds, and why it should be: keys of `BECAUSE`, empty when nothing speaks for
    it."""

    number: int
    why: tuple[str, ...]

    @property
    def reasons(self) -> str:
        return "; ".join(BECAUSE[key] for key in self.why)


def candidates(review: Session, block_severity: str = "critical") -> list[Candidate]:
    """The findings of a review by rank. What people dismissed or fixed can be chosen; nothing speaks for it."""
    rows = Finding.objects.filter(session=review, status="open").order_by("rank")
    return [Candidate(row.number, _why(row, block_severity)) for row in rows]


def settle(
    actor: Actor, review: Session, numbers: Collection[int] | None = None, params: Mapping[str, Any] | None = None
) -> Session:
    """A draft of the deliberation about the findings `numbers`, without them those that something speaks for
    (`candidates`). `params` are a deliberation's; what stands in the review's prompts is taken from the review. Raises
    Refused."""
    check_settling(review)
    with transaction.atomic():
        return create_session(actor, review.project, _deliberation(review, numbers, params or {}))


def settling_estimate(
    review: Session, numbers: Collection[int] | None = None, params: Mapping[str, Any] | None = None
) -> Estimate:
    """What the rounds after the first will cost and take. Raises Refused as `settle` does."""
    asked = _params(review, params or {})
    kept = params_for(review.project, "deliberation", asked | {"only": _chosen(review, numbers, asked)})
    judged, read = _texts(review)
    seats, brief = seats_of_session(review), _brief(review)
    return estimate(review.project, seats, judged, kept, kind="deliberation", context=read, brief=brief, settles=True)


def check_settling(review: Session) -> None:
    """Raises Refused for what cannot be settled."""
    if review.kind != "review":
        raise Refused("not_a_review", "Only a review can be settled.", 409)
    if review.status != "completed":
        raise Refused("not_completed", f"This review is {review.status}. It can be settled once it is completed.", 409)
    if review.participants.count() < 2:
        raise Refused("one_instance", "One instance has nobody to agree with. Review again with two or more.", 409)
    sources = SessionSource.objects.filter(session=review)
    erased = (
        sources.exclude(version__content__erased_at=None),
        sources.exclude(version__artifact__deleted_at=None),
        Content.objects.filter(session=review).exclude(erased_at=None),
    )
    if any(rows.exists() for rows in erased):
        raise Refused("source_erased", "Texts of this review were erased: nobody can read them again.", 409)
    if not Finding.objects.filter(session=review, status="open").exists():
        raise Refused("nothing_to_settle", "This review found nothing: there is nothing to settle.", 409)


def _deliberation(review: Session, numbers: Collection[int] | None, params: Mapping[str, Any]) -> NewSession:
    params = _params(review, params)
    judged, read = _texts(review)
    return NewSession(
        kind="deliberation",
        seats=seats_of_session(review),
        versions=judged,
        context=read,
        title=settled_title(review),
        brief=_brief(review),
        params=params | {"only": _chosen(review, numbers, params)},
        soft_cap=review.soft_cap_microcredits,
        hard_cap=review.hard_cap_microcredits,
        settles=review,
    )


def _texts(review: Session) -> tuple[list[ArtifactVersion], list[ArtifactVersion]]:
    """What is judged, and what is only read."""
    rows = list(review.sources.select_related("version__artifact", "version__content"))
    return [row.version for row in rows if not row.context], [row.version for row in rows if row.context]


def _brief(review: Session) -> str:
    return review.brief.text if review.brief else ""


def _params(review: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    return {**params, **{name: review.params[name] for name in INHERITED if name in review.params}}


def _chosen(review: Session, numbers: Collection[int] | None, params: Mapping[str, Any]) -> list[int]:
    found = candidates(review, str(params.get("block_severity", "critical")))
    if numbers is None:
        numbers = [one.number for one in found if one.why]
    if unknown := sorted(set(numbers) - {one.number for one in found}):
        raise Refused("finding_unknown", f"This review has no open finding F-{unknown[0]:03d}.", 404)
    if not numbers:
        raise Refused("nothing_to_settle", "No finding is chosen, and none is disputed. Choose at least one.", 409)
    return sorted(set(numbers))


def _why(row: Finding, block_severity: str) -> tuple[str, ...]:
    if row.disposition in ("dismissed", "fixed"):
        return ()
    blocking = SEVERITIES[row.weight] >= SEVERITIES.get(block_severity, SEVERITIES["critical"])
    speaks = {"disputed": row.severity_disputed, "alone": len(row.raised_by) == 1, "blocking": blocking}
    return tuple(name for name, true in speaks.items() if true)
