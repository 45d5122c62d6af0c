"""Secrets of authenticator apps and recovery codes at rest: sealed with the keyring, as provider keys are. A copy of
the database alone gives nobody's second factor away."""

import base64

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied

from sessions import vault

_NAME = "second factor"
# Where allauth keeps what it encrypts, by type of authenticator.
_SEALED = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return _written(vault.seal(_NAME, "", text))

    def decrypt(self, encrypted_text: str) -> str:
        """Denied when no secret of the keyring opens it: an empty secret would be one that everybody knows."""
        try:
            return vault.reveal(_NAME, "", _read(encrypted_text)).value
        except vault.SealBroken:
            raise PermissionDenied("second factor") from None


def reseal_second_factors() -> tuple[int, int, list[str]]:
    """Seal them under the keyring's newest secret: (sealed again, already under it, whose no secret opens)."""
    again, current, lost = 0, 0, []
    for row in Authenticator.objects.filter(type__in=_SEALED).select_related("user").order_by("pk"):
        field = _SEALED[row.type]
        try:
            new = vault.reseal(_NAME, "", _read(row.data[field]))
        except vault.SealBroken:
            lost.append(f"second factor of {row.user.email}")
            continue
        if new is None:
            current += 1
        else:
            # Only in the old one's place: one that is set up anew meanwhile stays.
            again += Authenticator.objects.filter(pk=row.pk, data=row.data).update(
                data=row.data | {field: _written(new)}
            )
    return again, current, lost


def _written(sealed: bytes) -> str:
    return base64.b64encode(sealed).decode()


def _read(text: str) -> bytes:
    """What is no Base64 opens as little as what was sealed for something else."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
