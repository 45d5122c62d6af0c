"""Saved rosters through the API."""

from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.models import Project
from tests import factories

PATH = "/api/v1/rosters"


@pytest.fixture
def program(member: User) -> Client:
    return factories.client(member)


@pytest.fixture
def save(program: Client, project: Project) -> Any:
    def post(name: str, seats: list[dict[str, Any]]) -> Any:
        return program.post(PATH, {"project": project.slug, "name": name, "seats": seats}, "application/json")

    return post


@pytest.fixture
def seats(db: None) -> list[dict[str, Any]]:
    return [seat.model_dump(mode="json") for seat in factories.seats()]


def test_a_saved_roster_comes_back_as_it_was(save: Any, seats: Any, program: Client) -> None:
    reply = save("Three", seats)
    assert reply.status_code == 201
    assert program.get(f"{PATH}/{reply.json()['code']}").json()["seats"] == seats


def test_saving_under_the_same_name_replaces_the_seats(
    save: Any, seats: Any, program: Client, project: Project
) -> None:
    save("Three", seats)
    save("Three", seats[:1])
    rows = program.get(f"{PATH}?project={project.slug}").json()["rosters"]
    assert [len(row["seats"]) for row in rows] == [1]


def test_an_unknown_model_is_named(save: Any, seats: Any) -> None:
    reply = save("Three", [{**seats[0], "model_id": "no/such"}])
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "model_unknown")
    assert "no/such" in reply.json()["error"]["message"]


@pytest.mark.parametrize(("count", "code"), [(0, "roster_empty"), (13, "roster_too_large"), (60, "invalid")])
def test_a_roster_has_one_to_twelve_seats(count: int, code: str, save: Any, seats: Any) -> None:
    reply = save("Many", [{**seats[0], "name": f"Seat {number}"} for number in range(count)])
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("change", [{"temperature": 1.5}, {"role": "judge"}, {"name": " "}, {"weight": 3}])
def test_a_seat_that_is_none_is_refused(change: dict[str, Any], save: Any, seats: Any) -> None:
    reply = save("Bad", [{**seats[0], **change}])
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid")


def test_a_deleted_roster_is_gone(save: Any, seats: Any, program: Client) -> None:
    code = save("Three", seats).json()["code"]
    assert program.delete(f"{PATH}/{code}").status_code == 204
    assert program.get(f"{PATH}/{code}").status_code == 404


def test_a_roster_goes_out_and_comes_in_as_yaml(save: Any, seats: Any, program: Client, project: Project) -> None:
    text = program.get(f"{PATH}/{save('Three', seats).json()['code']}/yaml").content.decode()
    renamed = text.replace("name: Three", "name: Again", 1)
    reply = program.post(f"{PATH}/yaml", {"project": project.slug, "yaml": renamed}, "application/json")
    assert (reply.status_code, reply.json()["name"], reply.json()["seats"]) == (201, "Again", seats)


def test_yaml_that_is_no_roster_is_refused(program: Client, project: Project) -> None:
    reply = program.post(f"{PATH}/yaml", {"project": project.slug, "yaml": "["}, "application/json")
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "bad_yaml")


def test_the_best_roster_says_when_it_is_simulated(program: Client, project: Project, seats: Any) -> None:
    best = program.get(f"{PATH}/best?project={project.slug}").json()
    assert (len(best["seats"]), best["simulated"]) == (3, True)
    factories.real_model()
    best = program.get(f"{PATH}/best?project={project.slug}").json()
    assert ({seat["model_id"] for seat in best["seats"]}, best["simulated"]) == ({"lab/large"}, False)
