from sessions.models.artifacts import Artifact, ArtifactVersion, Roster
from sessions.models.catalog import LanguageModel, ModelPrice, Provider
from sessions.models.certification import Attestation, Certificate, Standard, StandardVersion
from sessions.models.content import Content
from sessions.models.deliberation import Position, Round
from sessions.models.events import Event, IdempotencyKey, Outbox
from sessions.models.exports import ExportPiece, ProjectExport
from sessions.models.findings import Finding, FindingComment, Opinion, Report
from sessions.models.gates import Gate, GateDecision, GatePolicy
from sessions.models.invitations import Invitation
from sessions.models.journal import Attempt, Step
from sessions.models.notifications import Delivery, Webhook
from sessions.models.projects import ApiKey, Membership, Notify, Project, Role, SeparateApprover
from sessions.models.pullrequests import PullRequest, PullRequestHead, Repository
from sessions.models.sessions import Participant, Session, SessionSource
from sessions.models.sharing import ReportLink
from sessions.models.templates import SavedTemplate
from sessions.models.unpacking import Unpacking

__all__ = [
    "ApiKey", "Artifact", "ArtifactVersion", "Attempt", "Attestation", "Certificate", "Content", "Delivery", "Event",
    "ExportPiece", "Finding", "FindingComment", "Gate", "GateDecision", "GatePolicy", "IdempotencyKey", "Invitation",
    "LanguageModel", "Membership", "ModelPrice", "Notify", "Opinion", "Outbox", "Participant", "Position", "Project",
    "ProjectExport", "Provider", "PullRequest", "PullRequestHead", "Report", "ReportLink", "Repository", "Role",
    "Roster", "Round", "SavedTemplate", "SeparateApprover", "Session", "SessionSource", "Standard", "StandardVersion",
    "Step", "Unpacking", "Webhook",
]  # fmt: skip
