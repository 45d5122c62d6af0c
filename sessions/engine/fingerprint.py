"""Finding the same defect again, in another session or in a later version of the artifact."""

import hashlib
import re

from sessions.engine.evidence import bare_quote
from sessions.engine.findings import Finding, Report
from sessions.engine.similarity import LINE_KINDS, anchor_words

_LINE_REFERENCE = re.compile(r"\b(?:lines?|l)\s*\d+(?:\s*[-\u2013]\s*(?:l\s*)?\d+)?", re.IGNORECASE)


def fingerprint(found: Finding | Report) -> str:
    """Hex SHA-256 of file name, category family, quote, and what the anchor names. It holds nothing that an edit
    elsewhere moves: no version, no line, no section number. Another quote is another defect. Never an identity: the
    same words may stand twice in a file."""
    report = found.canonical if isinstance(found, Finding) else found
    by_lines = report.kind in LINE_KINDS
    words = anchor_words(_LINE_REFERENCE.sub("", report.location.anchor), by_lines)
    quote = bare_quote(report.evidence, report.kind == "diff").lower()
    # `Pool.stop` and `stop` are the same symbol.
    parts = (report.location.path, report.family, quote, *(words[-1:] if by_lines else words))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()
