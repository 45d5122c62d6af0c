"""The description of the API and the page that shows it: valid, local, complete."""

import re
from typing import Any

import pytest
from django.test import Client

from tests import factories


@pytest.fixture
def openapi(client: Client, db: None) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/api/openapi.json").json()
    return document


def refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(refs(inner) for inner in value.values()))
    return set().union(*(refs(inner) for inner in value)) if isinstance(value, list) else set()


def test_the_document_is_openapi_with_every_schema_it_names(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")
    named = {ref.removeprefix("#/components/schemas/") for ref in refs(openapi)}
    assert named
    assert named <= set(openapi["components"]["schemas"])


def test_every_operation_has_its_own_id(openapi: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in openapi["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_path_parameter_is_declared(openapi: dict[str, Any]) -> None:
    for path, methods in openapi["paths"].items():
        for operation in methods.values():
            declared = {row["name"] for row in operation["parameters"] if row["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_every_operation_documents_the_error_shape(openapi: dict[str, Any]) -> None:
    for methods in openapi["paths"].values():
        for operation in methods.values():
            schema = operation["responses"]["401"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}


@pytest.mark.parametrize("action", ["", "/{code}/start", "/{code}/retry", "/{code}/continue"])
def test_what_starts_or_spends_takes_an_idempotency_key(action: str, openapi: dict[str, Any]) -> None:
    parameters = openapi["paths"][f"/api/v1/sessions{action}"]["post"]["parameters"]
    assert {"Idempotency-Key"} <= {row["name"] for row in parameters if row["in"] == "header"}


def test_both_ways_to_bring_an_artifact_are_documented(openapi: dict[str, Any]) -> None:
    content = openapi["paths"]["/api/v1/artifacts"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}


def test_the_docs_page_asks_nothing_of_the_internet(client: Client, db: None) -> None:
    page = client.get("/api/docs").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert not re.findall(r"(?:https?:)?//[\w.-]+", page)
    assert '"validatorUrl": null' in page


def test_the_openai_list_has_the_models_that_are_switched_on(owner: Any, project: Any) -> None:
    models = factories.demo_models()
    models[0].enabled = False
    models[0].save()
    document = factories.client(owner).get("/v1/models").json()
    assert document["object"] == "list"
    assert [row["id"] for row in document["data"]] == ["demo/birch", "demo/cedar"]
    assert set(document["data"][0]) == {"id", "object", "created", "owned_by"}


def test_the_openai_list_wants_a_key(client: Client, db: None) -> None:
    reply = client.get("/v1/models")
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "unauthenticated")


def test_a_model_without_a_price_says_so_instead_of_zero(owner: Any, project: Any) -> None:
    factories.real_model()
    row = factories.client(owner).get("/api/v1/models").json()["models"][0]
    assert (row["id"], row["price"], row["ready"]) == ("lab/large", None, True)


def test_the_list_of_models_holds_no_key_and_no_address(owner: Any, project: Any) -> None:
    factories.real_model()
    text = factories.client(owner).get("/api/v1/models").content.decode()
    assert "127.0.0.1" not in text
    assert "sk-" not in text
