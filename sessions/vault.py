"""Provider keys at rest, and the guard that keeps them out of logs.

A key is sealed with AES-256-GCM under a key derived for one provider at one host (HKDF-SHA256 over the installation's
keyring): copied to another row or kept after the host changed, it does not open. `CRUCIBLE_KEYRING` may hold several
secrets separated by commas: the first seals, all of them open, which is how it is rotated.
"""

import logging
import os
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from sessions.providers.base import Secret

_NONCE_BYTES = 12
_KEY_SUFFIXES = ("_API_KEY", "_ACCESS_KEY", "_SECRET_KEY", "_API_TOKEN")
_revealed: set[str] = set()


class SealBroken(Exception):  # noqa: N818
    """The sealed key does not belong to this provider and host, or the keyring changed."""


def _context(provider_name: str, base_url: str) -> bytes:
    return f"{provider_name}|{urlsplit(base_url).netloc.lower()}".encode()


def _cipher(secret: str, context: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=b"crucible.provider-key.1", info=context).derive(secret.encode()))


def seal(provider_name: str, base_url: str, key: str) -> bytes:
    context, nonce = _context(provider_name, base_url), os.urandom(_NONCE_BYTES)
    cipher = _cipher(settings.CRUCIBLE_KEYRING.split(",")[0], context)
    return nonce + cipher.encrypt(nonce, key.encode(), context)


def reveal(provider_name: str, base_url: str, sealed: bytes) -> Secret:
    """The key, at call time only. Raises SealBroken."""
    context, sealed = _context(provider_name, base_url), bytes(sealed)
    for secret in settings.CRUCIBLE_KEYRING.split(","):
        try:
            key = _cipher(secret, context).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context).decode()
        except InvalidTag:
            continue
        _revealed.add(key)
        return Secret(key)
    raise SealBroken(provider_name)


def forget_provider_keys() -> list[str]:
    """Take provider keys out of the environment: a library that finds one may send it to any host it is given."""
    names = [name for name in os.environ if name.endswith(_KEY_SUFFIXES) and not name.startswith("CRUCIBLE_")]
    for name in names:
        del os.environ[name]
    return names


class SecretFilter(logging.Filter):
    """Replaces every key this process has revealed, whatever library logs it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _revealed:
            message = record.getMessage()
            for key in _revealed:
                message = message.replace(key, "[key]")
            record.msg, record.args = message, None
        return True
