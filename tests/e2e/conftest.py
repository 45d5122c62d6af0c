"""Stacks that all modules share. What a test leaves behind is checked after it: the invariants hold in every stack."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Provider, Scaled, Stack, mock_provider
from tests.e2e.stack import embedded as start_embedded
from tests.e2e.stack import scaled as start_scaled
from tools.services import postgres, redis


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with mock_provider() as found:
        yield found


@pytest.fixture(scope="session")
def embedded_stack(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start_embedded(tmp_path_factory.mktemp("embedded"), provider) as stack:
        yield stack


@pytest.fixture(scope="session")
def scaled_stack(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scaled]:
    missing = [name for name in ("POSTGRES", "REDIS") if not os.environ.get(f"CRUCIBLE_TEST_{name}_URL")]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}; `make test` starts them")
    with (
        postgres() as database,  # our own: the shared ones must not be stopped
        redis() as broker,
        start_scaled(tmp_path_factory.mktemp("scaled"), provider, database, broker) as stack,
    ):
        yield stack
