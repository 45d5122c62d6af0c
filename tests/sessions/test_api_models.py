"""Connecting models through the API, against a provider that answers over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.models import LanguageModel, Project, Provider
from tests import factories
from tests.provider_server import provider_process

PATH = "/api/v1/models"
KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a provider; see `tests/provider_server.py`."""
    with provider_process() as address:
        yield f"http://{address}"


@pytest.fixture
def program(owner: User, project: Project) -> Client:
    return factories.client(owner)


def post(program: Client, path: str, body: dict[str, Any]) -> Any:
    return program.post(path, body, "application/json")


def test_a_model_is_listed_connected_and_tested(program: Client, server: str) -> None:
    offers = post(program, f"{PATH}/offers", {"maker": "compatible", "address": f"{server}/v1", "key": KEY}).json()
    assert [offer["name"] for offer in offers["offers"]] == ["alpha", "beta"]
    reply = post(program, PATH, {"provider": offers["provider"], "names": ["beta"]})
    assert reply.status_code == 201
    (model,) = reply.json()["models"]
    assert (model["state"], model["price"]) == ("untested", None)
    tested = post(program, f"{PATH}/test", {"model": model["id"]}).json()
    assert (tested["error"], bool(tested["answer"]), tested["cost_microcredits"]) == ("", True, None)
    states = {row["id"]: row["state"] for row in program.get(PATH).json()["models"]}
    assert states[model["id"]] == "works"


def test_an_anthropic_format_server_is_listed_and_asked_in_its_own_words(program: Client, server: str) -> None:
    offers = post(program, f"{PATH}/offers", {"maker": "anthropic", "address": server, "key": KEY}).json()
    post(program, PATH, {"provider": offers["provider"], "names": ["alpha"]})
    model = LanguageModel.objects.get(provider__name=offers["provider"])
    assert (model.route, model.family) == ("anthropic/alpha", "anthropic")
    assert post(program, f"{PATH}/test", {"model": model.pk}).json()["error"] == ""


def test_a_refused_key_is_named_and_never_repeated(program: Client, server: str) -> None:
    key = "sk-refused-0123456789"
    reply = post(program, f"{PATH}/offers", {"maker": "compatible", "address": f"{server}/v1", "key": key})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "provider_auth")
    assert key not in reply.content.decode()
    assert not Provider.objects.filter(maker="compatible").exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"maker": "nobody"}, 404, "unknown_maker"),
        ({"maker": "azure", "key": KEY}, 422, "no_address"),
        ({"maker": "ollama", "address": "ftp://host/x"}, 400, "bad_base_url"),
        ({"maker": "openai"}, 422, "no_key"),
        ({"maker": "openai", "route": "x"}, 400, "invalid"),
    ],
)
def test_what_cannot_be_asked_is_named(body: dict[str, Any], status: int, code: str, program: Client) -> None:
    reply = post(program, f"{PATH}/offers", body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_only_what_was_offered_is_connected(program: Client, server: str) -> None:
    provider = post(program, f"{PATH}/offers", {"maker": "vllm", "address": f"{server}/v1"}).json()["provider"]
    reply = post(program, PATH, {"provider": provider, "names": ["gamma"]})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "model_unknown")


@pytest.mark.parametrize("path", [f"{PATH}/offers", PATH, f"{PATH}/test"])
def test_a_key_without_manage_connects_nothing(path: str, owner: User, project: Project) -> None:
    program = factories.client(owner, "read", "write")
    body = {"maker": "openai", "provider": "openai", "names": ["x"], "model": "x"}
    wanted = {f"{PATH}/offers": ("maker",), PATH: ("provider", "names"), f"{PATH}/test": ("model",)}[path]
    assert post(program, path, {name: body[name] for name in wanted}).status_code == 403


def test_a_removed_model_is_not_listed(program: Client) -> None:
    factories.real_model()
    LanguageModel.objects.update(removed_at="2026-01-01T00:00:00Z", enabled=False)
    assert program.get(PATH).json()["models"] == []
