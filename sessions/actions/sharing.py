"""Links to a report: made for a time, taken back at any moment, worth nothing once whoever made one has left."""

from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from sessions.access import MANAGE, WRITE, Actor, grants_in
from sessions.actions.errors import Refused
from sessions.keys import digest_of_key, new_token
from sessions.models import ReportLink, Session

LIFETIME_DAYS = (7, 30, 90)
MAX_OPEN = 20


def share_report(actor: Actor, session: Session, days: int = 30, *, public: bool = False) -> tuple[ReportLink, str]:
    """The link and its token, which is shown once. Raises Refused; a public link takes the right to manage."""
    if days not in LIFETIME_DAYS:
        raise Refused("bad_lifetime", f"A link lasts {', '.join(map(str, LIFETIME_DAYS))} days.")
    if _needed(public) not in grants_in(actor, session.project):
        raise Refused("denied", "Only who manages the project may show a report to people who are not signed in.", 403)
    if open_links(session).count() >= MAX_OPEN:
        raise Refused("too_many_links", f"This report has {MAX_OPEN} links already. Take one back first.", 409)
    token = new_token()
    ends = timezone.now() + timedelta(days=days)
    link = ReportLink.objects.create(
        session=session, digest=digest_of_key(token), public=public, created_by_id=actor.user_id, expires_at=ends
    )
    return link, token


def revoke_link(session: Session, code: UUID) -> None:
    """Take a link back; one that is gone stays gone."""
    open_links(session).filter(code=code).update(revoked_at=timezone.now())


def open_links(session: Session) -> QuerySet[ReportLink]:
    return ReportLink.objects.filter(session=session, revoked_at=None, expires_at__gt=timezone.now())


def find_link(token: str) -> ReportLink | None:
    """The link with that token, None when it has ended, its session is gone, or whoever made it could not make it any
    more."""
    rows = ReportLink.objects.filter(
        digest=digest_of_key(token),
        revoked_at=None,
        expires_at__gt=timezone.now(),
        session__deleted_at=None,
        session__project__deleted_at=None,
    )
    link = rows.select_related("session__project", "session__summary", "created_by").first()
    if link is None or _needed(link.public) not in grants_in(Actor(link.created_by), link.session.project):
        return None
    return link


def _needed(public: bool) -> str:
    return MANAGE if public else WRITE
