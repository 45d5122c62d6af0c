"""Likely secrets in what is about to be sent."""

from collections.abc import Iterable

from sessions.models import ArtifactVersion
from sessions.reading.secrets_scan import Suspect, likely_secrets


def suspects_in(versions: Iterable[ArtifactVersion]) -> list[Suspect]:
    """Where in these versions something looks like a secret: file, line and kind, never the value. Only versions that
    were found to hold any are read again."""
    found = [version for version in versions if version.likely_secrets]
    return likely_secrets((version.artifact.name, version.content.text) for version in found)
