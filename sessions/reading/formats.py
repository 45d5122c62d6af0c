"""What a file is by its first bytes: formats that are read by a parser of their own, and those that are refused by
name."""

from sessions.reading.apart import Format
from sessions.reading.unreadable import Unreadable

_EXPORT = "Export it as text and bring that."
_UNPACK = "Unpack it and bring the text files in it."
_DESCRIBE = "Leave it out, or describe it in text."
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIPPED_DOCUMENTS = ("docx", "xlsx", "pptx", "odt", "ods", "odp", "epub")
_FORMATS = (
    (b"{\\rtf", "RTF document", _EXPORT),
    (_OLE, "DOC, XLS or PPT document", _EXPORT),
    (b"SQLite format 3\x00", "SQLite database", _EXPORT),
    (_ZIP, "ZIP archive", "Bring it where several files can be brought, or unpack it."),
    (b"\x1f\x8b\x08", "gzip archive", _UNPACK),
    (b"BZh", "bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "xz archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "RAR archive", _UNPACK),
    (b"\x89PNG\r\n\x1a\n", "PNG image", _DESCRIBE),
    (b"\xff\xd8\xff", "JPEG image", _DESCRIBE),
    (b"GIF87a", "GIF image", _DESCRIBE),
    (b"GIF89a", "GIF image", _DESCRIBE),
    (b"II*\x00", "TIFF image", _DESCRIBE),
    (b"MM\x00*", "TIFF image", _DESCRIBE),
)


def document_format(name: str, data: bytes) -> Format | None:
    """The parser for a file that is text inside of a format. Raises Unreadable for a DOCX with a password, which is
    wrapped into the format that old Word files had."""
    suffix = _suffix(name)
    if suffix == "docx" and data.startswith(_OLE):
        raise Unreadable("encrypted")
    if data.startswith(b"%PDF-"):
        return "PDF"
    return "DOCX" if suffix == "docx" and data.startswith(_ZIP) else None


def is_archive(name: str, data: bytes) -> bool:
    """Whether it is a ZIP of files, and not one of the documents that are ZIPs inside."""
    return data.startswith((_ZIP, b"PK\x05\x06")) and _suffix(name) not in _ZIPPED_DOCUMENTS


def refuse_formats(name: str, data: bytes) -> None:
    """Raises Unreadable when the file begins like a format that is not read here."""
    for magic, label, advice in _FORMATS:
        if data.startswith(magic):
            if magic == _ZIP and _suffix(name) in _ZIPPED_DOCUMENTS:
                label, advice = f"{_suffix(name).upper()} document", _EXPORT
            raise Unreadable("unsupported_format", format=label, advice=advice)


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()
