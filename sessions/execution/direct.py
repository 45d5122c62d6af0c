"""Carries sessions on this process's own engine loop."""

from sessions.worker import worker


def carry(session_id: int) -> None:
    worker().submit(session_id)
