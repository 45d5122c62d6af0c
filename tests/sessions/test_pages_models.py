"""Connecting models through the pages, against servers that answer over HTTP: one plain form after the other."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.actions.rosters import save_roster
from sessions.models import LanguageModel, ModelPrice, Project, Provider
from sessions.providers import listing
from sessions.vault import reveal
from tests import factories
from tests.provider_server import provider_process

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a provider; see `tests/provider_server.py`."""
    with provider_process() as address:
        yield f"http://{address}"


@pytest.fixture
def as_owner(client: Client, owner: User, project: Project) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def bring(as_owner: Client) -> Callable[..., Any]:
    """Post a tile's form."""

    def post(maker: str, **fields: str) -> Any:
        return as_owner.post(reverse("sessions:tile", args=[maker]), fields)

    return post


@pytest.fixture
def connected(bring: Any, as_owner: Client, server: str) -> Provider:
    """A provider with the models alpha and beta, untested."""
    bring("compatible", address=f"{server}/v1", key=KEY)
    provider = Provider.objects.get(maker="compatible")
    as_owner.post(reverse("sessions:offers", args=[provider.name]), {"go": "add", "tick": ["alpha", "beta"]})
    return provider


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def offers_of(as_owner: Client, provider: Provider, **fields: Any) -> str:
    return words(as_owner.post(reverse("sessions:offers", args=[provider.name]), fields))


def check(as_owner: Client, provider: Provider, **fields: str) -> str:
    return words(as_owner.post(reverse("sessions:check_models", args=[provider.name]), fields))


def test_every_tile_opens(as_owner: Client) -> None:
    page = as_owner.get(reverse("sessions:models")).content.decode()
    tiles = ("openai", "anthropic", "google", "mistral", "openrouter", "azure", "bedrock", "ollama", "lmstudio", "vllm",
             "compatible")  # fmt: skip
    for maker in tiles:
        address = reverse("sessions:tile", args=[maker])
        assert f'href="{address}"' in page
        assert as_owner.get(address).status_code == 200


def test_a_key_becomes_a_list_to_tick_and_a_tick_becomes_a_model(bring: Any, as_owner: Client, server: str) -> None:
    answer = bring("compatible", address=f"{server}/v1/chat/completions", key=KEY)
    provider = Provider.objects.get(maker="compatible")
    assert answer.headers["Location"] == reverse("sessions:offers", args=[provider.name])
    assert 'value="alpha"' in as_owner.get(answer.headers["Location"]).content.decode()
    as_owner.post(answer.headers["Location"], {"go": "add", "tick": ["alpha"]})
    model = LanguageModel.objects.get(provider=provider)
    assert (model.pk, model.route, model.state) == (f"{provider.name}/alpha", "alpha", "untested")


def test_a_test_call_shows_answer_seconds_and_cost(connected: Provider, as_owner: Client) -> None:
    page = check(as_owner, connected, model=f"{connected.name}/alpha")
    model = LanguageModel.objects.get(pk=f"{connected.name}/alpha")
    assert (model.state, model.check_code) == ("works", "")
    assert "<q" in page
    assert " s ·" in page
    assert "no bill" in page


def test_all_that_were_never_tested_are_tested_at_once(connected: Provider, as_owner: Client) -> None:
    check(as_owner, connected)
    assert {model.state for model in connected.language_models.all()} == {"works"}


def test_htmx_gets_the_row_alone(connected: Provider, as_owner: Client) -> None:
    address = reverse("sessions:check_models", args=[connected.name])
    answer = as_owner.post(address, {"model": f"{connected.name}/alpha"}, headers={"HX-Request": "true"})
    assert words(answer).startswith("<tr>")
    assert "tone-good" in words(answer), words(answer)


@pytest.mark.parametrize(
    ("route", "sentence"),
    [("alpha:404", "does not know this model"), ("alpha:500", "internal error"), ("alpha:echo", "refused the key")],
)
def test_a_model_that_does_not_work_says_why(route: str, sentence: str, connected: Provider, as_owner: Client) -> None:
    LanguageModel.objects.filter(pk=f"{connected.name}/alpha").update(route=route)
    page = check(as_owner, connected, model=f"{connected.name}/alpha")
    assert sentence in page
    assert KEY not in page


