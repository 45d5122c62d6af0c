"""A project's name, how long it keeps things, and everything of it as one file."""

import asyncio
import io
import json
import threading
import tracemalloc
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import AsyncClient, Client
from django.urls import reverse

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.artifacts import add_text_artifact
from sessions.actions.errors import Refused
from sessions.actions.expiry import expire_some, expired, set_retention
from sessions.actions.purge import delete_session
from sessions.actions.rosters import save_roster
from sessions.invariants import logs_are_whole, words_match_their_digests
from sessions.models import Artifact, ArtifactVersion, Content, Event, ExportPiece, Project, ProjectExport, Session
from sessions.reports import project_export
from sessions.reports.project_export import MOST_TRIES, ask_for_export, make_exports
from sessions.worker import worker
from tests import factories
from tests.driving import until

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture
def as_owner(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def address(name: str, project: Project, *more: Any) -> str:
    return reverse(f"sessions:{name}", args=[project.slug, *more])


def age(session: Session, days: int) -> None:
    """Make the session and what it reads so many days older."""
    by = timedelta(days=days)
    Session.objects.filter(pk=session.pk).update(finished_at=F("finished_at") - by, created_at=F("created_at") - by)
    ArtifactVersion.objects.filter(pk__in=session.sources.values("version")).update(created_at=F("created_at") - by)


# --- name


def test_a_project_is_renamed_and_keeps_its_slug(as_owner: Client, project: Project) -> None:
    as_owner.post(address("settings", project), {"name": "  Saw   mill "})
    project.refresh_from_db()
    assert (project.name, project.slug) == ("Saw mill", "paper-mill")


def test_a_name_that_is_none_is_refused_and_kept_in_the_field(as_owner: Client, project: Project) -> None:
    answer = as_owner.post(address("settings", project), {"name": "n" * 121})
    assert (answer.status_code, "n" * 121 in answer.content.decode()) == (400, True)


# --- retention


def test_by_default_everything_stays(project: Project, reviewed: Session) -> None:
    age(reviewed, 4_000)
    assert expire_some() is False
    assert Session.objects.get().deleted_at is None


def test_what_is_too_old_loses_its_words_and_keeps_its_numbers(
    owner: User, project: Project, reviewed: Session
) -> None:
    age(reviewed, 31)
    set_retention(Actor(owner), project, 30)
    while expire_some():
        pass
    reviewed.refresh_from_db()
    assert reviewed.deleted_at is not None
    assert reviewed.cost_microcredits > 0
    assert Artifact.objects.get().deleted_at is not None
    assert not Content.objects.filter(project=project, erased_at=None).exclude(kind="standard").exists()
    assert Event.objects.filter(session=reviewed, kind="session.erased").first().data["why"] == "retention"  # type: ignore[union-attr]
    assert [*logs_are_whole(Session.objects.all()), *words_match_their_digests(Session.objects.all())] == []


def test_what_is_young_enough_stays(owner: User, project: Project, reviewed: Session) -> None:
    age(reviewed, 29)
    set_retention(Actor(owner), project, 30)
    assert expire_some() is False


def test_an_old_artifact_stays_while_a_review_that_stays_has_read_it(
    owner: User, project: Project, reviewed: Session
) -> None:
    age(reviewed, 31)
    version = ArtifactVersion.objects.get()
    factories.draft(owner, project, version)
    old = expired(project, 30)
    assert (old.sessions.count(), old.artifacts.count()) == (1, 0)


def test_what_runs_is_never_too_old(owner: User, project: Project) -> None:
    age(factories.running(owner, project), 400)
    assert expired(project, 30).sessions.count() == 0


def test_other_projects_are_left_alone(owner: User, project: Project, reviewed: Session) -> None:
    age(reviewed, 400)
    set_retention(Actor(owner), factories.project(owner, "Other"), 1)
    assert expire_some() is False


def test_a_worker_erases_what_is_too_old(owner: User, project: Project, reviewed: Session) -> None:
    age(reviewed, 31)
    set_retention(Actor(owner), project, 30)
    worker()
    until(lambda: Artifact.objects.get().deleted_at is not None)


def test_the_page_says_what_would_go_before_it_is_switched_on(
    as_owner: Client, project: Project, reviewed: Session
) -> None:
    age(reviewed, 31)
    page = as_owner.get(address("settings", project), {"days": "30"}).content.decode()
    assert "1 session, 1 artifact" in page
    assert Project.objects.get().retention_days is None
    as_owner.post(address("retention", project), {"days": "30"})
    assert Project.objects.get().retention_days == 30
    as_owner.post(address("retention", project), {"days": ""})
    assert Project.objects.get().retention_days is None


@pytest.mark.parametrize("days", ["0", "-3", "3651", "many", "99999999999"])
def test_days_that_make_no_sense_are_refused(days: str, as_owner: Client, project: Project) -> None:
    assert as_owner.get(address("settings", project), {"days": days}).status_code == 200
    assert as_owner.post(address("retention", project), {"days": days}).status_code == 422
    assert Project.objects.get().retention_days is None


# --- export


def make() -> None:
    asyncio.run(make_exports())


def zipped(export: ProjectExport) -> zipfile.ZipFile:
    pieces = ExportPiece.objects.filter(export=export).order_by("position").values_list("data", flat=True)
    return zipfile.ZipFile(io.BytesIO(b"".join(bytes(piece) for piece in pieces)))


def test_an_export_holds_everything(owner: User, project: Project, reviewed: Session, viewer: User) -> None:
    save_roster(project, "Three / of us", factories.seats())
    export = ask_for_export(Actor(owner), project)
    make()
    archive = zipped(export)
    assert archive.testzip() is None
    about = json.loads(archive.read("project.json"))
    assert [row["role"] for row in about["members"]] == ["owner", "viewer"]
    names = archive.namelist()
    assert "standards/policy-text-1.json" in names
    assert [name.partition("-")[0] for name in names if name.startswith("rosters/")] == ["rosters/Three"]
    (session,) = [name for name in names if name.startswith("sessions/") and name.endswith(".json")]
    assert json.loads(archive.read(session))["code"] == str(reviewed.code)
    assert archive.read(session.replace(".json", ".md")).decode().startswith("# Payment")
    (text,) = [name for name in names if name.endswith("1-pay.py")]
    assert archive.read(text).decode() == factories.CODE


def test_what_was_deleted_is_in_no_export(owner: User, project: Project, reviewed: Session) -> None:
    delete_session(Actor(owner), reviewed)
    export = ask_for_export(Actor(owner), project)
    make()
    assert not [name for name in zipped(export).namelist() if name.startswith("sessions/")]


def test_deleting_something_deletes_exports_that_hold_it(owner: User, project: Project, reviewed: Session) -> None:
    ask_for_export(Actor(owner), project)
    make()
    delete_session(Actor(owner), reviewed)
    assert (ProjectExport.objects.count(), ExportPiece.objects.count()) == (0, 0)


def test_names_lead_nowhere(owner: User, project: Project) -> None:
    add_text_artifact(Actor(owner), project, "../../etc/pass wd\u202e.py", "x = 1\n")
    export = ask_for_export(Actor(owner), project)
    make()
    assert not [name for name in zipped(export).namelist() if ".." in name or name.startswith("/") or " " in name]


def test_one_export_is_made_at_a_time(owner: User, project: Project) -> None:
    ask_for_export(Actor(owner), project)
    with pytest.raises(Refused, match="export_under_way"):
        ask_for_export(Actor(owner), project)


def test_a_large_project_needs_little_memory(owner: User, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_export, "PIECE_BYTES", 64 * 1024)
    for number in range(24):
        noise = "".join(f"{hash((number, line)):x}\n" for line in range(50_000))
        add_text_artifact(Actor(owner), project, f"{number}.txt", noise)
    export = ask_for_export(Actor(owner), project)
    tracemalloc.start()
    make()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    export.refresh_from_db()
    assert export.size > 8_000_000
    assert peak < 8_000_000


def test_an_export_that_kills_its_worker_is_given_up(owner: User, project: Project) -> None:
    ask_for_export(Actor(owner), project)
    ProjectExport.objects.update(tries=MOST_TRIES)
    make()
    assert ProjectExport.objects.get().state == "failed"


def test_a_worker_that_stops_leaves_the_export_to_another(owner: User, project: Project) -> None:
    export = ask_for_export(Actor(owner), project)
    taken = project_export._claim()
    assert taken is not None
    stop = threading.Event()
    stop.set()
    project_export._make(*taken, stop)
    export.refresh_from_db()
    assert (export.state, export.tries, export.lease_until) == ("waiting", 0, None)


def test_a_worker_makes_it_and_the_page_hands_it_out_in_pieces(
    as_owner: Client, owner: User, project: Project, reviewed: Session
) -> None:
    as_owner.post(address("export_project", project))
    worker()
    until(lambda: ProjectExport.objects.get().state == "ready")
    export = ProjectExport.objects.get()
    where = address("download_export", project, export.code)
    assert where in as_owner.get(address("settings", project)).content.decode()

    async def fetch() -> bytes:
        client = AsyncClient()
        await client.aforce_login(owner)
        answer = await client.get(where)
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="paper-mill-')
        return b"".join([part async for part in answer])  # type: ignore[attr-defined]

    content = asyncio.run(fetch())
    assert len(content) == export.size
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


def test_a_member_exports_nothing(client: Client, member: User, owner: User, project: Project) -> None:
    client.force_login(member)
    assert client.post(address("export_project", project)).status_code == 403
    export = ask_for_export(Actor(owner), project)
    assert client.get(address("download_export", project, export.code)).status_code == 403


def test_an_export_of_another_project_is_not_there(as_owner: Client, stranger: User) -> None:
    foreign = ask_for_export(Actor(stranger), Project.objects.get(slug="elsewhere"))
    make()
    mine = factories.project(User.objects.get(name="Owner"))
    assert as_owner.get(address("download_export", mine, foreign.code)).status_code == 404
