"""What a typed address means, who made a model, and what the public table knows without LiteLLM being imported."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from sessions.catalog.facts import answers_in_words, facts_of, per_million
from sessions.catalog.makers import MAKERS, base_url_for, family_of, list_url_for, maker_at
from sessions.providers import ADAPTERS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("maker", "typed", "meant"),
    [
        ("openai", "", "https://api.openai.com/v1"),
        ("azure", "https://ours.openai.azure.com/", "https://ours.openai.azure.com/openai/v1"),
        ("ollama", "localhost:11434", "http://localhost:11434/v1"),
        ("ollama", "gpu-box", "http://gpu-box/v1"),
        ("lmstudio", "10.0.0.7:1234", "http://10.0.0.7:1234/v1"),
        ("compatible", "api.example.org/llm/v1/chat/completions", "https://api.example.org/llm/v1"),
        ("compatible", " https://api.example.org/v1/models ", "https://api.example.org/v1"),
        ("compatible", "http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("google", "https://proxy.example.org", "https://proxy.example.org/v1beta/openai"),
        ("anthropic", "", ""),
    ],
)
def test_a_typed_address_means(maker: str, typed: str, meant: str) -> None:
    assert base_url_for(MAKERS[maker], typed) == meant


@pytest.mark.parametrize(
    ("base_url", "listed_at"),
    [
        ("", "https://api.anthropic.com/v1"),
        ("https://proxy.example.org", "https://proxy.example.org/v1"),
        ("https://proxy.example.org/v1", "https://proxy.example.org/v1"),
    ],
)
def test_anthropic_lists_beside_its_messages(base_url: str, listed_at: str) -> None:
    assert list_url_for(MAKERS["anthropic"], base_url) == listed_at


@pytest.mark.parametrize(
    ("maker", "name", "family"),
    [
        ("openai", "o9-mini", "openai"),
        ("openrouter", "anthropic/claude-sonnet", "anthropic"),
        ("bedrock", "openai.gpt-oss-120b", "openai"),
        ("ollama", "qwen3-coder:30b", "qwen"),
        ("vllm", "somebody/strange", ""),
    ],
)
def test_who_made_a_model_is_told_from_maker_or_name(maker: str, name: str, family: str) -> None:
    assert family_of(MAKERS[maker], name) == family


def test_a_makers_own_host_is_known() -> None:
    found = maker_at("https://api.mistral.ai/v1")
    assert found is not None
    assert found.key == "mistral"
    assert maker_at("http://localhost:11434/v1") is None
    assert maker_at("") is None


def test_every_maker_has_an_adapter() -> None:
    assert {maker.adapter for maker in MAKERS.values()} <= ADAPTERS.keys()


def test_only_a_maker_whose_address_is_known_needs_a_key_alone() -> None:
    assert all(maker.base_url or maker.list_url for maker in MAKERS.values() if maker.wants == "key")


def test_the_table_knows_context_and_prices() -> None:
    facts = facts_of("claude-opus-5-5", MAKERS["anthropic"].tables)
    assert facts.context_window == 1_000_000
    assert (facts.input_price, facts.output_price) == (Decimal("4"), Decimal("20"))


def test_what_the_table_does_not_know_is_unknown_and_not_free() -> None:
    facts = facts_of("somebody/strange", MAKERS["vllm"].tables)
    assert (facts.context_window, facts.input_price, facts.priced) == (None, None, False)


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("0.000001", Decimal("1")),
        (2.5e-6, Decimal("2.5")),
        (0, Decimal("0")),
        ("-1", None),
        ("NaN", None),
        (None, None),
    ],
)
def test_a_price_per_token_becomes_one_per_million(value: object, price: Decimal | None) -> None:
    assert per_million(value) == price


@pytest.mark.parametrize(
    ("name", "can"),
    [("gpt-5.2", True), ("text-embedding-3-small", False), ("our-embedder", False), ("our-model", True)],
)
def test_models_without_words_are_told_apart(name: str, can: bool) -> None:
    assert answers_in_words(name, MAKERS["openai"].tables) is can


def test_the_table_is_read_without_importing_litellm() -> None:
    program = (
        "import sys; from sessions.catalog.facts import facts_of; assert facts_of('gpt-5.2', ('',)).priced;"
        " print('litellm' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
