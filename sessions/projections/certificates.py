"""What certifiers attested, and the certificate."""

import uuid

from sessions.models import Attestation, Certificate
from sessions.projections.changes import Change, Occurred, Put, seat


def attestation_submitted(event: Occurred) -> list[Change]:
    data, letter = event.data, event.data["letter"]
    copied = ("own", "derived", "verdict", "mismatch", "answers")
    fields = {"session_id": event.session_id, "letter": letter, "content_id": uuid.UUID(data["words"]["id"])}
    row = Put(
        Attestation,
        uuid.uuid5(event.session_code, f"attestation-{letter}"),
        fields | {name: data[name] for name in copied},
    )
    return [row, seat(event, "done", partial=data["partial"], read_in_part=data["read_in_part"], error_code="")]


def certificate_issued(event: Occurred) -> list[Change]:
    document = event.data["certificate"]
    fields = {"session_id": event.session_id, "content_id": uuid.UUID(document["id"]), "digest": document["digest"]}
    pk = uuid.uuid5(event.session_code, f"certificate-{document['digest']}")
    return [Put(Certificate, pk, fields | {"issued_at": event.at})]
