"""Row h: how long until a worker can work and the first page answers, and how much memory it takes without LiteLLM."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 5
WORKER = """
import django; django.setup()
from sessions.worker import worker, stop_worker
from sessions.providers import adapter
import sessions.tasks
worker(); adapter("openai_wire"); adapter("demo")
import resource, sys
assert "litellm" not in sys.modules, "LiteLLM is imported before anybody needs it"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
stop_worker()
"""


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="crucible-bench-") as data:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "crucible_site.settings",
            "CRUCIBLE_DATA_DIR": data,
            "DATABASE_URL": "",
            "REDIS_URL": "",
        }
        _first_page(environment)
        pages = [_first_page(environment) for _ in range(REPEATS)]
        workers = [_worker(environment) for _ in range(REPEATS)]
    seconds = statistics.median(seconds for seconds, _ in workers)
    megabytes = statistics.median(megabytes for _, megabytes in workers)
    return [
        {"row": "h", "what": "worker ready", "figure": round(seconds, 2), "must": 3.0, "unit": "s"},
        {"row": "h", "what": "worker memory", "figure": round(megabytes, 1), "must": 200.0, "unit": "MB"},
        {"row": "h", "what": "first page", "figure": round(statistics.median(pages), 2), "must": 5.0, "unit": "s"},
    ]


def _worker(environment: dict[str, str]) -> tuple[float, float]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    megabytes = float(process.stdout.readline())
    seconds = time.perf_counter() - begun
    process.wait(20)
    return seconds, megabytes


def _first_page(environment: dict[str, str]) -> float:
    """Seconds from `make run` on a prepared checkout to its first page."""
    begun = time.perf_counter()
    process = subprocess.Popen(["make", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    link = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
    with urllib.request.urlopen(link) as page:  # noqa: S310 - our own server on loopback
        assert page.status == 200
    seconds = time.perf_counter() - begun
    process.terminate()
    process.wait(30)
    return seconds
