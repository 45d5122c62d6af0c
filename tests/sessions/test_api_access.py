"""Who gets what on every address of the API: the table is complete, or the first test fails."""

from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crucible_site.api import api
from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.invitations import invite
from sessions.actions.templates import save_template
from sessions.catalog.roster_yaml import to_yaml
from sessions.models import Project, Session
from tests import factories

# method and path -> grants that are enough; "" needs a key only
ROUTES = {
    "GET /models": "",
    "GET /search": "",
    "POST /models": "",
    "POST /models/offers": "",
    "POST /models/test": "",
    "GET /projects": "",
    "GET /projects/{slug}": "read",
    "GET /projects/{slug}/settings": "read",
    "POST /projects/{slug}/settings": "manage",
    "GET /projects/{slug}/invitations": "manage",
    "POST /projects/{slug}/invitations": "manage",
    "DELETE /projects/{slug}/invitations/{invitation}": "manage",
    "POST /projects/{slug}/exports": "manage",
    "GET /projects/{slug}/exports/{export}": "manage",
    "GET /projects/{slug}/exports/{export}/file": "manage",
    "GET /projects/{slug}/unpackings/{unpacking}": "write",
    "GET /artifacts": "read",
    "POST /artifacts": "write",
    "POST /artifacts/upload": "write",
    "POST /pull-requests": "write",
    "GET /artifacts/{artifact}": "read",
    "DELETE /artifacts/{artifact}": "manage",
    "GET /rosters": "read",
    "POST /rosters": "write",
    "GET /rosters/best": "read",
    "POST /rosters/yaml": "write",
    "GET /rosters/{roster}": "read",
    "GET /rosters/{roster}/yaml": "read",
    "DELETE /rosters/{roster}": "write",
    "GET /templates": "read",
    "POST /templates": "write",
    "PATCH /templates/{template}": "write",
    "DELETE /templates/{template}": "write",
    "POST /estimates": "write",
    "GET /sessions": "read",
    "POST /sessions": "write",
    "GET /sessions/{session}": "read",
    "DELETE /sessions/{session}": "manage",
    "POST /sessions/{session}/start": "write",
    "POST /sessions/{session}/stop": "write",
    "POST /sessions/{session}/retry": "write",
    "POST /sessions/{session}/continue": "write",
    "POST /sessions/{session}/settle": "write",
    "POST /sessions/{session}/fork": "write",
    "GET /sessions/{session}/findings": "read",
    "POST /sessions/{session}/findings/{label}/decide": "write",
    "POST /sessions/{session}/findings/{label}/regrade": "write",
    "POST /sessions/{session}/findings/{label}/join": "write",
    "POST /sessions/{session}/findings/{label}/split": "write",
    "POST /sessions/{session}/findings/{label}/comments": "write",
    "POST /sessions/{session}/opinions": "write",
    "GET /sessions/{session}/gate": "read",
    "POST /sessions/{session}/gate": "write",
    "POST /sessions/{session}/gate/decisions": "approve",
    "GET /projects/{slug}/gate-policies": "read",
    "POST /projects/{slug}/gate-policies": "manage",
    "GET /projects/{slug}/standards": "read",
    "POST /projects/{slug}/standards": "write",
    "GET /projects/{slug}/standards/{key}": "read",
    "POST /projects/{slug}/standards/{key}/versions": "write",
    "POST /projects/{slug}/standards/{key}/retire": "write",
    "GET /sessions/{certified}/certificate": "read",
    "GET /sessions/{deliberated}/decision": "read",
    "GET /sessions/{deliberated}/rounds": "read",
    "GET /sessions/{session}/analytics": "read",
    "GET /sessions/{session}/export": "read",
    "GET /sessions/{session}/events": "read",
}
SCOPED = [route for route, need in ROUTES.items() if need]
WRITES = [route for route, need in ROUTES.items() if need in {"write", "approve", "manage"}]
CODES = ("artifact", "roster", "session", "certified", "deliberated", "invitation", "export", "template", "unpacking")
MISSING = "00000000-0000-4000-8000-000000000000"


