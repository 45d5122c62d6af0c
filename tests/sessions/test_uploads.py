"""Folders, archives and likely secrets through page and API."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.artifacts import add_text_artifact
from sessions.models import Artifact, ArtifactVersion, Project
from sessions.queries.suspects import suspects_in
from sessions.reading.ignored import vendored_directory
from sessions.reading.secrets_scan import Suspect
from tests import factories

PATH = "/api/v1/artifacts/upload"
SECRET = "Xy9-kk!2" + "hunter"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def upload(member: User, project: Project) -> Any:
    program = factories.client(member)

    def post(*files: tuple[str, bytes], paths: tuple[str, ...] = ()) -> Any:
        parts = [SimpleUploadedFile(name, data) for name, data in files]
        return program.post(PATH, {"project": project.slug, "file": parts, "file_path": list(paths)})

    return post


def names() -> list[str]:
    return sorted(Artifact.objects.values_list("name", flat=True))


def test_a_folder_keeps_its_places(upload: Any) -> None:
    reply = upload(("a.py", b"a = 1\n"), ("a.py", b"b = 1\n"), paths=("app/a.py", "app/lib/a.py"))
    assert (reply.status_code, [row["name"] for row in reply.json()["artifacts"]]) == (
        201,
        ["app/a.py", "app/lib/a.py"],
    )


def test_what_is_passed_over_is_named_with_its_reason(upload: Any) -> None:
    reply = upload(("a.py", b"a = 1\n"), ("x.js", b"x"), paths=("app/a.py", "app/node_modules/x.js"))
    (unread,) = reply.json()["unread"]
    assert (unread["name"], unread["code"], unread["ignored"], bool(unread["message"])) == (
        "app/node_modules",
        "vendored",
        True,
        True,
    )


def test_a_path_that_leads_out_is_made_harmless(upload: Any) -> None:
    upload(("a.py", b"a = 1\n"), paths=("../../etc/a.py",))
    assert names() == ["etc/a.py"]


def test_paths_that_do_not_fit_the_files_are_left_alone(upload: Any) -> None:
    upload(("a.py", b"a = 1\n"), paths=("x/a.py", "x/b.py"))
    assert names() == ["a.py"]


def test_nothing_readable_is_refused_with_the_reasons(upload: Any) -> None:
    fault = upload(("a.png", b"\x89PNG\r\n\x1a\n")).json()["error"]
    assert (fault["code"], "PNG" in fault["message"]) == ("nothing_readable", True)


def test_no_file_is_refused(upload: Any) -> None:
    assert upload().json()["error"]["code"] == "no_file"


def test_likely_secrets_are_told_by_place_and_never_repeated(upload: Any) -> None:
    reply = upload(("settings.py", f'DEBUG = True\nDB_PASSWORD = "{SECRET}"\n'.encode()))
    assert reply.json()["likely_secrets"] == [{"path": "settings.py", "line": 2, "kind": "password or key"}]
    assert SECRET not in reply.content.decode()


FOLDER = (
    *((f"app/part{number}.py", b"a = 1\n") for number in range(8)),
    ("app/conf.py", f'DB_PASSWORD = "{SECRET}"\n'.encode()),
    ("app/.env", b"MODE=live\n"),
)
SECRET_FIRST = ["app/.env", "app/conf.py", "app/part0.py"]


def test_what_holds_likely_secrets_comes_before_the_other_files(upload: Any) -> None:
    reply = upload(*FOLDER, paths=tuple(path for path, _ in FOLDER)).json()
    assert [row["name"] for row in reply["artifacts"]][:3] == SECRET_FIRST
    assert [row["path"] for row in reply["likely_secrets"]] == SECRET_FIRST[:2]


def test_the_estimate_names_likely_secrets_and_what_holds_them_first(
    upload: Any, member: User, project: Project
) -> None:
    factories.real_model()
    upload(*FOLDER, paths=tuple(path for path, _ in FOLDER))
    codes = [str(code) for code in Artifact.objects.order_by("pk").values_list("code", flat=True)]
    body = {"project": project.slug, "artifacts": codes, "roster": [{"name": "L", "model_id": "lab/large"}]}
    told = factories.client(member).post("/api/v1/estimates", orjson.dumps(body), "application/json").json()
    assert [one["name"] for one in told["sent"]][:3] == SECRET_FIRST
    assert [(one["path"], one["kind"]) for one in told["likely_secrets"]] == [
        ("app/.env", "value of a .env file"),
        ("app/conf.py", "password or key"),
    ]


def test_a_version_remembers_how_many_it_holds(owner: User, project: Project) -> None:
    version = add_text_artifact(Actor(owner), project, "settings.py", f'DB_PASSWORD = "{SECRET}"\n')
    assert ArtifactVersion.objects.get(pk=version.pk).likely_secrets == 1
    assert suspects_in([version]) == [Suspect("settings.py", 1, "password or key")]


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404)])
def test_who_may_not_write_uploads_nothing(
    who: str, status: int, project: Project, request: pytest.FixtureRequest
) -> None:
    program = factories.client(request.getfixturevalue(who))
    reply = program.post(PATH, {"project": project.slug, "file": SimpleUploadedFile("a.py", b"a = 1\n")})
    assert reply.status_code == status


# --- the page ------------------------------------------------------------------------------------------------------


def test_a_page_says_what_it_passed_over(member: User, project: Project, client: Client) -> None:
    client.force_login(member)
    sent = {
        "files": [SimpleUploadedFile("a.py", b"a = 1\n"), SimpleUploadedFile("logo.png", b"x")],
        "files_path": ["app/a.py", "app/logo.png"],
        "files_skipped": ["app/node_modules"],
    }
    page = client.post(f"/projects/{project.slug}/artifacts/", sent, follow=True).content.decode()
    assert "app/node_modules" in page
    assert "app/logo.png" in page
    assert names() == ["app/a.py"]


def test_the_page_lists_what_holds_likely_secrets_before_anything_else_is_sent(
    member: User, project: Project, client: Client
) -> None:
    client.force_login(member)
    files = [SimpleUploadedFile(path.rpartition("/")[2], data) for path, data in FOLDER]
    dropped = {"go": "drop", "files": files, "files_path": [path for path, _ in FOLDER]}
    page = client.post(f"/projects/{project.slug}/new/", dropped, follow=True).content.decode()
    listed = page.partition('class="list chosen"')[2].partition("</ul>")[0]
    assert re.findall(r'list-main">([^<]+)<', listed)[:3] == SECRET_FIRST
    assert listed.count("1 likely secret<") == 2


def test_the_page_leaves_out_only_what_the_server_would() -> None:
    listed = re.search(r"new Set\(\[(.*?)\]\)", (ROOT / "static" / "js" / "folders.js").read_text())
    assert listed is not None
    skipped = re.findall(r'"([^"]+)"', listed[1])
    assert [name for name in skipped if not vendored_directory(f"{name}/x")] == []
