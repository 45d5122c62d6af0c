"""Likely secrets in what is about to be sent."""

from collections.abc import Iterable

from sessions.models import ArtifactVersion
from sessions.reading.secrets_scan import Suspect, is_dotenv, likely_secrets


def suspects_in(versions: Iterable[ArtifactVersion]) -> list[Suspect]:
    """Where in these versions something looks like a secret: file, line and kind, never the value, `.env` files first.
    Only versions that were found to hold any are read again."""
    found = sorted((version for version in versions if version.likely_secrets), key=secrecy)
    return likely_secrets((version.artifact.name, version.content.text) for version in found)


def secrecy(version: ArtifactVersion) -> int:
    """Where a version stands in a list of what is sent, so that nobody overlooks a secret: `.env` files, then others
    that hold likely secrets, then the rest."""
    if not version.likely_secrets:
        return 2
    return 0 if is_dotenv(version.artifact.name) else 1
