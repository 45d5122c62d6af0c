"""What people are told outside of the pages: where a project's notifications go, and the deliveries that follow from
what happened. Sending is the worker's business (`sessions.deliveries`): nothing here waits for anybody."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from sessions import vault
from sessions.access import APPROVE, GRANTS, Actor
from sessions.actions import pull_requests
from sessions.actions.errors import Refused
from sessions.models import Delivery, Invitation, Membership, Notify, Project, Session, Webhook
from sessions.providers.base import ProviderError
from sessions.providers.egress import check_url, is_allowed
from sessions.providers.locality import webhook_may_be_local

WEBHOOK, PULL_REQUEST = "webhook", "pull_request"
FINISHED, FAILED, STOPPED, GATE = "finished", "failed", "stopped", "gate"
TEST, INVITATION = "test", "invitation"
LOCAL_DOMAIN = "@localhost"


def set_webhook(actor: Actor, project: Project, url: str, shape: str) -> Webhook:
    """Post the project's notifications there. Without an address the present one keeps it and only the shape changes.
    Raises Refused."""
    if shape not in Webhook.Shape.values:
        raise Refused("bad_shape", f"A shape is one of {', '.join(Webhook.Shape.values)}.")
    changed: dict[str, Any] = {"shape": shape, "changed_by": actor.user}
    if url := url.strip():
        changed |= {"host": _checked_host(url), "sealed_url": vault.seal(seal_name(project.pk), "", url)}
    elif not Webhook.objects.filter(project=project).exists():
        raise Refused("bad_address", "Enter the address that your chat gave you for incoming messages.", 422)
    webhook, _ = Webhook.objects.update_or_create(project=project, defaults=changed)
    return webhook


def remove_webhook(project: Project) -> None:
    Webhook.objects.filter(project=project).delete()


def send_test(project: Project) -> Delivery:
    """One message to the webhook that says it works."""
    if not Webhook.objects.filter(project=project).exists():
        raise Refused("no_webhook", "Enter an address first.", 409)
    return Delivery.objects.create(cause=uuid.uuid4(), recipient=WEBHOOK, what=TEST, project=project)


def choose_mail(actor: Actor, project: Project, choice: str) -> None:
    """Of which sessions of the project the actor gets mail."""
    if choice not in Notify.values:
        raise Refused("bad_choice", f"Choose one of {', '.join(Notify.values)}.")
    Membership.objects.filter(project=project, user=actor.user).update(notify=choice)


def announce(payloads: Sequence[dict[str, Any]]) -> None:
    """The outbox's messages that sessions ended, as deliveries: to the project's webhook, to the pull request that was
    reviewed, and to members who want mail. That a gate waits is told to the webhook and to those who may decide; that
    somebody stopped a session to its pull request alone. The same message twice makes the same deliveries once."""
    rows = Session.objects.filter(pk__in={payload["session"] for payload in payloads}, deleted_at=None)
    sessions = {session.pk: session for session in rows.select_related("project")}
    if not sessions:
        return
    recipients = _recipients(list(sessions.values()))
    waited_for = {payload["session"] for payload in payloads if payload["what"] == GATE}
    deciders = _deciders([session for pk, session in sessions.items() if pk in waited_for]) if waited_for else {}
    deliveries = [
        Delivery(
            cause=uuid.UUID(payload["cause"]), what=payload["what"], project=session.project, session=session,
            recipient=recipient, user_id=user_id,
        )
        for payload in payloads
        if (session := sessions.get(payload["session"]))
        for recipient, user_id in (deciders if payload["what"] == GATE else recipients)[session.pk]
        if payload["what"] != STOPPED or recipient == PULL_REQUEST
    ]  # fmt: skip
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)


def mail_invitation(invitation: Invitation) -> None:
    """Its link is made when it is sent, because no token is ever stored."""
    if invitation.email and settings.CRUCIBLE_MAIL:
        Delivery.objects.create(
            cause=invitation.code, recipient="mail", what=INVITATION, project=invitation.project, invitation=invitation
        )


def reseal_webhooks() -> tuple[int, int, list[str]]:
    """Seal every webhook's address under the keyring's newest secret: (sealed again, already under it, those that no
    secret opens)."""
    again, current, lost = 0, 0, []
    for webhook in Webhook.objects.select_related("project"):
        old = bytes(webhook.sealed_url)
        try:
            new = vault.reseal(seal_name(webhook.project_id), "", old)
        except vault.SealBroken:
            lost.append(f"webhook of {webhook.project.slug}")
            continue
        if new is None:
            current += 1
        else:
            again += Webhook.objects.filter(pk=webhook.pk, sealed_url=old).update(sealed_url=new)
    return again, current, lost


def seal_name(project_id: int) -> str:
    """What a webhook's address is sealed for: copied to another project it does not open."""
    return f"webhook {project_id}"


def _recipients(sessions: list[Session]) -> dict[int, list[tuple[str, int | None]]]:
    """Who hears of each session: (recipient, user id), by session id."""
    projects = {session.project_id for session in sessions}
    hooked = set(Webhook.objects.filter(project__in=projects).values_list("project", flat=True))
    told = pull_requests.told_among(sessions)
    found: dict[int, list[tuple[str, int | None]]] = {session.pk: [] for session in sessions}
    for session in sessions:
        found[session.pk] += [(WEBHOOK, None)] if session.project_id in hooked else []
        found[session.pk] += [(PULL_REQUEST, None)] if session.pk in told else []
    for member in _mailed(projects) if settings.CRUCIBLE_MAIL else ():
        for session in sessions:
            mine = member.notify == Notify.ALL or member.user_id == session.created_by_id
            if member.project_id == session.project_id and mine:
                found[session.pk].append((f"user {member.user_id}", member.user_id))
    return found


def _deciders(sessions: list[Session]) -> dict[int, list[tuple[str, int | None]]]:
    """Who hears that the gate of a session waits: (recipient, user id), by session id."""
    projects = {session.project_id for session in sessions}
    hooked = set(Webhook.objects.filter(project__in=projects).values_list("project", flat=True))
    mailed = _mailed(projects) if settings.CRUCIBLE_MAIL else []
    members = [member for member in mailed if APPROVE in GRANTS[member.role]]
    return {
        session.pk: [(WEBHOOK, None)] * (session.project_id in hooked)
        + [(f"user {one.user_id}", one.user_id) for one in members if one.project_id == session.project_id]
        for session in sessions
    }


def _mailed(projects: set[int]) -> list[Membership]:
    """Who wants mail about sessions of these projects: about all, or about their own."""
    rows = Membership.objects.filter(project__in=projects, notify__in=(Notify.ALL, Notify.MINE), user__is_active=True)
    return list(rows.exclude(user__email__endswith=LOCAL_DOMAIN))


def _checked_host(url: str) -> str:
    """The host to show. Raises Refused for an address that would be refused whenever it is used."""
    local = webhook_may_be_local(url)
    try:
        host = check_url(url, local).host or ""
    except ProviderError:
        form = "https://…" if not local else "http:// or https://…"
        raise Refused("bad_address", f"A webhook's address begins with {form}, with no user name in it.", 422) from None
    is_numeric = host.replace(".", "").isdigit() or ":" in host
    if (is_numeric and not is_allowed(host, local)) or (host == "localhost" and not local):
        raise Refused("address_blocked", "A webhook may not lead into a private network.", 422)
    return host
