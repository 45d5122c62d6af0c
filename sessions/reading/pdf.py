"""PDF to text. Every page begins with a heading, so that a place in it is "Page 4" or, below, the clause."""

from io import BytesIO

from pypdf import PasswordType, PdfReader

from sessions.reading.unreadable import Unreadable

MAX_PAGES = 500
MAX_CHARACTERS = 5_000_000
MAX_NAMED = 10


def pdf_text(file: BytesIO) -> tuple[str, list[str]]:
    """The text, and sentences about what is missing in it. Raises Unreadable (`encrypted`, `too_many_pages`,
    `scanned`, `too_large`) and whatever pypdf stumbles over."""
    reader = PdfReader(file)
    # Many files are encrypted with an empty password, only to forbid printing.
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise Unreadable("encrypted")
    count = len(reader.pages)
    if count > MAX_PAGES:
        raise Unreadable("too_many_pages", size=f"{count:,}", limit=MAX_PAGES)
    pages, length = [], 0
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        length += len(pages[-1])
        if length > MAX_CHARACTERS:
            raise Unreadable("too_large", size="more text", limit=f"{MAX_CHARACTERS // 1_000_000} million characters")
    blank = [str(number) for number, text in enumerate(pages, 1) if not text]
    if len(blank) == count:
        raise Unreadable("scanned", pages=count)
    text = "\n\n".join(f"## Page {number}\n\n{text}" for number, text in enumerate(pages, 1) if text)
    return f"{text}\n", _notices(blank, count)


def _notices(blank: list[str], count: int) -> list[str]:
    notices = [f"It was read from a PDF of {count} {'page' if count == 1 else 'pages'}; pictures are not read."]
    if blank:
        more = f" and {len(blank) - MAX_NAMED} more" if len(blank) > MAX_NAMED else ""
        notices.append(f"Pages without text, perhaps scans, are not read: {', '.join(blank[:MAX_NAMED])}{more}.")
    return notices
