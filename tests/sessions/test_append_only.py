"""The event log is refused to everybody who would rewrite it, by the database itself."""

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, connections, transaction

from crucible_site.models import User
from sessions import append_only
from sessions.checks import append_only_triggers_stand
from sessions.models import Event, Project, Session
from tests import factories

pytestmark = pytest.mark.django_db

TABLE = Event._meta.db_table
REWRITES: dict[str, Callable[[Event], object]] = {
    "save": lambda event: event.save(),
    "update": lambda event: Event.objects.filter(pk=event.pk).update(kind="session.failed"),
    "delete": lambda event: event.delete(),
    "delete many": lambda event: Event.objects.filter(session=event.session_id).delete(),
    "raw update": lambda event: run(f"UPDATE {TABLE} SET data = '{{}}' WHERE id = {event.pk}"),
    "raw delete": lambda event: run(f"DELETE FROM {TABLE} WHERE id = {event.pk}"),
    "insert over it": lambda event: Event.objects.bulk_create(
        [Event(pk=event.pk, session_id=event.session_id, seq=event.seq, kind="x", data={}, digest="", at=event.at)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["kind"],
    ),
}


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def event(owner: User, project: Project) -> Event:
    return factories.draft(owner, project).events.get(kind="session.created")


def refused(rewrite: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            rewrite()
    except DatabaseError as error:
        return "append-only" in str(error)
    return False


@pytest.mark.parametrize("way", REWRITES)
def test_an_event_is_not_rewritten(event: Event, way: str) -> None:
    before = list(Event.objects.values())
    assert refused(lambda: REWRITES[way](event))
    assert list(Event.objects.values()) == before


@pytest.mark.parametrize("verb", ["REPLACE", "INSERT OR REPLACE"])
def test_sqlites_replace_is_a_rewrite_too(event: Event, verb: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has it")
    columns = "id, session_id, seq, kind, data, digest, at"
    sql = f"{verb} INTO {TABLE} ({columns}) SELECT id, session_id, seq, 'x', data, digest, at FROM {TABLE}"
    assert refused(lambda: run(sql))
    event.refresh_from_db()
    assert event.kind == "session.created"


@pytest.mark.postgres
@pytest.mark.parametrize("cascade", ["", " CASCADE"])
def test_postgresqls_truncate_is_a_rewrite_too(event: Event, cascade: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has only DELETE")
    run("SET CONSTRAINTS ALL IMMEDIATE")
    assert refused(lambda: run(f"TRUNCATE {TABLE}{cascade}"))
    assert refused(lambda: run(f"TRUNCATE {Session._meta.db_table} CASCADE"))
    assert Event.objects.filter(pk=event.pk).exists()


@pytest.mark.postgres
def test_a_purge_may_truncate(event: Event) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has only DELETE")
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with append_only.purge():
        run(f"TRUNCATE {TABLE}")
    assert not Event.objects.exists()


def test_a_purge_opens_the_log_and_its_end_closes_it(event: Event) -> None:
    with append_only.purge():
        Event.objects.filter(pk=event.pk).delete()
    later = factories.draft(event.session.created_by, event.session.project).events.get()
    assert refused(lambda: later.delete())


def test_a_purge_that_fails_closes_the_log_and_undoes_itself(event: Event) -> None:
    with pytest.raises(ZeroDivisionError), append_only.purge():  # noqa: PT012 - the block is what fails
        event.delete()
        raise ZeroDivisionError
    assert Event.objects.filter(seq=1).exists()
    assert refused(lambda: Event.objects.all().delete())


def test_a_purge_inside_a_purge_leaves_the_outer_one_open(event: Event) -> None:
    with append_only.purge():
        with append_only.purge():
            pass
        Event.objects.filter(pk=event.pk).delete()
    assert not Event.objects.filter(pk=event.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_purge_opens_nothing_for_others(event: Event) -> None:
    outcome: list[bool] = []

    def other() -> None:
        outcome.append(refused(lambda: Event.objects.filter(pk=-1).update(kind="x") or event.delete()))
        connections.close_all()

    with append_only.purge():
        if connection.vendor == "sqlite":
            pytest.skip("one writer at a time: the other would wait for this transaction")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert outcome == [True]


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_is_guarded_too(event: Event) -> None:
    connection.close()
    assert refused(lambda: event.delete())


@pytest.mark.parametrize("verb", ["update", "delete", "truncate"])
def test_a_missing_trigger_is_a_failed_check(event: Event, verb: str) -> None:
    if verb not in dict(append_only.VERBS[connection.vendor]):
        pytest.skip(f"{connection.vendor} has no {verb}")
    assert append_only_triggers_stand(databases=["default"]) == []
    on_table = f" ON {TABLE}" if connection.vendor == "postgresql" else ""
    run(f"DROP TRIGGER {TABLE}_{verb}{on_table}")
    assert [message.id for message in append_only_triggers_stand(databases=["default"])] == ["crucible.E003"]
    append_only.install()
    assert append_only_triggers_stand(databases=["default"]) == []


@pytest.mark.postgres
def test_a_disabled_trigger_is_a_failed_check(event: Event) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite cannot disable a trigger")
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")
    assert append_only_triggers_stand(databases=["default"])


def test_installing_again_changes_nothing(event: Event) -> None:
    append_only.install()
    assert refused(lambda: event.delete())
    assert Session.objects.get().events.count() == 1
