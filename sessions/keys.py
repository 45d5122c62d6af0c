"""Secrets that are shown once: API keys and sign-in links. Only a SHA-256 of them is kept."""

import hashlib
import secrets

PREFIX = "cru_"


def new_key() -> str:
    """An API key: 192 random bits behind a prefix that secret scanners can find."""
    return PREFIX + secrets.token_urlsafe(24)


def digest_of_key(key: str) -> str:
    """A fast hash is right here: the input has 192 random bits, so there is nothing to guess."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def new_token() -> str:
    """The token of a single-use link: 192 random bits."""
    return secrets.token_urlsafe(24)
