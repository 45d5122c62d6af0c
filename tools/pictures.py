"""PNG of few colours: a screenshot at a quarter of its size. `tools/palette.js` chooses them, in a browser's page."""

import base64
import struct
import zlib
from pathlib import Path

from playwright.sync_api import Page

COLOURS = 256
CHOOSE = (Path(__file__).parent / "palette.js").read_text().partition("async")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
EIGHT_BITS, INDEXED = 8, 3


def shrink(page: Page, png: bytes) -> bytes:
    """The picture with at most COLOURS colours. `page` is any page that may run scripts of others."""
    found = page.evaluate("".join(CHOOSE[1:]), [base64.b64encode(png).decode(), COLOURS])
    return encode(found["width"], found["height"], found["palette"], base64.b64decode(found["rows"]))


def encode(width: int, height: int, palette: list[list[int]], indices: bytes) -> bytes:
    """An indexed PNG. `palette` holds red, green and blue of each colour; `indices` one byte per pixel, row by row."""
    rows = b"".join(b"\0" + indices[start : start + width] for start in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, EIGHT_BITS, INDEXED, 0, 0, 0)
    colours = bytes(value for colour in palette for value in colour)
    parts = {b"IHDR": header, b"PLTE": colours, b"IDAT": zlib.compress(rows, 9), b"IEND": b""}
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts.items())


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
