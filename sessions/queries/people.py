"""What instances were asked about findings, and what people wrote about them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.db.models import BigAutoField

from sessions.compiled import CompiledRows, GivenMany
from sessions.glossary import label
from sessions.models import FindingComment, Opinion
from sessions.people import called

V = TypeVar("V")


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


# (session, number of a finding)
Place = tuple[int, int]


def _opinion(
    session_id: int, number: int, letter: str, verdict: str, verified: bool, code: str, text: str | None, erased: Any
) -> tuple[Place, OpinionView]:
    words: dict[str, Any] = orjson.loads(text) if text and not erased else {}
    view = OpinionView(
        letter=letter,
        verdict=verdict,
        verified=verified,
        analysis=words.get("analysis", ""),
        evidence=words.get("evidence", ""),
        confidence=round(100 * words.get("confidence", 0)),
        error_code=code,
        erased=bool(erased),
    )
    return (session_id, number), view


def _comment(
    session_id: int, number: int, name: str, email: str, at: datetime, text: str, erased: Any
) -> tuple[Place, CommentView]:
    return (session_id, number), CommentView(called(name, email), at, "" if erased else text, bool(erased))


_WORDS = ("content__text", "content__erased_at")
_OPINIONS = CompiledRows(
    _opinion,
    lambda: Opinion.objects.filter(session__in=GivenMany("sessions", BigAutoField())).values_list(
        "session_id", "number", "letter", "verdict", "evidence_verified", "error_code", *_WORDS
    ),
)
_COMMENTS = CompiledRows(
    _comment,
    lambda: FindingComment.objects.filter(session__in=GivenMany("sessions", BigAutoField())).values_list(
        "session_id", "number", "by__name", "by__email", "at", *_WORDS
    ),
)


def opinions_of(sessions: Sequence[int]) -> dict[Place, tuple[OpinionView, ...]]:
    """In the order of letters; one query."""
    return _grouped(_OPINIONS(sessions=sessions))


def comments_of(sessions: Sequence[int]) -> dict[Place, tuple[CommentView, ...]]:
    """The oldest first; one query."""
    return _grouped(_COMMENTS(sessions=sessions))


def _grouped(rows: Sequence[tuple[Place, V]]) -> dict[Place, tuple[V, ...]]:
    found: dict[Place, list[V]] = defaultdict(list)
    for place, view in rows:
        found[place].append(view)
    return {place: tuple(views) for place, views in found.items()}


def opinion_badge(opinions: Sequence[OpinionView]) -> str:
    """`confirmed 2 of 2`, `refuted 1 of 1`, `confirmed 1, refuted 1 of 3`; empty when nobody was asked."""
    given = [opinion.verdict for opinion in opinions if opinion.verdict != "missing"]
    if not given:
        return "no opinion came" if opinions else ""
    counts = [(verdict, given.count(verdict)) for verdict in ("confirmed", "refuted")]
    said = [f"{label('opinion', verdict).lower()} {count}" for verdict, count in counts if count]
    return f"{', '.join(said) or 'undecided, 0'} of {len(opinions)}"
