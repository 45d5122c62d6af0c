"""Turning what a person brings into artifacts that can be read: without storage or Django.
Parsers of PDF, DOCX and ZIP run in a process of their own (`apart`).

What cannot be read is an `Unreadable` that says why and what to do next.
"""

from sessions.engine.names import clean_name
from sessions.reading.kinds import kind_of
from sessions.reading.readable import MAX_BYTES, Readable, check_size, read_bytes, read_text
from sessions.reading.several import Refusal, read_many
from sessions.reading.unreadable import IGNORED, UNREADABLE, Unreadable, megabytes

__all__ = [
    "IGNORED",
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
