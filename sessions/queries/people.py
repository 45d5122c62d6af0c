"""What instances were asked about findings, and what people wrote about them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sessions.glossary import label
from sessions.models import Content, FindingComment, Opinion, Session


@dataclass(frozen=True, slots=True)
class OpinionView:
    """What an instance that did not raise the finding says of it. `verdict` is confirmed, refuted, cannot_tell, or
    missing with an error code. `verified`: its quote stands in the artifact. `confidence` is percent."""

    letter: str
    verdict: str
    verified: bool
    analysis: str
    evidence: str
    confidence: int
    error_code: str
    erased: bool


@dataclass(frozen=True, slots=True)
class CommentView:
    by: str
    at: datetime
    text: str
    erased: bool


def opinions_of(session: Session) -> dict[int, tuple[OpinionView, ...]]:
    """By finding number, in the order of letters; one query."""
    found: dict[int, list[OpinionView]] = defaultdict(list)
    for row in Opinion.objects.filter(session=session).select_related("content"):
        words: dict[str, Any] = orjson.loads(row.content.text) if row.content and not row.content.erased_at else {}
        found[row.number].append(
            OpinionView(
                letter=row.letter,
                verdict=row.verdict,
                verified=row.evidence_verified,
                analysis=words.get("analysis", ""),
                evidence=words.get("evidence", ""),
                confidence=round(100 * words.get("confidence", 0)),
                error_code=row.error_code,
                erased=bool(row.content and row.content.erased_at),
            )
        )
    return {number: tuple(opinions) for number, opinions in found.items()}


def comments_of(session: Session) -> dict[int, tuple[CommentView, ...]]:
    """By finding number, the oldest first; one query."""
    found: dict[int, list[CommentView]] = defaultdict(list)
    for row in FindingComment.objects.filter(session=session).select_related("content", "by"):
        found[row.number].append(CommentView(row.by.email, row.at, _text(row.content), bool(row.content.erased_at)))
    return {number: tuple(comments) for number, comments in found.items()}


def opinion_badge(opinions: Sequence[OpinionView]) -> str:
    """`confirmed 2 of 2`, `refuted 1 of 1`, `confirmed 1, refuted 1 of 3`; empty when nobody was asked."""
    given = [opinion.verdict for opinion in opinions if opinion.verdict != "missing"]
    if not given:
        return "no opinion came" if opinions else ""
    counts = [(verdict, given.count(verdict)) for verdict in ("confirmed", "refuted")]
    said = [f"{label('opinion', verdict).lower()} {count}" for verdict, count in counts if count]
    return f"{', '.join(said) or 'undecided, 0'} of {len(opinions)}"


def _text(content: Content) -> str:
    return "" if content.erased_at else content.text
