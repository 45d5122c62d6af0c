import pytest

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.lifecycle import NewSession, create_session, start_session
from sessions.actions.rosters import default_seats
from sessions.models import ArtifactVersion, Session
from sessions.seeding import OWNER_EMAIL, seed


@pytest.fixture
def review(transactional_db: None) -> Session:
    """A queued review of a demo file by three demo models."""
    project = seed()
    actor = Actor(User.objects.get(email=OWNER_EMAIL))
    version = ArtifactVersion.objects.select_related("artifact", "content").filter(artifact__kind="code").first()
    assert version is not None
    new = NewSession("review", default_seats(), [version], nonce_seed="ab" * 32)
    return start_session(actor, create_session(actor, project, new), dispatch=False)
