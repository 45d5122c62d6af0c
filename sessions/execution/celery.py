"""Carries sessions to Celery workers. The message is a doorbell: it may be lost, doubled or late without harm."""

from kombu.exceptions import OperationalError

from sessions.execution import EngineUnreachable


def carry(*session_ids: int) -> None:
    from sessions.tasks import run_session

    try:
        run_session.apply_async(args=session_ids, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        raise EngineUnreachable from error
