"""Stacks that the modules share. After every test the invariants hold for the sessions it ran; at the end of a stack
they hold for all, and no secret can be found in anything it keeps or said."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.client import eventually
from tests.e2e.stack import (
    CANARY,
    ENVIRONMENT_KEY,
    Provider,
    Scaled,
    Stack,
    mock_provider,
    start_embedded,
    start_scaled,
)
from tools.services import postgres, redis

# Every wait of a call to a provider, in seconds, so that a provider that hangs costs a test little time.
HASTY = "connect=1,first_byte=1,idle=1,wall=5"


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with mock_provider() as found:
        yield found


@pytest.fixture(scope="session")
def embedded_stack(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start_embedded(tmp_path_factory.mktemp("embedded"), provider) as stack, sound_to_the_end(stack):
        yield stack


@pytest.fixture(scope="session")
def hasty_stack(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("hasty")
    with start_embedded(home, provider, CRUCIBLE_DEADLINES=HASTY) as stack, sound_to_the_end(stack):
        yield stack


@pytest.fixture(scope="session")
def scaled_stack(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scaled]:
    missing = [name for name in ("POSTGRES", "REDIS") if not os.environ.get(f"CRUCIBLE_TEST_{name}_URL")]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}; `make test` starts them")
    home = tmp_path_factory.mktemp("scaled")
    with (
        postgres() as database,  # our own: the ones that tests share must not be stopped
        redis() as broker,
        start_scaled(home, provider, database, broker) as stack,
        sound_to_the_end(stack),
    ):
        yield stack


@contextmanager
def sound_to_the_end(stack: Stack) -> Iterator[None]:
    yield
    assert stack.console("violations") == []
    for secret in (CANARY, ENVIRONMENT_KEY, stack.client.key):
        assert stack.places_of(secret) == []


@pytest.fixture
def embedded(embedded_stack: Stack) -> Iterator[Stack]:
    """One process on SQLite."""
    yield embedded_stack
    assert embedded_stack.console("violated") == []


@pytest.fixture
def hasty(hasty_stack: Stack) -> Iterator[Stack]:
    """The same with little patience for providers."""
    yield hasty_stack
    assert hasty_stack.console("violated") == []


@pytest.fixture
def scaled(scaled_stack: Scaled) -> Iterator[Scaled]:
    """Two web and two worker processes on PostgreSQL and Redis, all of them at work."""
    eventually(scaled_stack.workers_listen)
    yield scaled_stack
    assert scaled_stack.console("violated") == []


@pytest.fixture(params=["embedded", "scaled"])
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.getfixturevalue(request.param)
    return found
