"""Artifacts through the API."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crucible_site.models import User
from sessions.models import Content, Project
from tests import factories

PATH = "/api/v1/artifacts"


@pytest.fixture
def program(member: User) -> Client:
    return factories.client(member)


@pytest.fixture
def send(program: Client, project: Project) -> Any:
    def post(**fields: Any) -> Any:
        return program.post(PATH, {"project": project.slug, **fields}, "application/json")

    return post


def test_a_text_becomes_an_artifact(send: Any) -> None:
    reply = send(name="src/pay.py", text="a = 1\nb = 2\n")
    assert reply.status_code == 201
    document = reply.json()
    assert (document["name"], document["kind"]) == ("src/pay.py", "code")
    assert (document["version"]["number"], document["version"]["lines"]) == (1, 2)


def test_the_kind_can_be_given(send: Any) -> None:
    assert send(name="notes", text="a = 1\n", kind="document").json()["kind"] == "document"


def test_another_text_under_the_same_name_is_a_new_version(send: Any) -> None:
    first, second = send(name="a.py", text="a = 1\n").json(), send(name="a.py", text="a = 2\n").json()
    assert (second["code"], second["version"]["number"]) == (first["code"], 2)


def test_the_same_text_is_the_same_version(send: Any) -> None:
    assert send(name="a.py", text="a = 1\n").json() == send(name="a.py", text="a = 1\n").json()


def test_a_file_can_be_uploaded(program: Client, project: Project) -> None:
    file = SimpleUploadedFile("caf\u00e9.md", b"# Title\n")
    reply = program.post(PATH, {"project": project.slug, "file": file})
    assert (reply.status_code, reply.json()["name"], reply.json()["kind"]) == (201, "caf\u00e9.md", "document")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\u202eexe.py", "C:\\secret\\a.py", "x" * 900 + ".py"])
def test_a_hostile_name_is_made_harmless(name: str, send: Any) -> None:
    kept = send(name=name, text="a = 1\n").json()["name"]
    assert ".." not in kept
    assert not kept.startswith("/")
    assert "\u202e" not in kept
    assert len(kept) <= 200


def test_a_form_without_a_file_says_what_to_send(program: Client, project: Project) -> None:
    reply = program.post(PATH, {"project": project.slug})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "no_file")


def test_a_form_with_a_bad_field_is_a_400(program: Client, project: Project) -> None:
    file = SimpleUploadedFile("a.py", b"a = 1\n")
    reply = program.post(PATH, {"project": project.slug, "file": file, "kind": "picture"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid")


def test_what_cannot_be_read_is_said_with_its_reason(program: Client, project: Project) -> None:
    file = SimpleUploadedFile("a.bin", b"\x00\x01\x02\xff" * 100)
    reply = program.post(PATH, {"project": project.slug, "file": file})
    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "binary"


def test_an_empty_text_is_refused(send: Any) -> None:
    reply = send(name="a.py", text="")
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "empty")


def test_the_list_is_newest_first_and_leaves_deleted_ones_out(program: Client, owner: User, project: Project) -> None:
    gone = factories.artifact(owner, project, "gone.py").artifact
    for name in ("one.py", "two.py"):
        factories.artifact(owner, project, name)
    factories.client(owner).delete(f"{PATH}/{gone.code}")
    rows = program.get(f"{PATH}?project={project.slug}").json()["artifacts"]
    assert [row["name"] for row in rows] == ["two.py", "one.py"]


def test_one_artifact_has_its_versions_and_newest_text(send: Any, program: Client) -> None:
    code = send(name="a.py", text="a = 1\n").json()["code"]
    send(name="a.py", text="a = 2\n")
    document = program.get(f"{PATH}/{code}").json()
    assert document["text"] == "a = 2\n"
    assert [version["number"] for version in document["versions"]] == [2, 1]


def test_deleting_erases_the_text(owner: User, project: Project) -> None:
    version, client = factories.artifact(owner, project), factories.client(owner)
    assert client.delete(f"{PATH}/{version.artifact.code}").status_code == 204
    assert Content.objects.get(pk=version.content_id).text == ""
    assert client.get(f"{PATH}/{version.artifact.code}").status_code == 404
