"""Everything that is sealed with the keyring, after a rotation of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sessions import vault
from sessions.actions.notifications import reseal_webhooks
from sessions.actions.repositories import reseal_tokens
from sessions.models import Provider


@dataclass(slots=True)
class Resealed:
    """How many were sealed again, how many were already under the newest secret, and the names of those that no secret
    of the keyring opens."""

    again: int = 0
    current: int = 0
    lost: list[str] = field(default_factory=list)


def reseal_providers() -> tuple[int, int, list[str]]:
    again, current, lost = 0, 0, []
    for provider in Provider.objects.exclude(sealed_key=None).order_by("name"):
        old = bytes(provider.sealed_key or b"")
        try:
            new = vault.reseal(provider.name, provider.base_url, old)
        except vault.SealBroken:
            lost.append(provider.name)
            continue
        if new is None:
            current += 1
        else:
            # Only in the old one's place: a key that somebody enters meanwhile stays.
            again += Provider.objects.filter(pk=provider.pk, sealed_key=old).update(sealed_key=new)
    return again, current, lost


# One function per table with something sealed in it; apps above this one add theirs.
RESEALERS: list[Callable[[], tuple[int, int, list[str]]]] = [reseal_providers, reseal_webhooks, reseal_tokens]


def reseal_keys() -> Resealed:
    """Seal everything under the keyring's newest secret. What cannot be opened is left as it is."""
    total = Resealed()
    for again, current, lost in (reseal() for reseal in RESEALERS):
        total.again, total.current, total.lost = total.again + again, total.current + current, total.lost + lost
    return total
