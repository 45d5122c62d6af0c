"""One search over what somebody may read: sessions, findings, artifacts; the newest first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left

from sessions.models import Artifact, ArtifactVersion, Content, Finding, Project, Report, Session
from sessions.queries.findings import MERGED
from sessions.search_index import INDEXED, matching, words_in, words_of

# Of each kind; who wants to see more types another word.
SHOWN = 20
# Characters of a text around the first word that was found.
BEFORE, AROUND = 60, 220


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a text as (words, whether they were looked for); `cut` at its begin, at its end."""

    parts: tuple[tuple[str, bool], ...]
    cut: tuple[bool, bool] = (False, False)

    def __str__(self) -> str:
        return "".join(words for words, _ in self.parts)


@dataclass(frozen=True, slots=True)
class SessionHit:
    session: Session
    title: Snippet
    summary: Snippet | None


@dataclass(frozen=True, slots=True)
class FindingHit:
    session: Session
    label: str
    severity: str
    disposition: str
    title: Snippet
    claim: Snippet


@dataclass(frozen=True, slots=True)
class ArtifactHit:
    """`version` is the newest that fits, `line` where its text does, None when only the name fits."""

    artifact: Artifact
    version: int
    name: Snippet
    line: int | None
    text: Snippet | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Hits:
    """`more` names the kinds of which there are more than are shown."""

    words: tuple[str, ...]
    sessions: tuple[SessionHit, ...] = ()
    findings: tuple[FindingHit, ...] = ()
    artifacts: tuple[ArtifactHit, ...] = ()
    more: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        return len(self.sessions) + len(self.findings) + len(self.artifacts)


def search(projects: QuerySet[Project], query: str) -> Hits:
    """What holds every word of `query`, the last one at least as a beginning, in these projects."""
    words = words_of(query)
    if not words:
        return Hits(())
    keys = list(projects.values_list("pk", flat=True))
    sessions, findings, artifacts = _sessions(keys, words), _findings(keys, words), _artifacts(keys, words)
    many = {"sessions": len(sessions), "findings": len(findings), "artifacts": len(artifacts)}
    return Hits(
        tuple(words),
        tuple(sessions[:SHOWN]),
        tuple(findings[:SHOWN]),
        tuple(artifacts[:SHOWN]),
        frozenset(kind for kind, count in many.items() if count > SHOWN),
    )


def _sessions(projects: Sequence[int], words: list[str]) -> list[SessionHit]:
    """By title or summary."""
    summaries = _texts(projects, words, "summary")
    rows = Session.objects.filter(_named("title", words) | Q(summary__in=summaries), project__in=projects)
    rows = rows.filter(deleted_at=None).select_related("project").order_by("-created_at")[: SHOWN + 1]
    return [
        SessionHit(
            session,
            snippet(session.title, words),
            snippet(summaries[session.summary_id], words) if session.summary_id in summaries else None,
        )
        for session in rows
    ]


def _findings(projects: Sequence[int], words: list[str]) -> list[FindingHit]:
    """By the words that stand for the finding. An instance writes all its reports into one text, so which of them it
    was is looked up here."""
    texts = {key: orjson.loads(text) for key, text in _texts(projects, words, "words").items()}
    rows = Finding.objects.filter(canonical__content__in=texts, session__deleted_at=None).exclude(status=MERGED)
    rows = rows.select_related("canonical", "session__project").order_by("-session__created_at", "rank")
    hits = []
    for finding in rows:
        said = _said(finding.canonical, texts)
        if _holds(f"{said.get('title', '')} {said.get('claim', '')} {said.get('evidence', '')}", words):
            hits.append(_finding_hit(finding, said, words))
        if len(hits) > SHOWN:
            break
    return hits


def _finding_hit(finding: Finding, said: dict[str, Any], words: list[str]) -> FindingHit:
    return FindingHit(
        finding.session,
        finding.label,
        finding.person_severity or finding.severity,
        finding.disposition,
        snippet(said.get("title", ""), words),
        snippet(said.get("claim", ""), words),
    )


def _said(report: Report, texts: dict[Any, list[dict[str, Any]]]) -> dict[str, Any]:
    items = texts.get(report.content_id, [])
    return items[report.ordinal - 1] if report.ordinal <= len(items) else {}


def _artifacts(projects: Sequence[int], words: list[str]) -> list[ArtifactHit]:
    """By name, or by text; of each the newest version that fits."""
    texts = _texts(projects, words, "artifact")
    rows = ArtifactVersion.objects.filter(Q(content__in=texts) | _named("artifact__name", words))
    rows = rows.filter(artifact__project__in=projects, artifact__deleted_at=None).select_related("artifact__project")
    newest: dict[int, ArtifactVersion] = {}
    for version in rows.order_by("-created_at", "-number")[: 5 * SHOWN]:
        newest.setdefault(version.artifact_id, version)
    return [_artifact_hit(version, texts.get(version.content_id), words) for version in newest.values()][: SHOWN + 1]


def _artifact_hit(version: ArtifactVersion, text: str | None, words: list[str]) -> ArtifactHit:
    at = _first(text, words) if text else None
    return ArtifactHit(
        version.artifact,
        version.number,
        snippet(version.artifact.name, words),
        text.count("\n", 0, at) + 1 if text and at is not None else None,
        snippet(text, words) if text else None,
        version.created_at,
    )


def _texts(projects: Sequence[int], words: list[str], kind: str) -> dict[UUID, str]:
    """The newest texts that hold the words, by content id. Of an artifact, which may be large, what is indexed."""
    condition, parameters = matching(connection, words)
    rows = Content.objects.extra(where=[condition], params=parameters).filter(project__in=projects, kind=kind)
    text = Left("text", INDEXED) if kind == "artifact" else F("text")
    return dict(rows.order_by("-created_at").values_list("pk", text)[: 2 * SHOWN])


def _named(field: str, words: list[str]) -> Q:
    """Names are short, and a part of a word is enough."""
    found = Q()
    for word in words:
        found &= Q(**{f"{field}__icontains": word})
    return found


# --- where in a text


def snippet(text: str, words: Sequence[str]) -> Snippet:
    """The text around the first of the words, on one line, with all of them marked."""
    at = _first(text, words) or 0
    begin = max(0, at - BEFORE) if len(text) > AROUND else 0
    end = min(len(text), begin + AROUND)
    piece = " ".join(text[begin:end].split())
    parts, done = [], 0
    for found in _pattern(words).finditer(piece):
        parts += [(piece[done : found.start()], False), (found.group(), True)]
        done = found.end()
    parts.append((piece[done:], False))
    return Snippet(tuple(part for part in parts if part[0]), (begin > 0, end < len(text)))


def _first(text: str, words: Sequence[str]) -> int | None:
    found = _pattern(words).search(text)
    return found.start() if found else None


def _holds(text: str, words: Sequence[str]) -> bool:
    known = set(words_in(text))
    *whole, last = words
    return all(word in known for word in whole) and any(word.startswith(last) for word in known)


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    *whole, last = (re.escape(word) for word in words)
    choices = [rf"(?<![^\W_]){word}(?![^\W_])" for word in whole] + [rf"(?<![^\W_]){last}[^\W_]*"]
    return re.compile("|".join(choices), re.IGNORECASE)
