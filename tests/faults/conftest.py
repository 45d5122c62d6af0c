import pytest

from crucible_site.models import User
from sessions.models import Project, Session
from tests import factories
from tests.driving import queued


@pytest.fixture
def owner(transactional_db: None) -> User:
    return factories.user("owner")


@pytest.fixture
def project(owner: User) -> Project:
    return factories.project(owner)


@pytest.fixture
def review(owner: User, project: Project) -> Session:
    """A queued review by three demo models."""
    return queued(owner, project, nonce_seed="ab" * 32)
