"""The Celery application of `celery -A crucible_site worker`."""

import logging
import os
import sys
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crucible_site.settings")
# Checks import every URL and the API; a worker serves neither, and would start a second later and 40 MB larger.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

logger = logging.getLogger(__name__)

app = Celery("crucible")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Pool threads use the default app; without this a task can be received and vanish.
app.set_default()
app.autodiscover_tasks(["sessions"])


@worker_init.connect  # type: ignore[untyped-decorator]
def start_worker(**_: Any) -> None:
    """Before the broker is asked: the sweeper carries sessions also while Redis is away."""
    from sessions.checks import require_sound_environment
    from sessions.vault import forget_provider_keys
    from sessions.worker import worker

    require_sound_environment()
    forget_provider_keys()
    try:
        worker()
    except Exception:
        # Celery would log it and go on, as a process that takes messages and carries nothing.
        logger.exception("the worker could not start")
        sys.exit(1)


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def let_go(**_: Any) -> None:
    from sessions.worker import stop_worker

    stop_worker()
