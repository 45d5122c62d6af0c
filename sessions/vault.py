"""Provider keys at rest, and the guard that keeps them out of logs.

A key is sealed with AES-256-GCM under a key derived for one provider at one host (HKDF-SHA256 over the installation's
keyring): copied to another row or kept after the host changed, it does not open. `CRUCIBLE_KEYRING` may hold several
secrets separated by commas: the first seals, all of them open, which is how it is rotated.
"""

import base64
import logging
import os
import traceback
from urllib.parse import quote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from sessions.providers.base import Secret

_NONCE_BYTES = 12
_KEY_SUFFIXES = ("_API_KEY", "_ACCESS_KEY", "_SECRET_KEY", "_API_TOKEN")
# Shorter ones are placeholders ("none") and words; hiding them would only garble the log.
_SHORTEST_KEY = 8
_revealed: dict[str, tuple[str, ...]] = {}


class SealBroken(Exception):  # noqa: N818
    """The sealed key does not belong to this provider and host, or the keyring changed."""


def host_of(base_url: str) -> str:
    """What a key is bound to: scheme, host and port. The same host without TLS is another one."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _context(provider_name: str, base_url: str) -> bytes:
    return f"{provider_name}|{host_of(base_url)}".encode()


def _cipher(secret: str, context: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=b"crucible.provider-key.1", info=context).derive(secret.encode()))


def keyring() -> list[str]:
    """The newest secret first. An empty one, left by a comma too many, would seal with nothing."""
    return [secret.strip() for secret in settings.CRUCIBLE_KEYRING.split(",") if secret.strip()]


def seal(provider_name: str, base_url: str, key: str) -> bytes:
    context, nonce = _context(provider_name, base_url), os.urandom(_NONCE_BYTES)
    cipher = _cipher(keyring()[0], context)
    return nonce + cipher.encrypt(nonce, key.encode(), context)


def reveal(provider_name: str, base_url: str, sealed: bytes) -> Secret:
    """The key, at call time only. Raises SealBroken."""
    _, key = _open(provider_name, base_url, sealed)
    return key


def reseal(provider_name: str, base_url: str, sealed: bytes) -> bytes | None:
    """The key under the keyring's newest secret, or None when that one has sealed it already. Raises SealBroken."""
    position, key = _open(provider_name, base_url, sealed)
    return seal(provider_name, base_url, key.value) if position else None


def _open(provider_name: str, base_url: str, sealed: bytes) -> tuple[int, Secret]:
    """(position in the keyring of the secret that opens it, the key). Raises SealBroken."""
    context, sealed = _context(provider_name, base_url), bytes(sealed)
    for position, secret in enumerate(keyring()):
        try:
            key = _cipher(secret, context).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context).decode()
        except (InvalidTag, ValueError):  # ValueError: it was cut
            continue
        if len(key) >= _SHORTEST_KEY:
            _revealed[key] = _spellings(key)
        return position, Secret(key)
    raise SealBroken(provider_name)


def forget_provider_keys() -> list[str]:
    """Take provider keys out of the environment: a library that finds one may send it to any host it is given."""
    names = [name for name in os.environ if name.endswith(_KEY_SUFFIXES) and not name.startswith("CRUCIBLE_")]
    for name in names:
        del os.environ[name]
    return names


class SecretFilter(logging.Filter):
    """Replaces every key this process has revealed, whatever library logs it: in the message, in its arguments and in
    the traceback, which handlers would otherwise format after all filters."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _revealed:
            record.msg, record.args = _without_keys(_message_of(record)), None
            if record.exc_info and not record.exc_text:
                record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            if record.exc_text:
                record.exc_text = _without_keys(record.exc_text)
        return True


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # the logging module would print the arguments to say so
        return f"{record.msg} (its arguments do not fit)"


def _without_keys(text: str) -> str:
    for spellings in list(_revealed.values()):
        for spelling in spellings:
            text = text.replace(spelling, "[key]")
    return text


def _spellings(key: str) -> tuple[str, ...]:
    """The key as headers, URLs and encoders write it."""
    raw = key.encode()
    encoded = [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    return tuple(dict.fromkeys([key, quote(key), quote(key, safe=""), *encoded]))
