"""Keys: a model's own reaches its provider and nobody else, and one in the environment reaches nobody."""

import subprocess
import sys

import pytest

from tests.e2e.client import review_of
from tests.e2e.stack import CANARY, ENVIRONMENT_KEY, ROOT, Stack

pytestmark = pytest.mark.slow

CODE = "def step(value):\n    return value / 3\n"
# What Celery does when it starts a worker process and when it ends one.
WORKER = """
import django, os
django.setup()
from crucible_site import celery
celery.start_worker()
print([name for name in os.environ if name.endswith("_API_KEY")])
celery.let_go()
"""


def test_a_key_that_the_provider_repeats_is_kept_and_said_nowhere(stack: Stack) -> None:
    client = stack.client
    models = [stack.model(f"echoes:echo:{stack.port}"), stack.model(f"echoes:echo:{stack.port}", vendor="anthropic")]
    code = client.review(models, client.artifact("steps.py", CODE))
    assert set(client.rest(code)["who_answered"]["missing"].values()) == {"provider_auth"}
    client.page(f"/sessions/{code}/")
    client.get(f"/api/v1/sessions/{code}/export")
    client.get("/api/v1/models")
    assert stack.provider.seen("key")[CANARY] >= 2
    assert stack.places_of(CANARY) == []


def test_a_key_in_the_environment_is_never_sent(embedded: Stack) -> None:
    client = embedded.client
    models = [embedded.model("keyless", key=""), embedded.model("keyless", key="", vendor="anthropic")]
    code = client.review(models, client.artifact("steps.py", CODE))
    client.completed(code)
    refused = client.ask("POST", "/api/v1/sessions", review_of(["gpt-4"], client.artifact("steps.py", CODE)))
    assert refused.error == (400, "no_key")
    assert ENVIRONMENT_KEY not in embedded.provider.seen("key")


def test_a_worker_forgets_the_keys_of_its_environment(embedded: Stack) -> None:
    assert any(name.endswith("_API_KEY") for name in embedded.variables)
    worker = subprocess.run(
        [sys.executable, "-c", WORKER], cwd=ROOT, env=embedded.variables, stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert (worker.returncode, worker.stdout.strip()) == (0, "[]")
