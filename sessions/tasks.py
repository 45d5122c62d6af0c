"""The only Celery task: a doorbell. It retries nothing, returns nothing and touches no ORM.

It does not wait for the session: a message that is acknowledged at once cannot be lost with a broker connection (kombu
ends a worker that loses Redis while messages are unacknowledged), and no thread stands idle. The lease says who works.
"""

from celery import shared_task


@shared_task(name="crucible.run_session", max_retries=0, ignore_result=True)  # type: ignore[untyped-decorator]
def run_session(*session_ids: int) -> None:
    from sessions.worker import worker

    for session_id in session_ids:
        worker().submit(session_id)
