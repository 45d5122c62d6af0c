"""The event log: what may be said, and how it is chained.

Kinds are dotted past tense, each with a declared schema that refuses extra fields: a module of this package by noun.
Data holds ids, digests, codes and whole numbers; a text is named as `{"id": ..., "digest": ...}`. Only actions, the
runner and the journal append.
"""

import hashlib
import uuid
from datetime import datetime
from typing import Any

import orjson

from sessions.events import certificates, findings, gates, rounds, sessions
from sessions.events.data import Data

KINDS: dict[str, type[Data]] = sessions.KINDS | findings.KINDS | rounds.KINDS | gates.KINDS | certificates.KINDS


def checked(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """`data` as it will be stored. Raises KeyError for an unknown kind, pydantic.ValidationError for bad data."""
    return KINDS[kind].model_validate(data).model_dump(mode="json")


def canonical(seq: int, kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    """The text the chain is computed over: sorted keys, whole numbers, UTC to the microsecond."""
    return orjson.dumps([seq, kind, at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), data], option=orjson.OPT_SORT_KEYS)


def link(previous: str, seq: int, kind: str, at: datetime, data: dict[str, Any]) -> str:
    """SHA-256 over the previous digest and this event."""
    return hashlib.sha256(previous.encode() + b"\n" + canonical(seq, kind, at, data)).hexdigest()


def text_ref(content_id: uuid.UUID, digest: str) -> dict[str, str]:
    return {"id": str(content_id), "digest": digest}


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
