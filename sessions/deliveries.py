"""Mail and webhook messages, tried until they arrive or are given up. A worker does this beside its sessions: nobody
waits for a mail server or for somebody else's chat."""

import asyncio
import smtplib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import aiohttp
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from sessions import vault
from sessions.actions import pull_requests
from sessions.actions.errors import Refused
from sessions.actions.invitations import require_usable
from sessions.actions.notifications import GATE, INVITATION, PULL_REQUEST, STOPPED, TEST, WEBHOOK, seal_name
from sessions.db import db
from sessions.keys import digest_of_key, new_token
from sessions.models import Delivery, Invitation, Membership, Session, Webhook
from sessions.providers.base import ProviderError
from sessions.providers.egress import check_url, http_session, wire_errors
from sessions.providers.locality import webhook_may_be_local
from sessions.reports import letters
from sessions.reports.letters import Letter

# Seconds before the second, third, ... try; after the last one it is given up.
WAITS = (10, 60, 300, 1_800, 7_200)
# A worker that dies with a delivery loses this much time, and perhaps a message arrives twice.
CLAIM = timedelta(seconds=60)
AT_ONCE = 8
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
SENT = "sent"
# Trying again would not help.
FINAL = {*pull_requests.FINAL, "address_blocked", "unsealable", "no_webhook", "gone", "mail_refused"}

Send = Callable[[], Awaitable[str]]


class Undeliverable(Exception):  # noqa: N818
    """There is nothing to send any more, or nowhere to send it; the message is the delivery's code."""


async def deliver_due() -> None:
    """Send what is due, several at a time. A delivery that two workers see is sent by one of them."""
    await asyncio.gather(*(_deliver(pk, tries) for pk, tries in await db(_claim)))


def is_final(code: str) -> bool:
    """An answer of 400 or more that is the sender's fault, a redirect, or one of FINAL."""
    return code in FINAL or (code.isdigit() and 300 <= int(code) < 500 and code not in {"408", "429"})


def arrived(code: str) -> bool:
    return code == SENT or (code.isdigit() and 200 <= int(code) < 300)


async def _deliver(pk: UUID, tries: int) -> None:
    begun = time.monotonic()
    try:
        send = await db(_prepare, pk)
        code = await send()
    except Undeliverable as reason:
        code = str(reason)
    except ProviderError as failure:
        code = failure.code
    await db(_record, pk, tries, code, int((time.monotonic() - begun) * 1000))


def _claim() -> list[tuple[UUID, int]]:
    """What this worker sends now: (id, which try this is)."""
    due = Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lte=Now())
    found = list(due.order_by("due_at").values_list("pk", "tries")[:AT_ONCE])
    return [
        (pk, tries + 1)
        for pk, tries in found
        if due.filter(pk=pk, tries=tries).update(tries=F("tries") + 1, due_at=Now() + CLAIM)
    ]


def _record(pk: UUID, tries: int, code: str, milliseconds: int) -> None:
    """A row that was claimed again meanwhile belongs to somebody else."""
    row = Delivery.objects.filter(pk=pk, tries=tries, state=Delivery.State.WAITING)
    if arrived(code):
        row.update(state=Delivery.State.SENT, code=code, milliseconds=milliseconds, ended_at=timezone.now())
    elif is_final(code) or tries > len(WAITS):
        row.update(state=Delivery.State.GIVEN_UP, code=code, milliseconds=milliseconds, ended_at=timezone.now())
    else:
        row.update(code=code, milliseconds=milliseconds, due_at=Now() + timedelta(seconds=WAITS[tries - 1]))


def _prepare(pk: UUID) -> Send:
    """How to send it. Raises Undeliverable."""
    invitation = ("invitation__project", "invitation__invited_by")
    row = Delivery.objects.select_related("project", "session__project", "user", *invitation).get(pk=pk)
    if row.project.deleted_at or (row.session and row.session.deleted_at):
        raise Undeliverable("gone")
    if row.what == INVITATION:
        return _invitation(row)
    if row.recipient == PULL_REQUEST:
        return _pull_request(row)
    letter = _letter(row)
    return _post(row, letter) if row.recipient == WEBHOOK else _member_mail(row, letter)


def _letter(row: Delivery) -> Letter:
    if row.what == TEST:
        return letters.of_test(row.project)
    return letters.of_gate(_session(row)) if row.what == GATE else letters.of_session(_session(row), row.what)


def _session(row: Delivery) -> Session:
    if row.session is None:
        raise Undeliverable("gone")
    return row.session


def _post(row: Delivery, letter: Letter) -> Send:
    webhook = Webhook.objects.filter(project=row.project).first()
    if webhook is None:
        raise Undeliverable("no_webhook")
    try:
        url = vault.reveal(seal_name(row.project_id), "", bytes(webhook.sealed_url)).value
    except vault.SealBroken:
        raise Undeliverable("unsealable") from None
    return partial(post_json, url, letter.payload(webhook.shape))


def _pull_request(row: Delivery) -> Send:
    if row.what == STOPPED and _session(row).status != "cancelled":
        raise Undeliverable("gone")  # somebody has started it once more: its end will be told
    try:
        telling = pull_requests.prepare_telling(_session(row))
    except Refused:
        raise Undeliverable("unsealable") from None
    if telling is None:
        raise Undeliverable("gone")
    return telling


async def post_json(url: str, payload: dict[str, object]) -> str:
    """The HTTP status as a code. Its body is not read: it is nobody's business here, and could be endless. Raises
    ProviderError."""
    local = webhook_may_be_local(url)
    with wire_errors():
        async with http_session(local).post(
            check_url(url, local), json=payload, allow_redirects=False, timeout=TIMEOUT
        ) as reply:
            return str(reply.status)


def _member_mail(row: Delivery, letter: Letter) -> Send:
    """Whoever left meanwhile gets nothing."""
    if row.user is None or not Membership.objects.filter(project=row.project, user=row.user_id).exists():
        raise Undeliverable("gone")
    page = letters.absolute(reverse("sessions:notifications", args=[row.project.slug]))
    return partial(_mail, row.user.email, letter.subject, letter.body(f"Which mail you get is chosen here: {page}"))


def _invitation(row: Delivery) -> Send:
    """With a link of its own, made now: a token is never stored. One that was mailed before it ends."""
    invitation = row.invitation
    if invitation is None:
        raise Undeliverable("gone")
    try:
        require_usable(invitation)
    except Refused:
        raise Undeliverable("gone") from None
    token = new_token()
    Invitation.objects.filter(pk=invitation.pk).update(mailed_digest=digest_of_key(token))
    letter = letters.of_invitation(invitation, token)
    return partial(_mail, invitation.email, letter.subject, letter.body())


async def _mail(to: str, subject: str, body: str) -> str:
    message = EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, [to])
    try:
        await asyncio.to_thread(message.send)
    except smtplib.SMTPRecipientsRefused:
        return "mail_refused"
    except (smtplib.SMTPException, OSError):
        return "mail_failed"
    return SENT
