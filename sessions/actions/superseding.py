"""What a new version of an artifact does to certificates of an earlier one: their sessions say so in their logs, and
whoever looks at one sees it at once."""

from sessions.actions.log import append
from sessions.models import ArtifactVersion, Certificate, Session
from sessions.writer import Draft


def tell_superseded(version: ArtifactVersion) -> None:
    """In the caller's transaction. What a certificate is worth is computed from the versions, not from this event."""
    of_it = {"session__sources__version__artifact": version.artifact, "session__sources__context": False}
    certified = Certificate.objects.filter(**of_it, session__deleted_at=None).values("session")
    for session in Session.objects.filter(pk__in=certified).order_by("pk"):
        append(session, [Draft("certificate.superseded", {"version": version.pk})])
