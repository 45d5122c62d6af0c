"""Files as strangers bring them, made in memory: PDF, DOCX, ZIP."""

import stat
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO

from docx import Document
from docx.document import Document as WordDocument
from pypdf import PdfReader, PdfWriter

ROOM = "0 -20 Td"


def pdf(*pages: str) -> bytes:
    """One page per text, one line of the page per line; an empty text is a page without any, as a scan has."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        lines = [f"({line.replace('(', '').replace(')', '')}) Tj {ROOM}" for line in text.split("\n") if line]
        stream = f"BT /F1 12 Tf 72 720 Td {' '.join(lines)} ET" if lines else ""
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {number + 1} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>"
    return _assembled(objects)


def _assembled(objects: list[str]) -> bytes:
    out, places = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    count = len(objects) + 1
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return f"{out}xref\n0 {count}\n0000000000 65535 f \n{table}{trailer}".encode("latin-1")


def locked_pdf(text: str, password: str) -> bytes:
    """Encrypted for whoever does not know the password; an empty one opens by itself."""
    writer, out = PdfWriter(clone_from=PdfReader(BytesIO(pdf(text)))), BytesIO()
    writer.encrypt(user_password=password, owner_password="another one", algorithm="AES-256")
    writer.write(out)
    return out.getvalue()


def docx(write: Callable[[WordDocument], object]) -> bytes:
    document, out = Document(), BytesIO()
    write(document)
    document.save(out)
    return out.getvalue()


def archive(files: Mapping[str, bytes | str], links: Mapping[str, str] | None = None) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
        for name, target in (links or {}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(entry, target)
    return out.getvalue()
