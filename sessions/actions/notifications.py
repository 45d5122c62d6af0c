"""What people are told outside of the pages: where a project's notifications go, and the deliveries that follow from
what happened. Sending is the worker's business (`sessions.deliveries`): nothing here waits for anybody."""

import uuid
from typing import Any

from django.conf import settings
from django.db.models import Q

from sessions import vault
from sessions.access import Actor
from sessions.actions import pull_requests
from sessions.actions.errors import Refused
from sessions.models import Delivery, Invitation, Membership, Notify, Project, Session, Webhook
from sessions.providers.base import ProviderError
from sessions.providers.egress import check_url, is_allowed
from sessions.providers.locality import webhook_may_be_local

WEBHOOK, PULL_REQUEST = "webhook", "pull_request"
FINISHED, FAILED, TEST, INVITATION = "finished", "failed", "test", "invitation"
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


def announce(payload: dict[str, Any]) -> None:
    """The outbox's message that a session ended, as deliveries: to the project's webhook, to the pull request it
    reviewed, and to members who want mail. The same message twice makes the same deliveries once."""
    session = Session.objects.select_related("project").filter(pk=payload["session"], deleted_at=None).first()
    if session is None:
        return
    members = _mailed(session) if settings.CRUCIBLE_MAIL else []
    people = {f"user {member.user_id}": member.user_id for member in members}
    webhook = {WEBHOOK: None} if Webhook.objects.filter(project=session.project).exists() else {}
    pull_request = {PULL_REQUEST: None} if pull_requests.is_told(session) else {}
    about = {"cause": uuid.UUID(payload["cause"]), "what": payload["what"], "project": session.project}
    rows = [
        Delivery(recipient=recipient, user_id=user_id, session=session, **about)
        for recipient, user_id in {**webhook, **pull_request, **people}.items()
    ]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)


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


def _mailed(session: Session) -> list[Membership]:
    wanted = Q(notify=Notify.ALL) | Q(notify=Notify.MINE, user=session.created_by_id)
    rows = Membership.objects.filter(wanted, project=session.project, user__is_active=True)
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
