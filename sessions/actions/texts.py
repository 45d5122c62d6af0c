"""How an action keeps words: in an erasable row of their own."""

from sessions.engine.text import storable
from sessions.events import digest_of
from sessions.models import Content, Project, Session
from sessions.models.ids import uuid7
from sessions.projections import Put


def add_text(project: Project, session: Session | None, kind: str, words: str) -> Content:
    """A new erasable row for `words`, without what no database takes."""
    row = text_row(project.pk, session.pk if session else None, kind, words)
    return Content.objects.create(pk=row.pk, **row.fields)


def text_row(project_id: int, session_id: int | None, kind: str, words: str) -> Put:
    """The row for `words`, not written yet."""
    words = storable(words)
    fields = {
        "project_id": project_id,
        "session_id": session_id,
        "kind": kind,
        "text": words,
        "digest": digest_of(words),
        "size": len(words.encode("utf-8", "replace")),
    }
    return Put(Content, uuid7(), fields)
