"""People around one project: who owns it, works in it, reads it, and who has nothing to do with it."""

from pathlib import Path
from typing import Any

import pytest

from crucible_site.models import User
from sessions.models import Project, Role, Session
from tests import factories


@pytest.fixture(autouse=True)
def _static_root(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns of one that is not there, and warnings are errors


@pytest.fixture
def owner(db: Any) -> User:
    return factories.user("owner")


@pytest.fixture
def project(owner: User) -> Project:
    return factories.project(owner)


@pytest.fixture
def member(project: Project) -> User:
    found = factories.user("member")
    factories.join(found, project, Role.MEMBER)
    return found


@pytest.fixture
def viewer(project: Project) -> User:
    found = factories.user("viewer")
    factories.join(found, project, Role.VIEWER)
    return found


@pytest.fixture
def stranger(db: Any) -> User:
    """Somebody with a project of their own."""
    found = factories.user("stranger")
    factories.project(found, "Elsewhere")
    return found


@pytest.fixture
def reviewed(owner: User, project: Project) -> Session:
    """A completed review; see `factories.reviewed`."""
    return factories.reviewed(owner, project)
