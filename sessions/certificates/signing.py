"""The installation's Ed25519 keys (RFC 8032), and their public halves as a JSON Web Key Set (RFC 7517, RFC 8037).

A key is derived from a secret of `CRUCIBLE_SIGNING_KEY` with HKDF-SHA256. The first secret signs; all of them are
published, so that what an older one signed can still be checked.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from sessions.engine.certificate import canonical

PublicKeys = Mapping[str, Ed25519PublicKey]
"""By key id, which is the key's thumbprint (RFC 7638)."""


class BadKey(Exception):  # noqa: N818
    """What was given is no public key of the kind."""


def secrets() -> list[str]:
    """The newest first."""
    return [secret.strip() for secret in settings.CRUCIBLE_SIGNING_KEY.split(",") if secret.strip()]


def sign(value: Any) -> dict[str, str]:
    """The signature over the canonical JSON of `value`, with the id of the key."""
    key = _private(secrets()[0])
    return {
        "algorithm": "Ed25519",
        "key": thumbprint(key.public_key()),
        "value": _encoded(key.sign(canonical(value))),
    }


def is_signed(value: Any, signature: str, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(_decoded(signature), canonical(value))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def key_set() -> dict[str, Any]:
    """What `/.well-known/crucible-keys.json` says."""
    return {"keys": [_jwk(_private(secret).public_key()) for secret in secrets()]}


def read_keys(found: Any) -> PublicKeys:
    """The keys of a key set, of one JWK, or of the bare `x` of one. Raises BadKey."""
    if isinstance(found, str):
        found = {"kty": "OKP", "crv": "Ed25519", "x": found.strip()}
    rows = found.get("keys", [found]) if isinstance(found, dict) else []
    try:
        ours = [row for row in rows if row["kty"] == "OKP" and row["crv"] == "Ed25519"]
        keys = [Ed25519PublicKey.from_public_bytes(_decoded(row["x"])) for row in ours]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadKey from None
    if not keys:
        raise BadKey
    return {thumbprint(key): key for key in keys}


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: SHA-256 over the members that make the key."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _encoded(key.public_bytes_raw())}
    return _encoded(hashlib.sha256(canonical(members)).digest())


def _private(secret: str) -> Ed25519PrivateKey:
    seed = HKDF(SHA256(), 32, salt=b"crucible.certificate.1", info=b"ed25519").derive(secret.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    x = _encoded(key.public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": thumbprint(key), "x": x}


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
