"""Provider keys at rest and in logs."""

import base64
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from sessions import vault
from sessions.actions.catalog import NewModel, add_model, set_base_url, set_key
from sessions.models import Provider
from sessions.vault import SealBroken, SecretFilter, reveal, seal

HOST = "https://api.example.org/v1"
CANARY = "sk-canary/5+f0e1d2c3b4a5"


@pytest.fixture(autouse=True)
def _keyring(settings: Any) -> None:
    settings.CRUCIBLE_KEYRING = "first secret"


@pytest.fixture
def logged() -> Iterator[Callable[[], str]]:
    """Everything a logger of ours wrote, formatted as the console's handler does."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, logger = Kept(), logging.getLogger("crucible.test")
    handler.addFilter(SecretFilter())
    logger.addHandler(handler)
    logger.propagate = False
    yield lambda: "\n".join(lines)
    logger.removeHandler(handler)
    logger.propagate = True


def revealed(key: str = CANARY) -> logging.Logger:
    """A logger in a process that has used `key`."""
    reveal("lab", HOST, seal("lab", HOST, key))
    return logging.getLogger("crucible.test")


# --- at rest


def test_a_sealed_key_opens_for_its_provider_and_host() -> None:
    assert reveal("lab", HOST, seal("lab", HOST, CANARY)).value == CANARY


def test_a_sealed_key_does_not_hold_the_key() -> None:
    assert CANARY.encode() not in seal("lab", HOST, CANARY)


def test_sealing_twice_gives_different_bytes() -> None:
    assert seal("lab", HOST, CANARY) != seal("lab", HOST, CANARY)


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [
        ("other", HOST),
        ("lab", "https://api.example.com/v1"),
        ("lab", "https://api.example.org:8443/v1"),
        ("lab", "http://api.example.org/v1"),
        ("lab", "https://api.example.org.evil.example/v1"),
        ("lab", "https://evil.example/api.example.org"),
        ("lab", ""),
        ("lab|api.example.org", ""),
    ],
)
def test_a_key_copied_to_another_provider_or_host_does_not_open(provider: str, base_url: str) -> None:
    sealed = seal("lab", HOST, CANARY)
    with pytest.raises(SealBroken):
        reveal(provider, base_url, sealed)


def test_the_path_and_the_case_of_the_host_do_not_matter() -> None:
    assert reveal("lab", "https://API.example.org/v2", seal("lab", HOST, CANARY)).value == CANARY


@pytest.mark.parametrize("size", [0, 1, 11, 12, 27])
def test_a_sealed_key_that_was_cut_is_broken(size: int) -> None:
    with pytest.raises(SealBroken):
        reveal("lab", HOST, seal("lab", HOST, CANARY)[:size])


def test_a_sealed_key_that_was_changed_is_broken() -> None:
    sealed = bytearray(seal("lab", HOST, CANARY))
    sealed[-1] ^= 1
    with pytest.raises(SealBroken):
        reveal("lab", HOST, bytes(sealed))


def test_the_keyring_rotates_by_putting_the_new_secret_in_front(settings: Any) -> None:
    old = seal("lab", HOST, CANARY)
    settings.CRUCIBLE_KEYRING = "second secret, first secret"
    assert reveal("lab", HOST, old).value == CANARY
    new = seal("lab", HOST, CANARY)
    settings.CRUCIBLE_KEYRING = "second secret"
    assert reveal("lab", HOST, new).value == CANARY
    with pytest.raises(SealBroken):
        reveal("lab", HOST, old)


def test_a_comma_too_many_does_not_seal_with_nothing(settings: Any) -> None:
    settings.CRUCIBLE_KEYRING = ",first secret,"
    sealed = seal("lab", HOST, CANARY)
    settings.CRUCIBLE_KEYRING = "first secret"
    assert reveal("lab", HOST, sealed).value == CANARY


def test_a_revealed_key_shows_in_no_repr() -> None:
    assert CANARY not in repr(reveal("lab", HOST, seal("lab", HOST, CANARY)))


# --- providers and their keys


def stored(name: str = "lab") -> Provider:
    provider = Provider.objects.create(name=name, adapter="openai_wire", base_url=HOST)
    set_key(provider, CANARY)
    return provider


@pytest.mark.django_db
@pytest.mark.parametrize(
    "base_url", ["https://evil.example/v1", "https://api.example.org:444/v1", "http://api.example.org/v1"]
)
def test_a_provider_that_moves_to_another_host_leaves_its_key_behind(base_url: str) -> None:
    provider = stored()
    set_base_url(provider, base_url)
    provider.refresh_from_db()
    assert (provider.sealed_key, provider.key_hint) == (None, "")


@pytest.mark.django_db
def test_a_provider_that_moves_on_its_host_keeps_its_key() -> None:
    provider = stored()
    set_base_url(provider, "https://api.example.org/v2")
    provider.refresh_from_db()
    assert reveal(provider.name, provider.base_url, bytes(provider.sealed_key or b"")).value == CANARY


@pytest.mark.django_db
def test_a_stored_key_shows_its_last_four_characters_only() -> None:
    provider = stored()
    assert provider.key_hint == CANARY[-4:]
    assert CANARY not in str(Provider.objects.values().get())
    set_key(provider, "short")
    assert provider.key_hint == ""


@pytest.mark.django_db
def test_an_empty_key_takes_the_key_away() -> None:
    provider = stored()
    set_key(provider, "  ")
    provider.refresh_from_db()
    assert provider.sealed_key is None


@pytest.mark.django_db
def test_two_hosts_that_look_alike_do_not_share_a_provider() -> None:
    first = add_model(NewModel("one", "openai/one", base_url="https://a.b-c.example/v1", key="sk-first-000000"))
    other = add_model(NewModel("two", "openai/two", base_url="https://a-b.c.example/v1", key="sk-other-000000"))
    first.provider.refresh_from_db()
    assert first.provider_id != other.provider_id
    assert first.provider.base_url == "https://a.b-c.example/v1"
    same = add_model(NewModel("three", "openai/three", base_url="https://a-b.c.example/v1"))
    assert same.provider_id == other.provider_id


# --- the environment


def test_provider_keys_leave_the_environment_and_ours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AWS_SECRET_KEY", "CRUCIBLE_SECRET_KEY"):
        monkeypatch.setenv(name, "x")
    assert {"OPENAI_API_KEY", "AWS_SECRET_KEY"} <= set(vault.forget_provider_keys())
    assert "CRUCIBLE_SECRET_KEY" in os.environ
    assert "OPENAI_API_KEY" not in os.environ


# --- logs


def test_a_key_in_a_message_is_hidden(logged: Callable[[], str]) -> None:
    revealed().warning(f"the provider said: bad key {CANARY}!")
    assert logged() == "the provider said: bad key [key]!"


def test_a_key_in_an_argument_is_hidden(logged: Callable[[], str]) -> None:
    revealed().warning("headers %s", {"authorization": f"Bearer {CANARY}"})
    assert logged() == "headers {'authorization': 'Bearer [key]'}"


def test_a_key_in_an_exception_is_hidden(logged: Callable[[], str]) -> None:
    logger = revealed()
    try:
        try:
            raise ConnectionError(f"401 for {CANARY}")
        except ConnectionError as error:
            raise RuntimeError(f"wrapped {CANARY}") from error
    except RuntimeError:
        logger.exception("call failed")
    assert CANARY not in logged()
    assert "401 for [key]" in logged()
    assert "wrapped [key]" in logged()


@pytest.mark.parametrize(
    "form",
    [
        quote(CANARY, safe=""),
        quote(CANARY),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
    ],
)
def test_a_key_in_another_spelling_is_hidden(logged: Callable[[], str], form: str) -> None:
    revealed().warning("GET /?key=%s", form)
    assert form not in logged()


def test_a_record_that_cannot_be_formatted_neither_raises_nor_shows_the_key(
    logged: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    revealed().warning("%d tokens", CANARY)
    assert CANARY not in logged() + capsys.readouterr().err


def test_a_placeholder_for_no_key_hides_no_words(logged: Callable[[], str]) -> None:
    revealed("none").warning("nonexistent: NoneType")
    assert logged() == "nonexistent: NoneType"


def test_what_holds_no_key_is_left_as_it_is(logged: Callable[[], str]) -> None:
    revealed().warning("%s of %d", "three", 7)
    assert logged() == "three of 7"
