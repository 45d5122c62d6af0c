"""Erased words are nowhere any more; ids, digests, numbers and tombstones stay, and every chain still verifies."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, connection, connections, transaction

from crucible_site.models import User
from sessions import compaction
from sessions.access import Actor
from sessions.actions import projects
from sessions.actions.artifacts import add_text_artifact
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import retry_session, start_session
from sessions.actions.projects import create_project
from sessions.actions.purge import (
    contents_of_artifact,
    delete_artifact,
    delete_project,
    delete_session,
    preview,
)
from sessions.actions.rosters import save_roster
from sessions.claims import claim
from sessions.engine.schemas import REVIEW
from sessions.invariants import violations
from sessions.models import ApiKey, ArtifactVersion, Attempt, Content, Event, Project, Session, Step
from sessions.providers.base import ProviderCall
from sessions.worker import stop_worker, worker
from tests import factories
from tests.doubles import END, ScriptedProvider, Turn, installed
from tests.driving import again, kinds, lab, queued, review, status_of, to_rest, until

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = ("canary-title", "canary-brief", "canary-focus", "canary-seat-name", "canary-seat-focus")
READ = ("canary-text", "canary-file")
WRITTEN = ("canary-lead", "canary-claim", "canary-suggestion", "canary-coverage", "canary-summary")
EVERYTHING = (*TYPED, *READ, *WRITTEN, "canary-roster", "canary-project", "canary-key")
TEXT = "def pay(amount):  # canary-text\n    return charge(amount)\n"


def speaking(call: ProviderCall) -> Turn:
    """Models that put a canary into everything they say."""
    if call.schema is None:
        return ["canary-summary: fix F-001 first.", END]
    if call.schema.name == REVIEW.name:
        words = {
            "claim": "canary-claim",
            "suggestion": "canary-suggestion",
            "evidence": "def pay(amount):  # canary-text",
        }
        return [review(call.member, coverage="canary-coverage", **words), END]
    return ['{"scope": "canary-lead", "checks": ["money"]}', END]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with installed(ScriptedProvider(play=speaking)) as scripted:
        yield scripted


@pytest.fixture
def place(owner: User) -> Project:
    project = create_project(owner, "canary-project")
    save_roster(project, "Ours", [factories.seats(*lab("a"))[0].model_copy(update={"focus": "canary-roster"})])
    factories.api_key(owner, project)
    ApiKey.objects.update(name="canary-key")
    return project


@pytest.fixture
def version(owner: User, place: Project) -> ArtifactVersion:
    return add_text_artifact(Actor(owner), place, "src/canary-file.py", TEXT)


@pytest.fixture
def session(owner: User, place: Project, version: ArtifactVersion, provider: ScriptedProvider) -> Session:
    """A finished review that left a word of every kind behind."""
    lead, reviewer = factories.seats(*lab("a", "b"))
    seats = [lead, reviewer.model_copy(update={"name": "canary-seat-name", "focus": "canary-seat-focus"})]
    draft = factories.draft(
        owner, place, version, seats=seats, title="canary-title", brief="canary-brief", params={"focus": "canary-focus"}
    )
    session = to_rest(start_session(Actor(owner), draft, dispatch=False))
    assert session.status == "completed"
    assert left_in_database() == {*EVERYTHING}
    return session


def left_in_tables() -> set[str]:
    """Which canaries stand anywhere in a dump of all tables."""
    models = apps.get_models(include_auto_created=True)
    dump = "\n".join(str(list(model._default_manager.values_list())) for model in models)
    return {canary for canary in EVERYTHING if canary in dump}


def left_in_database() -> set[str]:
    """The same; on SQLite also anywhere in its files."""
    dump = ""
    if connection.vendor == "sqlite":
        file = Path(connection.settings_dict["NAME"])
        dump = "".join(path.read_bytes().decode("latin-1") for path in (file, Path(f"{file}-wal")) if path.exists())
    return left_in_tables() | {canary for canary in EVERYTHING if canary in dump}


@pytest.fixture
def _on_sqlite(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL vacuums by itself")


# --- what goes and what stays


def test_deleting_an_artifact_erases_it_and_what_models_wrote_of_it(
    owner: User, version: ArtifactVersion, session: Session
) -> None:
    delete_artifact(Actor(owner), version.artifact)
    assert left_in_database() == {*EVERYTHING} - {*READ, *WRITTEN}
    assert session.events.latest("seq").data["why"] == "artifact"
    assert violations() == []


def test_deleting_a_session_erases_what_was_typed_and_what_models_wrote(owner: User, session: Session) -> None:
    delete_session(Actor(owner), session)
    assert left_in_database() == {"canary-text", "canary-file", "canary-roster", "canary-project", "canary-key"}
    assert violations() == []


@pytest.mark.usefixtures("_on_sqlite")
def test_rows_that_moved_between_pages_leave_no_copy_behind() -> None:
    sizes = random.Random(9)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE moving (id INTEGER PRIMARY KEY, more TEXT, title TEXT)")
        try:
            for row in range(1, 1_000):
                long = "x" * sizes.randint(200, 500)
                cursor.execute("INSERT INTO moving VALUES (%s, %s, 'canary-title')", [row, long])
                for _ in range(2):
                    long, before = "y" * sizes.randint(200, 800), sizes.randint(max(1, row - 6), row)
                    cursor.execute("UPDATE moving SET more = %s WHERE id = %s", [long, before])
            cursor.execute("UPDATE moving SET title = '(deleted)', more = ''")
            assert "canary-title" in left_in_database()
            compaction.owe()
            compaction.compact()
            assert left_in_database() == set()
        finally:
            cursor.execute("DROP TABLE moving")


@pytest.mark.usefixtures("_on_sqlite")
def test_the_search_index_forgets_words(owner: User, place: Project) -> None:
    word = "zyxcanary"  # as the index has it: in full, for want of a neighbour to share a beginning with
    version = add_text_artifact(Actor(owner), place, "a.py", f"{word} = 1  # {word.upper()}")
    index = "SELECT count(*) FROM crucible_search_data WHERE instr(block, %s)"

    def found() -> int:
        with connection.cursor() as cursor:
            return int(cursor.execute(index, [word.encode()]).fetchone()[0])

    assert found()
    delete_artifact(Actor(owner), version.artifact)
    assert not found()


@pytest.mark.usefixtures("_on_sqlite")
def test_a_file_that_is_in_use_is_compacted_later(
    owner: User, place: Project, version: ArtifactVersion, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refused(cursor: Any) -> None:
        raise OperationalError("in use")

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "_empty_log", refused)
        delete_artifact(Actor(owner), version.artifact)
    assert "the database is in use" in caplog.text
    assert "canary-text" in left_in_database()
    compaction.compact()
    assert "canary-text" not in left_in_database()


def test_deleting_a_project_erases_everything(owner: User, place: Project, session: Session) -> None:
    delete_project(Actor(owner), place)
    assert left_in_database() == set()
    assert violations() == []


def test_numbers_and_tombstones_stay(owner: User, place: Project, session: Session) -> None:
    def numbers() -> list[Any]:
        return [
            list(Attempt.objects.order_by("pk").values()),
            list(Step.objects.order_by("pk").values()),
            list(Content.objects.order_by("pk").values("pk", "digest", "size", "kind")),
            list(Event.objects.order_by("pk").values()[: Event.objects.count() - erasures]),
            session.findings.count(),
            session.reports.count(),
        ]

    erasures = 0
    before, cost = numbers(), session.cost_microcredits
    delete_project(Actor(owner), place)
    erasures = 1
    assert numbers() == before
    session.refresh_from_db()
    assert (session.cost_microcredits, session.title, kinds(session)[-1]) == (cost, "(deleted)", "session.erased")
    contents = Content.objects.filter(session=session).count()
    assert session.events.latest("seq").data == {"by": owner.pk, "why": "project", "contents": contents}


def test_other_sessions_and_projects_keep_their_words(
    owner: User, place: Project, session: Session, provider: ScriptedProvider
) -> None:
    other = to_rest(queued(owner, place, *lab("a"), title="stays"))
    elsewhere = to_rest(queued(owner, factories.project(owner, "Elsewhere"), *lab("a"), title="stays too"))
    delete_session(Actor(owner), session)
    delete_artifact(Actor(owner), session.sources.get().version.artifact)
    for kept in (other, elsewhere):
        assert not kept.contents.exclude(erased_at=None).exists()
    delete_project(Actor(owner), place)
    assert not elsewhere.contents.exclude(erased_at=None).exists()
    assert violations() == []


def test_all_versions_of_an_artifact_go(owner: User, place: Project, version: ArtifactVersion) -> None:
    add_text_artifact(Actor(owner), place, "src/canary-file.py", TEXT + "# canary-text again\n")
    delete_artifact(Actor(owner), version.artifact)
    assert not {*READ} & left_in_database()


def test_a_context_file_is_erased_with_what_was_written_of_it(
    owner: User, place: Project, provider: ScriptedProvider
) -> None:
    context = add_text_artifact(Actor(owner), place, "context.md", "canary-text")
    session = to_rest(queued(owner, place, *lab("a"), context=[context]))
    assert session.status == "completed"
    delete_artifact(Actor(owner), context.artifact)
    assert not {"canary-text", *WRITTEN} & left_in_database()
    assert violations() == []


def test_a_name_that_a_title_was_made_of_is_erased_there_too(
    owner: User, place: Project, version: ArtifactVersion
) -> None:
    factories.draft(owner, place, version, title="")
    assert "canary-file" in Session.objects.get().title
    delete_artifact(Actor(owner), version.artifact)
    assert "canary-file" not in left_in_database()


def test_the_same_text_may_come_back_after_it_was_erased(owner: User, place: Project, version: ArtifactVersion) -> None:
    delete_artifact(Actor(owner), version.artifact)
    again_there = add_text_artifact(Actor(owner), place, "src/canary-file.py", TEXT)
    assert again_there.content.text == TEXT
    assert again_there.artifact_id != version.artifact_id


def test_a_preview_counts_what_would_go(owner: User, session: Session) -> None:
    counts = preview(contents_of_artifact(session.sources.get().version.artifact))
    assert counts == {"artifact": 1, "spec": 1, "output": 4, "brief": 1, "words": 2, "examined": 2, "summary": 1}


def test_deleting_twice_changes_nothing_more(owner: User, session: Session) -> None:
    delete_session(Actor(owner), session)
    before = kinds(session)
    delete_session(Actor(owner), session)
    delete_artifact(Actor(owner), session.sources.get().version.artifact)
    delete_artifact(Actor(owner), session.sources.get().version.artifact)
    assert kinds(session) == before
    assert violations() == []


@pytest.mark.parametrize("name", ["Deleted {}", "deleted-{}", "deleted--{}", "deleted - {}"])
def test_no_name_can_keep_a_project_from_being_deleted(owner: User, place: Project, name: str) -> None:
    create_project(owner, name.format(place.pk))
    delete_project(Actor(owner), place)
    place.refresh_from_db()
    assert place.deleted_at is not None
    assert create_project(owner, "canary-project").slug == "canary-project"


# --- while somebody works


def test_a_running_session_is_stopped_first_and_writes_nothing_more(
    owner: User, place: Project, version: ArtifactVersion, provider: ScriptedProvider
) -> None:
    answered = threading.Event()
    provider.before = lambda call: answered.wait(10)
    session = start_session(
        Actor(owner), factories.draft(owner, place, version, seats=factories.seats(*lab("a"))), dispatch=False
    )
    driven = worker().submit(session.pk)
    until(lambda: provider.open)
    delete_artifact(Actor(owner), version.artifact)
    answered.set()
    driven.result(10)
    assert status_of(session) == "cancelled"
    assert not {*READ, *WRITTEN} & left_in_database()
    assert violations() == []


def test_a_page_that_is_out_of_date_does_not_erase_under_a_running_worker(
    owner: User, place: Project, version: ArtifactVersion, provider: ScriptedProvider
) -> None:
    """The object in hand is a draft; meanwhile somebody has started it and a worker has it."""
    stale = factories.draft(owner, place, version, seats=factories.seats(*lab("a")))
    start_session(Actor(owner), Session.objects.get(pk=stale.pk), dispatch=False)
    assert claim([stale.pk], "somebody").get(stale.pk)
    delete_session(Actor(owner), stale)
    assert status_of(stale) == "cancelled"
    assert violations() == []


Add = Callable[[Actor, Project], object]
# Everything that brings words into a project.
ADDITIONS: dict[str, Add] = {
    "session": lambda actor, project: factories.draft(actor.user, project, title="canary-title"),
    "artifact": lambda actor, project: add_text_artifact(actor, project, "b.py", "canary-text"),
    "roster": lambda actor, project: save_roster(project, "canary-roster", factories.seats()),
    "key": lambda actor, project: projects.create_api_key(actor, project, "canary-key", ["read"]),
}


@dataclass
class Held:
    """Something done in a transaction that stays open for as long as it is told to."""

    act: Callable[[], object]
    done: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> str:
        try:
            with transaction.atomic():
                self.act()
                self.done.set()
                self.finish.wait(10)
        except Refused as refused:
            return refused.code
        finally:
            self.done.set()
            connections.close_all()
        return "done"


def one_after_the_other(first: Callable[[], object], second: Callable[[], object]) -> list[str]:
    """What two people are told of whom the second begins while the first has not finished."""
    early, late = Held(first), Held(second)
    late.finish.set()
    with ThreadPoolExecutor(2) as pool:
        told = [pool.submit(early)]
        early.done.wait(10)
        told.append(pool.submit(late))
        time.sleep(0.3)
        assert not late.done.is_set()  # it waits for the first
        early.finish.set()
        return [future.result(20) for future in told]


@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_is_added_while_a_project_is_deleted_is_refused(owner: User, place: Project, addition: str) -> None:
    factories.demo_models()
    actor, add = Actor(owner), ADDITIONS[addition]
    told = one_after_the_other(lambda: delete_project(actor, place), lambda: add(actor, place))
    assert told[0] == "done"
    assert told[1] in {"project_deleted", "scope_too_wide"}  # nobody grants anything in a project that is gone
    assert left_in_tables() == set()


@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_was_added_before_a_project_is_deleted_goes_with_it(owner: User, place: Project, addition: str) -> None:
    factories.demo_models()
    actor, add = Actor(owner), ADDITIONS[addition]
    assert one_after_the_other(lambda: add(actor, place), lambda: delete_project(actor, place)) == ["done"] * 2
    assert left_in_tables() == set()
    assert not Session.objects.filter(project=place, deleted_at=None).exists()
    assert violations() == []


def test_a_start_that_takes_recorded_answers_does_not_wait_for_their_deletion(
    owner: User, place: Project, version: ArtifactVersion, provider: ScriptedProvider
) -> None:
    """Two that delete and start in other orders would wait for each other."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    seats = factories.seats(*lab("a"))
    recorded, again = (factories.draft(owner, place, version, seats=seats) for _ in range(2))
    worker().submit(start_session(Actor(owner), recorded, dispatch=False).pk)
    until(lambda: status_of(recorded) == "completed")
    deletion = Held(lambda: delete_session(Actor(owner), recorded))
    start = Held(lambda: start_session(Actor(owner), again, dispatch=False))
    start.finish.set()
    with ThreadPoolExecutor(2) as pool:
        deleted = pool.submit(deletion)
        deletion.done.wait(10)
        try:
            assert pool.submit(start).result(5) == "done"
        finally:
            deletion.finish.set()
        assert deleted.result(20) == "done"
    assert Session.objects.get(pk=again.pk).reuses_id == recorded.pk
    assert violations() == []


