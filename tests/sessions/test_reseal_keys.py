"""`reseal_keys` after a rotation of the keyring: the newest secret alone opens every key, and no key is printed."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sessions.actions.catalog import set_key
from sessions.models import Provider
from sessions.vault import reveal

pytestmark = pytest.mark.django_db

KEY = "sk-canary/5+f0e1d2c3b4a5"


@pytest.fixture(autouse=True)
def rotated(settings: Any) -> None:
    """One provider's key under the old secret, one under the new one, and one provider without a key."""
    settings.CRUCIBLE_KEYRING = "old secret"
    keep("before")
    settings.CRUCIBLE_KEYRING = "new secret,old secret"
    keep("after")
    keep("keyless", "")


def keep(name: str, key: str = KEY) -> Provider:
    provider = Provider.objects.create(name=name, adapter="openai_wire", base_url=f"https://{name}.example/v1")
    set_key(provider, key)
    return provider


def reseal() -> str:
    out = StringIO()
    call_command("reseal_keys", stdout=out)
    return out.getvalue().strip()


def sealed_keys() -> dict[str, bytes]:
    return {row.name: bytes(row.sealed_key) for row in Provider.objects.exclude(sealed_key=None) if row.sealed_key}


def test_afterwards_the_newest_secret_alone_opens_every_key(settings: Any) -> None:
    reseal()
    settings.CRUCIBLE_KEYRING = "new secret"
    keys = {name: reveal(name, f"https://{name}.example/v1", sealed).value for name, sealed in sealed_keys().items()}
    assert keys == {"before": KEY, "after": KEY}


def test_it_counts_what_it_did_and_prints_no_key() -> None:
    assert reseal() == "Sealed again: 1. Already under the newest secret: 1."


def test_a_second_run_changes_nothing() -> None:
    reseal()
    before = sealed_keys()
    assert reseal() == "Sealed again: 0. Already under the newest secret: 2."
    assert sealed_keys() == before


def test_a_key_that_nothing_opens_is_named_and_kept_and_the_others_are_sealed_again(settings: Any) -> None:
    settings.CRUCIBLE_KEYRING = "lost secret"
    lost = keep("lost")
    settings.CRUCIBLE_KEYRING = "new secret,old secret"
    before = sealed_keys()
    with pytest.raises(CommandError, match=r"the key of: lost\. "):
        reseal()
    after = sealed_keys()
    assert after[lost.name] == before[lost.name]
    assert after["before"] != before["before"]
