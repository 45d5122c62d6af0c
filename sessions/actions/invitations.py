"""Invitations: a link that lets one person into a project, once, with a role that was chosen when it was made."""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from sessions import live
from sessions.access import MANAGE, OWN, Actor, grants_in
from sessions.actions.errors import Refused
from sessions.actions.notifications import mail_invitation
from sessions.actions.projects import keep_open
from sessions.keys import digest_of_key, new_token
from sessions.models import Invitation, Membership, Project, Role
from sessions.people import User

LIFETIME_DAYS = (1, 7, 30)
MAX_OPEN = 100
MAX_PER_HOUR = 50
OPEN, USED, REVOKED, EXPIRED = "open", "used", "revoked", "expired"
_ENDED = {
    USED: "This invitation has been used: a link lets one person in. Ask whoever sent it for another one.",
    REVOKED: "This invitation was taken back. Ask whoever sent it for another one.",
    EXPIRED: "This invitation has expired. Ask whoever sent it for another one.",
}


def invite(actor: Actor, project: Project, role: str, email: str = "", days: int = 7) -> tuple[Invitation, str]:
    """The invitation and the token of its link, which is shown once. With an e-mail address it is also mailed, when the
    server can send mail, and nobody else may use it."""
    email = _checked(actor, project, role, email, days)
    token = new_token()
    with transaction.atomic():
        keep_open(project)
        row = Invitation.objects.create(
            project=project,
            role=role,
            email=email,
            digest=digest_of_key(token),
            invited_by=actor.user,
            expires_at=timezone.now() + timedelta(days=days),
        )
        mail_invitation(row)
    return row, token


def revoke_invitation(invitation: Invitation) -> None:
    """Take it back; one that has been used stays used."""
    Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None).update(revoked_at=timezone.now())


def find_invitation(token: str) -> Invitation | None:
    """By the token of the link that was shown, or of the one that was mailed. None when nobody ever made it, or when
    its project is gone."""
    digest = digest_of_key(token)
    rows = Invitation.objects.select_related("project", "invited_by").filter(project__deleted_at=None)
    return rows.filter(digest=digest).first() or rows.filter(mailed_digest=digest).first()


def state_of(invitation: Invitation, now: datetime) -> str:
    if invitation.used_at:
        return USED
    if invitation.revoked_at:
        return REVOKED
    return EXPIRED if invitation.expires_at <= now else OPEN


def require_usable(invitation: Invitation, user: User | None = None) -> None:
    """Raises Refused when it has ended, when whoever made it may not invite any more, when `user` is somebody else than
    it is for, or belongs to the project already."""
    state = state_of(invitation, timezone.now())
    if state != OPEN:
        raise Refused(f"invitation_{state}", _ENDED[state], 410)
    if not _may_invite(Actor(invitation.invited_by), invitation.project, invitation.role):
        raise Refused("invitation_void", "Whoever made this invitation may not invite people any more.", 410)
    if user is not None:
        _require_person(invitation, user)


def accept_invitation(invitation: Invitation, user: User) -> Membership:
    """Make `user` a member. Of two that accept at the same time one is refused. Raises Refused."""
    with transaction.atomic():
        keep_open(invitation.project)
        require_usable(invitation, user)
        unused = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None, expires_at__gt=Now())
        if not unused.update(used_at=Now(), used_by=user):
            invitation.refresh_from_db()
            require_usable(invitation, user)
        try:
            with transaction.atomic():
                membership = Membership.objects.create(project=invitation.project, user=user, role=invitation.role)
        except IntegrityError:  # by another invitation, at the same moment
            raise _member_already(invitation) from None
        transaction.on_commit(lambda: live.rights_changed(user.pk))
    return membership


def _checked(actor: Actor, project: Project, role: str, email: str, days: int) -> str:
    """The address in its one form. Raises Refused."""
    if role not in Role.values:
        raise Refused("bad_role", f"A role is one of {', '.join(Role.values)}.")
    if days not in LIFETIME_DAYS:
        raise Refused("bad_lifetime", f"An invitation lasts {', '.join(map(str, LIFETIME_DAYS))} days.")
    if not _may_invite(actor, project, role):
        raise Refused("denied", "Only an owner can invite an owner.", 403)
    email = email.strip().lower()
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise Refused("bad_email", "This is not an e-mail address.", 422) from None
    if Membership.objects.filter(project=project, user__email=email).exists():
        raise Refused("already_member", f"{email} belongs to this project already.", 409)
    made = Invitation.objects.filter(invited_by=actor.user, created_at__gt=Now() - timedelta(hours=1)).count()
    open_rows = project.invitations.filter(used_at=None, revoked_at=None, expires_at__gt=Now()).count()
    if made >= MAX_PER_HOUR or open_rows >= MAX_OPEN:
        raise Refused("too_many_invitations", "Too many invitations are open. Revoke some, or wait an hour.", 429)
    return email


def _may_invite(actor: Actor, project: Project, role: str) -> bool:
    return grants_in(actor, project) >= {OWN if role == Role.OWNER else MANAGE}


def _require_person(invitation: Invitation, user: User) -> None:
    if Membership.objects.filter(project=invitation.project, user=user).exists():
        raise _member_already(invitation)
    if invitation.email and invitation.email != user.email.lower():
        sentence = f"This invitation is for {invitation.email}, and you are signed in as {user.email}."
        raise Refused("invitation_for_another", sentence, 403)


def _member_already(invitation: Invitation) -> Refused:
    return Refused("already_member", f"You belong to {invitation.project} already.", 409)
