"""The full-text index over what people search: artifacts, findings and summaries.

It holds words, never text: a text lives once, in its Content row, and the database itself takes a row's words out of
the index when it is erased. Made after every migrate, like the triggers of `sessions.append_only`.

A word is a run of letters and digits, in both databases: PostgreSQL's own parser would keep `payments.py` whole, and
SQLite's would not. Of a long text the beginning is found.
"""

import re
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

CONTENT = "crucible_sessions_content"
# Kinds of Content that are found.
KINDS = ("artifact", "words", "summary")
# Characters. PostgreSQL takes no more than a megabyte of distinct words a row.
INDEXED = 300_000
MOST_WORDS = 12

_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)
# ASCII's punctuation by ranges: what a letter is beyond it depends on the database's locale.
_VECTOR = rf"to_tsvector('simple', regexp_replace(left(text, {INDEXED}), '[\s!-/:-@\[-`{{-~]+', ' ', 'g'))"
_WHERE = f"kind IN ({_KINDS}) AND erased_at IS NULL"
_WORD = re.compile(r"[^\W_]+")

# FTS5 finds rows by number; a Content row has none of its own that lasts.
_SQLITE = (
    "CREATE TABLE IF NOT EXISTS crucible_search_row (id INTEGER PRIMARY KEY, content TEXT NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE IF NOT EXISTS crucible_search USING fts5(text, content='', tokenize='unicode61')",
)
_PUT = (
    "INSERT INTO crucible_search_row (content) VALUES (new.id);"
    " INSERT INTO crucible_search (rowid, text)"
    f" SELECT id, substr(new.text, 1, {INDEXED}) FROM crucible_search_row WHERE content = new.id;"
)
# An index without texts is told what to forget.
_TAKE = (
    "INSERT INTO crucible_search (crucible_search, rowid, text)"
    f" SELECT 'delete', id, substr(old.text, 1, {INDEXED}) FROM crucible_search_row WHERE content = old.id;"
    " DELETE FROM crucible_search_row WHERE content = old.id;"
)
_TRIGGERS = {
    "put": f"AFTER INSERT ON {CONTENT} WHEN new.kind IN ({_KINDS}) AND new.text <> '' BEGIN {_PUT} END",
    "take": f"BEFORE UPDATE OF text ON {CONTENT} WHEN old.text <> new.text BEGIN {_TAKE} END",
    "change": (
        f"AFTER UPDATE OF text ON {CONTENT} WHEN old.text <> new.text AND new.kind IN ({_KINDS}) AND new.text <> ''"
        f" BEGIN {_PUT} END"
    ),
    "drop": f"BEFORE DELETE ON {CONTENT} BEGIN {_TAKE} END",
}


def install(using: str = "default", **_: Any) -> None:
    """The `post_migrate` receiver. Indexes what was there before the index."""
    connection = connections[using]
    if CONTENT not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        for statement in _statements(connection):
            cursor.execute(statement)


def _statements(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor == "postgresql":
        return [f"CREATE INDEX IF NOT EXISTS crucible_search ON {CONTENT} USING gin ({_VECTOR}) WHERE {_WHERE}"]
    missing = (
        f"SELECT id, text FROM {CONTENT}"  # noqa: S608
        f" WHERE {_WHERE} AND text <> '' AND id NOT IN (SELECT content FROM crucible_search_row)"
    )
    return [
        *_SQLITE,
        *(
            statement
            for name, body in _TRIGGERS.items()
            for statement in (
                f"DROP TRIGGER IF EXISTS crucible_search_{name}",
                f"CREATE TRIGGER crucible_search_{name} {body}",
            )
        ),
        f"INSERT INTO crucible_search_row (content) SELECT id FROM ({missing})",  # noqa: S608
        "INSERT INTO crucible_search (rowid, text)"
        f" SELECT r.id, substr(c.text, 1, {INDEXED}) FROM crucible_search_row r JOIN {CONTENT} c ON c.id = r.content"
        " WHERE r.id NOT IN (SELECT id FROM crucible_search_docsize)",
    ]


def words_in(text: str) -> list[str]:
    """In small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def words_of(query: str) -> list[str]:
    """What is looked for; the last one may be the beginning of a word."""
    return words_in(query)[:MOST_WORDS]


def matching(connection: BaseDatabaseWrapper, words: list[str]) -> tuple[str, list[Any]]:
    """A condition on Content, as SQL and its parameters: every word is in it, the last one at least as a beginning.
    `words` are from `words_of`, and at least one."""
    if connection.vendor == "postgresql":
        return f"{_WHERE} AND {_VECTOR} @@ to_tsquery('simple', %s)", [" & ".join(words) + ":*"]
    quoted = " ".join(f'"{word}"' for word in words) + "*"
    found = (
        "SELECT r.content FROM crucible_search s JOIN crucible_search_row r ON r.id = s.rowid"
        " WHERE crucible_search MATCH %s"
    )
    return f"{_WHERE} AND {CONTENT}.id IN ({found})", [quoted]
