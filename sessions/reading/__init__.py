"""Turning what a person brings into artifacts that can be read: pure, without storage, clock or Django.

What cannot be read is an `Unreadable` that says why and what to do next.
"""

from sessions.engine.names import clean_name
from sessions.reading.kinds import kind_of
from sessions.reading.readable import MAX_BYTES, Readable, Refusal, check_size, read_bytes, read_many, read_text
from sessions.reading.unreadable import UNREADABLE, Unreadable, megabytes

__all__ = [
    "MAX_BYTES",
    "UNREADABLE",
    "Readable",
    "Refusal",
    "Unreadable",
    "check_size",
    "clean_name",
    "kind_of",
    "megabytes",
    "read_bytes",
    "read_many",
    "read_text",
]