def test_a_crowd_that_starts_reviews_in_a_project_that_is_deleted_leaves_none_behind(
    owner: User, place: Project, version: ArtifactVersion, provider: ScriptedProvider
) -> None:
    seats, together, busy = factories.seats(*lab("a")), threading.Barrier(5), threading.Event()

    def start(number: int) -> None:
        together.wait(10)
        try:
            while True:
                draft = factories.draft(owner, place, version, seats=seats, title="canary-title")
                worker().submit(start_session(Actor(owner), draft, dispatch=False).pk)
                busy.set()
        except Refused:
            pass
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        people = [pool.submit(start, number) for number in range(4)]
        together.wait(10)
        assert busy.wait(30)
        delete_project(Actor(owner), place)
        for person in people:
            person.result(30)
    stop_worker()
    assert not Session.objects.filter(project=place, deleted_at=None).exists()
    assert left_in_database() == set()
    assert violations() == []


def test_a_retry_after_its_words_were_erased_fails_and_says_why(
    owner: User, session: Session, version: ArtifactVersion, provider: ScriptedProvider
) -> None:
    delete_artifact(Actor(owner), version.artifact)
    paid = len(provider.calls)
    again(owner, session)
    assert (session.status, session.reason, len(provider.calls)) == ("failed", "source_erased", paid)
    assert not {*READ, *WRITTEN} & left_in_database()
    assert violations() == []


@pytest.mark.parametrize("round_", range(3))
def test_a_retry_in_the_same_moment_leaves_no_word_behind(
    owner: User, session: Session, provider: ScriptedProvider, round_: int
) -> None:
    together = threading.Barrier(2)

    def retry() -> None:
        together.wait(10)
        try:
            retry_session(Actor(owner), Session.objects.get(pk=session.pk), dispatch=False)
            worker().submit(session.pk).result(10)
        except (Refused, Session.DoesNotExist):
            pass
        finally:
            connections.close_all()

    person = threading.Thread(target=retry)
    person.start()
    together.wait(10)
    delete_session(Actor(owner), session)
    person.join()
    assert status_of(session) in {"completed", "cancelled"}
    assert not {*TYPED, *WRITTEN} & left_in_database()
    assert violations() == []
