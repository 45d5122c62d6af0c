"""A certificate as it is handed out: with what it is worth now, signed, after what is stored was checked once more."""

import hashlib
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.http import Http404
from django.utils import timezone

from sessions.actions.errors import Refused
from sessions.certificates.signing import sign
from sessions.engine.certificate import faults
from sessions.invariants import logs_are_whole
from sessions.models import Certificate, Event, Session
from sessions.queries.certification import worth_of

SECONDS = "%Y-%m-%dT%H:%M:%SZ"


def newest_certificate(session: Session) -> Certificate:
    """Raises Refused when the session has none."""
    found = Certificate.objects.filter(session=session).select_related("content", "session").first()
    if found is None:
        raise Refused("no_certificate", "This session has no certificate.", 404)
    return found


def find_certificate(code: UUID | str) -> Certificate:
    """Anybody may, who knows its code. Raises Http404."""
    rows = Certificate.objects.select_related("content", "session")
    try:
        return rows.get(pk=code, session__deleted_at=None)
    except (Certificate.DoesNotExist, ValidationError):
        raise Http404 from None


def is_intact(certificate: Certificate) -> bool:
    """Whether the stored document is the one whose digest the session's log names, and the log is whole."""
    named = Event.objects.filter(
        session=certificate.session_id,
        kind="certificate.issued",
        data__certificate__digest=certificate.digest,
    )
    log = Session.objects.filter(pk=certificate.session_id)
    return named.exists() and next(logs_are_whole(log), None) is None and _holds(certificate)


def signed_certificate(certificate: Certificate) -> dict[str, Any]:
    """What `sessions.certificates.checking` checks. Raises Refused when its words were erased, or when what is stored
    is not what was issued."""
    if certificate.content.erased_at:
        raise Refused(
            "certificate_erased", "This certificate was erased with the artifact or session it is about.", 410
        )
    if not is_intact(certificate):
        raise Refused("certificate_damaged", "What is stored of this certificate is not what was issued.", 409)
    worth = worth_of(certificate)
    whole = {
        "certificate": orjson.loads(certificate.content.text),
        "id": str(certificate.pk),
        "session": str(certificate.session.code),
        "issued_at": certificate.issued_at.strftime(SECONDS),
        "status": {"state": worth.state, "because": worth.because, "at": timezone.now().strftime(SECONDS)},
    }
    return whole | {"signature": sign(whole)}


def _holds(certificate: Certificate) -> bool:
    content = certificate.content
    if content.erased_at:
        return True
    same = hashlib.sha256(content.text.encode()).hexdigest() == certificate.digest
    return same and not faults(orjson.loads(content.text))