class World:
    """One project with one of everything, and how to ask for it."""

    def __init__(self, owner: User, project: Project, session: Session) -> None:
        version = factories.artifact(owner, project)
        roster = project.rosters.create(name="Three", seats=[seat.model_dump() for seat in factories.seats()])
        self.codes = {
            "slug": project.slug,
            "artifact": str(version.artifact.code),
            "roster": str(roster.code),
            "session": str(session.code),
            "label": "F-001",
            "key": "policy-text",
            "certified": str(factories.certified(owner, project).code),
            "deliberated": str(factories.deliberated(owner, project).code),
            "template": str(save_template(Actor(owner), session, "House").code),
            "invitation": str(invite(Actor(owner), project, "member")[0].code),
            "export": str(project.exports.create(asked_by=owner, state="ready").code),
            "unpacking": str(project.unpackings.create(asked_by=owner, name="all.zip", data=b"").code),
        }
        self.bodies: dict[str, Any] = {
            "/artifacts": {"project": project.slug, "name": "a.py", "text": "x = 1\n"},
            "/rosters": {"project": project.slug, "name": "R", "seats": roster.seats},
            "/rosters/best": {"project": project.slug},
            "/rosters/yaml": {"project": project.slug, "yaml": to_yaml("R", factories.seats())},
            "/sessions": {
                "project": project.slug,
                "kind": "review",
                "roster": roster.seats,
                "artifacts": [self.codes["artifact"]],
            },
        }
        finding = "/sessions/{session}/findings/{label}"
        self.bodies |= {
            "/templates": {"session": self.codes["session"], "name": "Another"},
            "/templates/{template}": {"name": "Renamed"},
            "/pull-requests": {"project": project.slug, "pull_request": "7"},
            f"{finding}/decide": {"status": "to_fix"},
            f"{finding}/regrade": {"severity": "minor"},
            f"{finding}/join": {"into": "F-002"},
            f"{finding}/split": {"reports": ["A-1"]},
            f"{finding}/comments": {"text": "Look here."},
            "/sessions/{session}/opinions": {"findings": ["F-001"]},
            "/sessions/{session}/gate": {"policy": "ci"},
            "/sessions/{session}/gate/decisions": {"act": "approve", "shown": ""},
            "/projects/{slug}/gate-policies": {"key": "release", "label": "Release"},
            "/projects/{slug}/standards": {"name": "House", "criteria": factories.CRITERIA},
            "/projects/{slug}/standards/{key}/versions": {"criteria": factories.CRITERIA},
        }
        self.bodies["/estimates"] = {name: value for name, value in self.bodies["/sessions"].items() if name != "kind"}

    def ask(self, client: Client, route: str, **codes: str) -> Any:
        method, path = route.split(" ")
        query = f"?project={self.codes['slug']}" if method == "GET" and path in self.bodies and "{" not in path else ""
        url = "/api/v1" + path.format(**self.codes | codes) + query
        if route == "POST /artifacts/upload":
            return client.post(url, {"project": self.codes["slug"], "file": SimpleUploadedFile("a.py", b"x = 1\n")})
        body = self.bodies.get(path, {}) if method in ("POST", "PATCH") else None
        return client.generic(method, url, b"" if body is None else orjson.dumps(body), "application/json")


@pytest.fixture
def world(owner: User, project: Project, reviewed: Session) -> World:
    return World(owner, project, reviewed)


def test_every_operation_stands_in_the_table() -> None:
    documented = api.get_openapi_schema(path_prefix="/api/")["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in documented.items() for method in methods}
    names = {"artifacts": "artifact", "rosters": "roster", "sessions": "session"}
    names |= {"invitations": "invitation", "exports": "export", "templates": "template", "unpackings": "unpacking"}
    table = set()
    for route in ROUTES:
        for noun, name in names.items():
            route = route.replace(f"/{noun}/{{{name}}}", f"/{noun}/{{code}}")
        for kind in ("certified", "deliberated"):
            route = route.replace(f"{{{kind}}}", "{code}")
        table.add(route.replace(" /", " /api/v1/"))
    assert operations == table


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_gets_anything_without_credentials(route: str, world: World) -> None:
    reply = world.ask(Client(), route)
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize("route", SCOPED)
def test_a_stranger_gets_the_404_of_what_does_not_exist(route: str, world: World, stranger: User) -> None:
    client = factories.client(stranger)
    foreign = world.ask(client, route).json()["error"]
    if "{" in route:
        missing = world.ask(client, route, slug="nowhere", **dict.fromkeys(CODES, MISSING))
        assert missing.status_code == 404
        assert {**missing.json()["error"], "request_id": ""} == {**foreign, "request_id": ""}
    assert foreign["code"] == "not_found"


@pytest.mark.parametrize("route", WRITES)
def test_a_reader_may_not_write(route: str, world: World, viewer: User) -> None:
    reply = world.ask(factories.client(viewer), route)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "denied")


