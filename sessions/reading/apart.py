"""Parsing what strangers made in a process of its own: with less memory, a deadline, no environment and no secrets, so
that a hostile PDF, DOCX or ZIP costs one small process and not the server.

The child gets the file on stdin and answers one JSON document: `{"result": ...}` or `{"code": ..., "facts": {...}}`.
"""

import contextlib
import json
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from sessions.reading.unreadable import Unreadable

Format = Literal["PDF", "DOCX", "ZIP"]

SECONDS = 30
MEMORY = 1_000_000_000  # bytes of address space; reading 500 pages of text takes a tenth of it
AT_ONCE = 2

_ROOT = Path(__file__).resolve().parents[2]
# -I: neither the working directory nor the environment decides what is imported; a reviewed repository is both.
_COMMAND = ("-I", "-X", "utf8", "-c",
            "import sys; sys.path.insert(0, sys.argv[1]); from sessions.reading.apart import serve; serve(sys.argv[2])",
            str(_ROOT))  # fmt: skip
_places = threading.BoundedSemaphore(AT_ONCE)


def parse_apart(form: Format, data: bytes) -> Any:
    """What the parser of this format makes of `data`. Raises Unreadable: what the parser says, or `damaged`,
    `too_complex`, `busy`. It blocks for up to two deadlines: never call it on an event loop."""
    if not _places.acquire(timeout=SECONDS):
        raise Unreadable("busy")
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, *_COMMAND, form], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={},
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unreadable("too_complex", format=form, seconds=SECONDS) from None
    finally:
        _places.release()
    if done.returncode:  # killed by its limits, or out of memory where no handler could say so
        raise Unreadable("too_complex", format=form, seconds=SECONDS)
    answer = json.loads(done.stdout)
    if "code" in answer:
        raise Unreadable(answer["code"], **answer["facts"])
    return answer["result"]


def serve(form: str) -> None:
    """The child's whole life."""
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit; the deadline holds there all the same
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answer = _answer(form, sys.stdin.buffer.read())
    json.dump(answer, sys.stdout)  # not orjson: a PDF may hold half characters, which are removed later


def _answer(form: str, data: bytes) -> dict[str, Any]:
    try:
        return {"result": _parser(form)(BytesIO(data))}
    except Unreadable as refusal:
        return {"code": refusal.code, "facts": refusal.facts}
    except (MemoryError, RecursionError):
        return {"code": "too_complex", "facts": {"format": form, "seconds": SECONDS}}
    except Exception:  # noqa: BLE001 - parsers of other people's formats raise whatever they stumble over
        return {"code": "damaged", "facts": {"format": form}}


def _parser(form: str) -> Callable[[BytesIO], Any]:
    """Imported in the child alone: the server never loads a parser."""
    if form == "PDF":
        from sessions.reading.pdf import pdf_text

        return pdf_text
    if form == "DOCX":
        from sessions.reading.docx import docx_text

        return docx_text
    from sessions.reading.archive import entries

    return entries
