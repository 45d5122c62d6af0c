"""The only Celery task: drive one session. It retries nothing, returns nothing and touches no ORM."""

from celery import shared_task


@shared_task(name="crucible.run_session", max_retries=0, ignore_result=True)  # type: ignore[untyped-decorator]
def run_session(session_id: int) -> None:
    from sessions.worker import worker

    worker().submit(session_id).result()
