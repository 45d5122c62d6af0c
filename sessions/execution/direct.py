"""Carries sessions on this process's own engine loop."""

from django.conf import settings

from sessions.worker import worker


def carry(*session_ids: int) -> None:
    """Where another engine is asked for, this process stands in for it: it carries what it is given and sweeps for
    nothing, or it would go on taking sessions from the workers when they can be reached again."""
    here = worker(sweeps=settings.CRUCIBLE_ENGINE == "direct")
    for session_id in session_ids:
        here.submit(session_id)
