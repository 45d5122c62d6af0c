"""The operator's console: keys go in and never come out, prices are dated, projects are only looked at."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sessions.admin import ADAPTER_WORDS
from sessions.models import LanguageModel, ModelPrice, Provider
from sessions.providers import ADAPTERS
from sessions.vault import reveal
from tests import factories

KEY = "sk-secret-0123456789"
NO_PRICES = {"prices-TOTAL_FORMS": "0", "prices-INITIAL_FORMS": "0"}


@pytest.fixture
def operator(client: Client, db: Any) -> Client:
    client.force_login(factories.user("operator", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def provider(db: Any) -> Provider:
    return factories.real_model().provider


def edit(provider: Provider, **changes: Any) -> dict[str, Any]:
    return {"label": "Lab", "base_url": provider.base_url, "max_concurrent": "4", **changes}


def address(row: Any) -> str:
    return reverse(f"admin:crucible_sessions_{row._meta.model_name}_change", args=[row.pk])


def key_of(provider: Provider) -> str:
    provider.refresh_from_db()
    assert provider.sealed_key is not None
    return reveal(provider.name, provider.base_url, bytes(provider.sealed_key)).value


def test_somebody_without_staff_rights_is_not_let_in(client: Client, db: Any) -> None:
    client.force_login(factories.user("person"))
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("name", ["provider", "languagemodel", "project"])
def test_the_lists_open(name: str, operator: Client, provider: Provider) -> None:
    assert operator.get(reverse(f"admin:crucible_sessions_{name}_changelist")).status_code == 200


NEW_PROVIDER = {"name": "attic", "label": "", "adapter": "litellm", "base_url": "", "max_concurrent": "4"}


def test_every_adapter_can_be_chosen() -> None:
    assert ADAPTER_WORDS.keys() == ADAPTERS.keys()


def test_a_provider_is_added_with_one_of_the_adapters(operator: Client) -> None:
    page = reverse("admin:crucible_sessions_provider_add")
    assert '<option value="litellm">' in operator.get(page).content.decode()
    operator.post(page, NEW_PROVIDER | {"adapter": "carrier pigeon"})
    assert not Provider.objects.filter(name="attic").exists()
    operator.post(page, NEW_PROVIDER)
    assert Provider.objects.get(name="attic").adapter == "litellm"


def test_an_endpoint_without_its_address_is_refused_with_its_reason(operator: Client) -> None:
    answer = operator.post(reverse("admin:crucible_sessions_provider_add"), NEW_PROVIDER | {"adapter": "openai_wire"})
    assert "needs its address" in answer.content.decode()


def test_a_key_is_written_and_never_read(operator: Client, provider: Provider) -> None:
    answer = operator.post(address(provider), edit(provider, new_key=KEY))
    assert answer.status_code == 302
    assert key_of(provider) == KEY
    assert KEY not in operator.get(address(provider)).content.decode()


def test_an_empty_key_field_keeps_the_key(operator: Client, provider: Provider) -> None:
    before = key_of(provider)
    operator.post(address(provider), edit(provider, label="Other"))
    assert (key_of(provider), provider.label) == (before, "Other")


def test_another_host_takes_the_key_away(operator: Client, provider: Provider) -> None:
    operator.post(address(provider), edit(provider, base_url="http://127.0.0.1:10/v1"))
    provider.refresh_from_db()
    assert (provider.base_url, provider.sealed_key, provider.key_hint) == ("http://127.0.0.1:10/v1", None, "")


def test_a_key_is_removed(operator: Client, provider: Provider) -> None:
    operator.post(address(provider), edit(provider, remove_key="on"))
    provider.refresh_from_db()
    assert provider.sealed_key is None


def test_a_new_price_is_dated_and_the_old_one_stays(operator: Client, provider: Provider) -> None:
    model = factories.demo_models()[0]
    fields = {
        "provider": model.provider_id, "route": model.route, "weight": "5", "context_window": "128000",
        "max_output_tokens": "8000", "schema_mode": "json_schema", "takes_temperature": "on", "enabled": "on",
        "prices-TOTAL_FORMS": "2", "prices-INITIAL_FORMS": "1",
        "prices-1-input_price": "2.5", "prices-1-output_price": "10",
    }  # fmt: skip
    answer = operator.post(address(model), fields)
    assert answer.status_code == 302
    newest = ModelPrice.objects.filter(language_model=model).first()
    assert newest is not None
    assert (newest.input_microcredits, newest.output_microcredits) == (2_500_000_000, 10_000_000_000)
    assert ModelPrice.objects.filter(language_model=model).count() == 2


def test_a_model_is_switched_off(operator: Client, provider: Provider) -> None:
    model = factories.demo_models()[0]
    fields = {
        "provider": model.provider_id, "route": model.route, "weight": "5", "context_window": "128000",
        "max_output_tokens": "8000", "schema_mode": "json_schema", **NO_PRICES,
    }  # fmt: skip
    operator.post(address(model), fields)
    assert not LanguageModel.objects.get(pk=model.pk).enabled


def test_a_project_cannot_be_deleted_here(operator: Client) -> None:
    project = factories.project(factories.user("owner"))
    page = reverse("admin:crucible_sessions_project_delete", args=[project.pk])
    assert operator.post(page, {"post": "yes"}).status_code == 403