@pytest.mark.parametrize("route", WRITES)
def test_a_reading_key_of_an_owner_may_not_write(route: str, world: World, owner: User) -> None:
    assert world.ask(factories.client(owner, "read"), route).status_code == 403


@pytest.mark.parametrize("route", [route for route in SCOPED if route not in WRITES])
def test_a_reader_may_read(route: str, world: World, viewer: User) -> None:
    assert world.ask(factories.client(viewer), route).status_code == 200


@pytest.mark.parametrize("route", ["DELETE /artifacts/{artifact}", "DELETE /sessions/{session}"])
def test_a_member_may_not_delete(route: str, world: World, member: User) -> None:
    assert world.ask(factories.client(member), route).status_code == 403


@pytest.mark.parametrize("path", sorted({route.split(" ")[1] for route in ROUTES}))
def test_a_wrong_method_is_refused_in_our_shape(path: str, world: World, owner: User) -> None:
    reply = world.ask(factories.client(owner), f"PUT {path}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "PUT" not in reply.headers["Allow"]


@pytest.mark.parametrize("route", SCOPED)
def test_a_key_of_another_project_reaches_nothing_here(route: str, world: World, owner: User) -> None:
    elsewhere = factories.project(owner, "Another of the owner's")
    client = Client(headers={"Authorization": f"Bearer {factories.api_key(owner, elsewhere)}"})
    assert world.ask(client, route).status_code == 404


def test_a_key_lists_its_own_project_only(owner: User, project: Project) -> None:
    factories.project(owner, "Another")
    listed = factories.client(owner).get("/api/v1/projects").json()["projects"]
    assert [row["slug"] for row in listed] == [project.slug]


def test_somebody_signed_in_reads_without_a_key(client: Client, owner: User, project: Project) -> None:
    client.force_login(owner)
    assert client.get(f"/api/v1/projects/{project.slug}").json()["grants"] == [
        "approve",
        "manage",
        "own",
        "read",
        "write",
    ]


def test_a_signed_in_write_needs_the_csrf_token(world: World, owner: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    reply = world.ask(browser, "POST /artifacts")
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "csrf")


def test_a_signed_in_write_passes_with_the_csrf_token(world: World, owner: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    browser.get("/api/docs")
    token = next(cookie.value for name, cookie in browser.cookies.items() if name.endswith("_csrf"))
    reply = browser.post(
        "/api/v1/artifacts", world.bodies["/artifacts"], "application/json", headers={"X-CSRFToken": token}
    )
    assert reply.status_code == 201


def test_a_key_needs_no_csrf_token(world: World, owner: User) -> None:
    key = factories.api_key(owner, Project.objects.get(slug=world.codes["slug"]))
    program = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {key}"})
    assert world.ask(program, "POST /artifacts").status_code == 201


def test_a_wrong_key_is_not_saved_by_a_cookie(client: Client, owner: User) -> None:
    client.force_login(owner)
    reply = client.get("/api/v1/models", headers={"Authorization": "Bearer cru_wrong"})
    assert reply.status_code == 401


def test_a_key_ends_with_its_owners_membership(member: User, project: Project) -> None:
    client = factories.client(member)
    project.memberships.filter(user=member).delete()
    assert client.get("/api/v1/models").status_code == 401


def test_a_switched_off_person_gets_nothing(member: User) -> None:
    client = factories.client(member)
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert client.get("/api/v1/projects").status_code == 401
