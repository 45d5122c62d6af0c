from sessions.models.artifacts import Artifact, ArtifactVersion, Roster
from sessions.models.catalog import LanguageModel, ModelPrice, Provider
from sessions.models.content import Content
from sessions.models.events import Event, IdempotencyKey, Outbox
from sessions.models.findings import Finding, Report
from sessions.models.journal import Attempt, Step
from sessions.models.projects import ApiKey, Membership, Project, Role
from sessions.models.sessions import Participant, Session, SessionSource

__all__ = [
    "ApiKey", "Artifact", "ArtifactVersion", "Attempt", "Content", "Event", "Finding", "IdempotencyKey",
    "LanguageModel", "Membership", "ModelPrice", "Outbox", "Participant", "Project", "Provider", "Report", "Role",
    "Roster", "Session", "SessionSource", "Step",
]  # fmt: skip