def test_a_test_call_that_hangs_ends(connected: Provider, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions.actions.checking.LOCAL_SECONDS", 0.3)
    LanguageModel.objects.filter(pk=f"{connected.name}/alpha").update(route="alpha:silent")
    assert "did not begin to answer in time" in check(as_owner, connected, model=f"{connected.name}/alpha")


def test_a_refused_key_is_named_and_not_kept(bring: Any, server: str) -> None:
    answer = bring("compatible", address=f"{server}/v1", key="sk-refused-0123456789")
    assert answer.status_code == 422
    assert "refused this key" in words(answer)
    assert "sk-refused" not in words(answer)
    assert not Provider.objects.filter(maker="compatible").exists()


def test_a_server_that_is_not_there_is_named(bring: Any) -> None:
    assert "Nothing answers at http://127.0.0.1:9/v1" in words(bring("ollama", address="127.0.0.1:9"))


def test_a_server_without_models_is_named(bring: Any, server: str) -> None:
    assert "offers no models" in words(bring("vllm", address=f"{server}/none/v1"))


def test_what_is_no_list_is_named(bring: Any, server: str) -> None:
    assert "is not a list of models" in words(bring("compatible", address=f"{server}/page/v1"))


def test_a_server_that_hangs_is_given_up(bring: Any, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LIST_SECONDS", 0.3)
    assert "did not answer in time" in words(bring("lmstudio", address=f"{server}/silent/v1"))


def test_an_address_outside_of_the_rules_is_refused(bring: Any, settings: Any) -> None:
    settings.CRUCIBLE_LOCAL_PROVIDERS = []
    assert "list the host in CRUCIBLE_LOCAL_PROVIDERS" in words(bring("ollama", address="http://10.0.0.7:11434"))


def test_a_tile_without_its_key_asks_for_it(bring: Any) -> None:
    assert "Paste a key of OpenAI" in words(bring("openai", key=" "))


def test_four_hundred_models_are_shown_by_the_page_and_found_by_a_filter(
    bring: Any, as_owner: Client, server: str
) -> None:
    bring("vllm", address=f"{server}/many/v1")
    provider = Provider.objects.get(maker="vllm")
    page = offers_of(as_owner, provider)
    assert page.count('name="tick"') == 50
    assert "1 to 50 of 400" in page
    assert offers_of(as_owner, provider, **{"from": "50"}).count("model-050") > 0
    assert offers_of(as_owner, provider, q="-39").count('name="tick"') == 10


def test_a_tick_survives_filter_and_page(bring: Any, as_owner: Client, server: str) -> None:
    bring("vllm", address=f"{server}/many/v1")
    provider = Provider.objects.get(maker="vllm")
    page = offers_of(as_owner, provider, q="-39", tick="model-007")
    assert 'value="model-007" checked' in page
    assert page.count('name="tick"') == 11


def test_prices_and_context_come_from_the_server_when_it_says_so(bring: Any, as_owner: Client, server: str) -> None:
    bring("compatible", address=f"{server}/priced/v1")
    provider = Provider.objects.get(maker="compatible")
    page = offers_of(as_owner, provider)
    assert "64,000 tokens" in page
    assert "$1 / $4" in page
    assert "embed-small" not in page
    offers_of(as_owner, provider, go="add", tick="acme/large")
    price = ModelPrice.objects.get(language_model__provider=provider)
    assert (price.input_microcredits, price.output_microcredits) == (1_000_000_000, 4_000_000_000)


def test_a_context_window_that_the_server_lists_anew_reaches_the_connected_model(
    bring: Any, as_owner: Client, server: str
) -> None:
    bring("compatible", address=f"{server}/priced/v1")
    provider = Provider.objects.get(maker="compatible")
    offers_of(as_owner, provider, go="add", tick="acme/large")
    earlier = [row | {"facts": row.get("facts", {}) | {"context_window": 32_000}} for row in provider.offered]
    Provider.objects.update(offered=earlier)
    LanguageModel.objects.filter(provider=provider).update(context_window=32_000)
    assert "went from 32,000 to 64,000 tokens" in offers_of(as_owner, provider, go="fetch")
    assert LanguageModel.objects.get(provider=provider).context_window == 64_000
    LanguageModel.objects.filter(provider=provider).update(context_window=16_000)  # what a person entered
    assert "went from" not in offers_of(as_owner, provider, go="fetch")
    assert LanguageModel.objects.get(provider=provider).context_window == 16_000


def test_prices_and_context_come_from_the_table_otherwise(as_owner: Client, db: Any) -> None:
    provider = Provider.objects.create(
        name="openai", maker="openai", adapter="openai_wire", base_url="https://api.openai.com/v1",
        offered=[{"name": "gpt-5.2", "label": ""}],
    )  # fmt: skip
    offers_of(as_owner, provider, go="add", tick="gpt-5.2")
    model = LanguageModel.objects.get(provider=provider)
    assert (model.context_window, model.family) == (272_000, "openai")
    assert model.prices.get().output_microcredits == 14_000_000_000


def test_an_unknown_price_is_said_and_can_be_entered(connected: Provider, as_owner: Client) -> None:
    Provider.objects.filter(pk=connected.pk).update(base_url="https://models.example.org/v1")
    page = reverse("sessions:model", args=[f"{connected.name}/alpha"])
    assert "price unknown" in words(as_owner.get(reverse("sessions:provider", args=[connected.name])))
    as_owner.post(page, {"go": "edit", "context": "32,000", "input_price": "1.5", "output_price": "6"})
    model = LanguageModel.objects.get(pk=f"{connected.name}/alpha")
    assert (model.context_window, model.prices.get().input_microcredits) == (32_000, 1_500_000_000)


@pytest.mark.parametrize(
    "fields",
    [{"context": "many"}, {"context": "12"}, {"input_price": "1"}, {"input_price": "NaN", "output_price": "1"}],
)
def test_facts_that_are_none_are_refused(fields: dict[str, str], connected: Provider, as_owner: Client) -> None:
    page = reverse("sessions:model", args=[f"{connected.name}/alpha"])
    answer = as_owner.post(page, {"go": "edit", "context": "8192", "input_price": "", "output_price": "", **fields})
    assert answer.status_code == 422
    assert not ModelPrice.objects.exists()


@pytest.mark.parametrize(("maker", "calls"), [("ollama", 1), ("compatible", 1)])
def test_a_local_server_gets_one_call_at_a_time(maker: str, calls: int, bring: Any, server: str) -> None:
    bring(maker, address=f"{server}/v1")
    assert Provider.objects.get(maker=maker).max_concurrent == calls


def test_an_ollama_needs_an_address_and_nothing_else(bring: Any, as_owner: Client, server: str) -> None:
    bring("ollama", address=f"{server}/ollama/v1")
    provider = Provider.objects.get(maker="ollama")
    offers_of(as_owner, provider, go="add", tick="llama3.2:latest")
    assert "no bill" in check(as_owner, provider)
    model = LanguageModel.objects.get(provider=provider)
    assert (model.state, model.family, model.context_window) == ("works", "meta", 8_192)


def test_calls_at_a_time_can_be_changed(connected: Provider, as_owner: Client) -> None:
    address = reverse("sessions:provider", args=[connected.name])
    as_owner.post(address, {"go": "calls", "calls": "4"})
    assert as_owner.post(address, {"go": "calls", "calls": "0"}).status_code == 422
    connected.refresh_from_db()
    assert connected.max_concurrent == 4


def test_the_key_is_sealed_and_never_shown(connected: Provider, as_owner: Client) -> None:
    connected.refresh_from_db()
    assert connected.sealed_key is not None
    assert reveal(connected.name, connected.base_url, bytes(connected.sealed_key)).value == KEY
    for name in ("provider", "offers"):
        assert KEY not in as_owner.get(reverse(f"sessions:{name}", args=[connected.name])).content.decode()


def test_the_key_is_not_logged(bring: Any, server: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    bring("compatible", address=f"{server}/page/v1", key=KEY)
    assert KEY not in caplog.text


def test_another_key_is_tried_before_it_replaces_the_old_one(connected: Provider, as_owner: Client) -> None:
    address = reverse("sessions:provider", args=[connected.name])
    answer = as_owner.post(address, {"go": "key", "key": "sk-refused-0123456789"})
    assert "refused this key" in words(answer)
    connected.refresh_from_db()
    assert connected.key_hint == KEY[-4:]


def test_another_key_makes_old_tests_void(connected: Provider, as_owner: Client) -> None:
    check(as_owner, connected)
    as_owner.post(reverse("sessions:provider", args=[connected.name]), {"go": "key", "key": "sk-another-0123456789"})
    assert {model.state for model in connected.language_models.all()} == {"untested"}


def test_without_its_key_a_provider_says_so(connected: Provider, as_owner: Client) -> None:
    as_owner.post(reverse("sessions:provider", args=[connected.name]), {"go": "drop_key"})
    assert {model.state for model in connected.language_models.select_related("provider")} == {"no_key"}


def test_a_model_that_the_server_does_not_list_is_named_by_hand(bring: Any, server: str) -> None:
    answer = bring("azure", address=f"{server}/none/v1", key=KEY, name="our-deployment")
    assert answer.status_code == 302
    assert LanguageModel.objects.get(provider__maker="azure").route == "our-deployment"


def test_another_path_of_a_host_is_another_provider(connected: Provider, bring: Any, server: str) -> None:
    bring("compatible", address=f"{server}/priced/v1", key="sk-another-0123456789")
    connected.refresh_from_db()
    assert connected.base_url == f"{server}/v1"
    assert Provider.objects.filter(maker="compatible").count() == 2


def test_a_key_can_be_changed_where_nothing_is_listed(bring: Any, as_owner: Client, server: str) -> None:
    bring("azure", address=f"{server}/page/v1", key=KEY, name="our-deployment")
    provider = Provider.objects.get(maker="azure")
    as_owner.post(reverse("sessions:provider", args=[provider.name]), {"go": "key", "key": "sk-another-0123456789"})
    provider.refresh_from_db()
    assert provider.key_hint == "6789"


def test_connecting_again_keeps_what_is_connected(connected: Provider, bring: Any, server: str) -> None:
    bring("compatible", address=f"{server}/v1", key="sk-another-0123456789")
    assert Provider.objects.filter(maker="compatible").count() == 1
    assert connected.language_models.count() == 2


def test_a_model_is_switched_off_and_on(connected: Provider, as_owner: Client) -> None:
    page = reverse("sessions:model", args=[f"{connected.name}/alpha"])
    as_owner.post(page, {"go": "disable"})
    assert LanguageModel.objects.get(pk=f"{connected.name}/alpha").state == "disabled"
    as_owner.post(page, {"go": "enable"})
    assert LanguageModel.objects.get(pk=f"{connected.name}/alpha").state == "untested"


def test_before_a_seated_model_is_removed_its_rosters_are_named(
    connected: Provider, as_owner: Client, project: Project
) -> None:
    save_roster(project, "House", factories.seats(f"{connected.name}/alpha"))
    page = reverse("sessions:model", args=[f"{connected.name}/alpha"])
    assert "House" in words(as_owner.get(page))
    as_owner.post(page, {"go": "remove"})
    assert as_owner.get(page).status_code == 404
    assert "without a working model" in words(as_owner.get(reverse("sessions:rosters", args=[project.slug])))


def test_a_removed_model_can_be_connected_again(connected: Provider, as_owner: Client) -> None:
    as_owner.post(reverse("sessions:model", args=[f"{connected.name}/alpha"]), {"go": "remove"})
    offers_of(as_owner, connected, go="add", tick="alpha")
    assert LanguageModel.objects.get(pk=f"{connected.name}/alpha").state == "untested"


def test_nothing_ticked_is_said_unless_models_are_there_already(bring: Any, as_owner: Client, server: str) -> None:
    bring("vllm", address=f"{server}/v1")
    provider = Provider.objects.get(maker="vllm")
    assert "Tick at least one model" in offers_of(as_owner, provider, go="add")
    offers_of(as_owner, provider, go="add", tick="alpha")
    address = reverse("sessions:offers", args=[provider.name])
    assert as_owner.post(address, {"go": "add"}).status_code == 302


def test_a_hundred_models_cost_no_more_queries_than_one(
    connected: Provider, as_owner: Client, django_assert_max_num_queries: Any
) -> None:
    provider = {"provider": connected}
    LanguageModel.objects.bulk_create(LanguageModel(pk=f"m/{n}", route=f"m{n}", **provider) for n in range(100))
    for name, args in (("models", []), ("provider", [connected.name]), ("offers", [connected.name])):
        with django_assert_max_num_queries(12):
            as_owner.get(reverse(f"sessions:{name}", args=args))


def test_names_in_markup_stay_text(bring: Any, as_owner: Client, server: str) -> None:
    bring("compatible", address=f"{server}/v1", key=KEY, name="<script>alert(1)</script>")
    page = as_owner.get(reverse("sessions:models")).content.decode()
    assert "<script>alert" not in page


def test_a_member_sees_models_and_connects_none(connected: Provider, client: Client, member: User) -> None:
    client.force_login(member)
    assert "connected by whoever runs this installation" in words(client.get(reverse("sessions:models")))
    assert client.get(reverse("sessions:tile", args=["openai"])).status_code == 403
    assert client.post(reverse("sessions:check_models", args=[connected.name])).status_code == 403
    assert client.post(reverse("sessions:provider", args=[connected.name]), {"go": "drop_key"}).status_code == 403
    assert client.post(reverse("sessions:model", args=[f"{connected.name}/alpha"]), {"go": "remove"}).status_code == 403


def test_on_a_team_server_staff_alone_connect(as_owner: Client, owner: User, settings: Any) -> None:
    settings.CRUCIBLE_TEAM = True
    address = reverse("sessions:tile", args=["openai"])
    assert as_owner.get(address).status_code == 403
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    assert as_owner.get(address).status_code == 200
