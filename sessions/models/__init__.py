from sessions.models.artifacts import Artifact, ArtifactVersion, Roster
from sessions.models.catalog import LanguageModel, ModelPrice, Provider
from sessions.models.content import Content
from sessions.models.events import Event, IdempotencyKey, Outbox
from sessions.models.exports import ExportPiece, ProjectExport
from sessions.models.findings import Finding, FindingComment, Opinion, Report
from sessions.models.invitations import Invitation
from sessions.models.journal import Attempt, Step
from sessions.models.notifications import Delivery, Webhook
from sessions.models.projects import ApiKey, Membership, Notify, Project, Role
from sessions.models.pullrequests import PullRequest, PullRequestHead, Repository
from sessions.models.sessions import Participant, Session, SessionSource
from sessions.models.templates import SavedTemplate

__all__ = [
    "ApiKey", "Artifact", "ArtifactVersion", "Attempt", "Content", "Delivery", "Event", "ExportPiece", "Finding",
    "FindingComment", "IdempotencyKey", "Invitation", "LanguageModel", "Membership", "ModelPrice", "Notify",
    "Opinion", "Outbox", "Participant", "Project", "ProjectExport", "Provider", "PullRequest", "PullRequestHead",
    "Report", "Repository", "Role", "Roster", "SavedTemplate", "Session", "SessionSource", "Step", "Webhook",
]  # fmt: skip
