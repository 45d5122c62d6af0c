"""How an action appends events: under the session's row lock, with the projections, in the caller's transaction."""

from datetime import UTC, datetime

from django.db import connection, transaction

from sessions import events, live, rows
from sessions.models import Event, Session
from sessions.projections import Change, Occurred, Patch, project
from sessions.writer import LOGGED, Draft

# What happens to a session or its gate may need somebody, or nobody any more.
NEEDS = ("gate.", "session.")


def append(session: Session, drafts: list[Draft], changes: list[Change] | None = None) -> int:
    """Append `drafts` to the session's log and write what follows from them. Returns the last number taken.

    The caller holds a transaction. The update of `next_seq` takes the row lock, so commit order is number order;
    rings after the commit.
    """
    assert connection.in_atomic_block
    now = datetime.now(UTC)
    table = connection.ops.quote_name(Session._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET next_seq = next_seq + %s WHERE id = %s RETURNING next_seq, chain_head",  # noqa: S608
            [len(drafts), session.pk],
        )
        next_seq, head = cursor.fetchone()
    logged, follow = [], list(changes or [])
    for seq, draft in enumerate(drafts, start=next_seq - len(drafts)):
        data = events.checked(draft.kind, draft.data)
        head = events.link(head, seq, draft.kind, now, data)
        row = {"session_id": session.pk, "seq": seq, "kind": draft.kind, "key": draft.key, "data": data}
        logged.append(row | {"digest": head, "at": now})
        follow.extend(project(Occurred(session.pk, session.code, draft.kind, data, now)))
    rows.append(Event, logged)
    rows.apply([*follow, Patch(Session, {"id": session.pk}, {"chain_head": head})])
    session.next_seq, session.chain_head = next_seq, head
    last = next_seq - 1
    told = [{name: row[name] for name in LOGGED} for row in logged]
    transaction.on_commit(lambda: live.ring(session.code, last, told))
    if any(draft.kind.startswith(NEEDS) for draft in drafts):
        transaction.on_commit(lambda: live.needs_changed(session.project_id))
    return int(last)
