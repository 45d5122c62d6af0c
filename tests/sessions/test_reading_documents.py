"""PDF and DOCX as text with places, and how they cannot be read."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docx.document import Document as WordDocument
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from sessions.engine.anchors import anchor_at, anchors
from sessions.reading import Readable, Unreadable, apart, read_bytes
from sessions.reading.pdf import MAX_PAGES
from tests.files import archive, docx, locked_pdf, pdf

ROOT = Path(__file__).parents[2]


def refusal(name: str, data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        read_bytes(name, data)
    return caught.value.code


def place_of(readable: Readable, words: str) -> str:
    line = next(number for number, line in enumerate(readable.text.split("\n"), 1) if words in line)
    return anchor_at(anchors(readable.text, readable.kind), line)


# --- PDF -----------------------------------------------------------------------------------------------------------


def test_a_pdf_is_a_document_whose_places_are_pages() -> None:
    read = read_bytes("offer.pdf", pdf("First words", "Second words", "The price is 5"))
    assert (read.kind, place_of(read, "Second"), place_of(read, "price")) == ("document", "Page 2", "Page 3")


def test_a_clause_of_a_pdf_is_a_closer_place_than_its_page() -> None:
    read = read_bytes("lease.pdf", pdf("Preamble", "3.2 The tenant pays\nin advance"))
    assert place_of(read, "in advance") == "3.2"


def test_pages_without_text_are_named() -> None:
    read = read_bytes("mixed.pdf", pdf("Words", "", "More", ""))
    assert any("2, 4" in notice for notice in read.notices)
    assert place_of(read, "More") == "Page 3"


def test_a_scan_is_refused_with_what_to_do() -> None:
    with pytest.raises(Unreadable) as caught:
        read_bytes("scan.pdf", pdf("", ""))
    assert (caught.value.code, "OCR" in caught.value.next_step) == ("scanned", True)


def test_a_pdf_with_a_password_is_refused() -> None:
    assert refusal("locked.pdf", locked_pdf("Secret", "open sesame")) == "encrypted"


def test_a_pdf_that_only_forbids_printing_is_read() -> None:
    assert "Public words" in read_bytes("offer.pdf", locked_pdf("Public words", "")).text


def test_a_pdf_with_too_many_pages_is_refused() -> None:
    assert refusal("long.pdf", pdf(*["x"] * (MAX_PAGES + 1))) == "too_many_pages"


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(range(256)) * 40, pdf("Words")[:200]])
def test_a_broken_pdf_is_refused(data: bytes) -> None:
    assert refusal("broken.pdf", data) in {"damaged", "scanned"}


def test_a_pdf_may_be_larger_than_a_text_but_not_without_end() -> None:
    assert refusal("large.pdf", b"%PDF-" + bytes(20_000_001)) == "too_large"


# --- DOCX ----------------------------------------------------------------------------------------------------------


def contract(document: WordDocument) -> None:
    document.add_heading("Lease", 1)
    document.add_paragraph("The parties agree.")
    document.add_heading("Term", 2)
    document.add_paragraph("It runs three years.")
    document.add_paragraph("The tenant pays.", style="List Number")
    document.add_paragraph("The landlord repairs.", style="List Number")
    document.add_paragraph("one thing", style="List Bullet")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Rent", "900"


def test_headings_of_a_docx_are_its_places() -> None:
    read = read_bytes("lease.docx", docx(contract))
    assert (read.kind, place_of(read, "agree"), place_of(read, "three years")) == ("document", "Lease", "Term")


def test_numbers_and_rows_of_a_docx_stand_in_the_text() -> None:
    text = read_bytes("lease.docx", docx(contract)).text
    wanted = ["1. The tenant pays.", "2. The landlord repairs.", "- one thing", "| Rent | 900 |"]
    assert [line for line in text.split("\n") if line in wanted] == wanted


def test_levels_of_a_list_are_counted_as_word_does() -> None:
    text = read_bytes("clauses.docx", docx(clauses)).text
    assert [line for line in text.split("\n") if line] == ["1 First", "1.1 Under it", "1.2 Beside it", "2 Second",
                                                           "2.1 Under that"]  # fmt: skip


def test_a_clause_number_of_a_docx_is_a_place() -> None:
    assert place_of(read_bytes("clauses.docx", docx(clauses)), "Beside") == "1.2"


def test_tracked_changes_are_read_as_accepted() -> None:
    read = read_bytes("draft.docx", docx(redline))
    assert "Rent is 900 euros." in read.text
    assert any("tracked changes" in notice for notice in read.notices)


def test_a_docx_that_is_none_is_refused() -> None:
    assert refusal("a.docx", archive({"a.txt": "words"})) == "damaged"


def test_a_docx_with_a_password_is_refused() -> None:
    assert refusal("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)) == "encrypted"


def test_a_docx_without_words_is_refused() -> None:
    assert refusal("a.docx", docx(lambda document: None)) == "empty"


# --- the process it is read in -------------------------------------------------------------------------------------


def test_a_parser_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "SECONDS", 0.001)
    assert refusal("a.pdf", pdf("Words")) == "too_complex"


def test_a_parser_that_dies_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_COMMAND", ("-c", "import os; os.kill(os.getpid(), 9)"))
    assert refusal("a.pdf", pdf("Words")) == "too_complex"


def test_a_parser_sees_no_environment_and_not_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "pypdf.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "Words" in read_bytes("a.pdf", pdf("Words")).text


def test_memory_of_a_parser_is_bounded() -> None:
    code = "from sessions.reading import apart; apart._parser = lambda form: lambda file: bytearray(2 * apart.MEMORY); "
    done = subprocess.run(
        [sys.executable, "-c", f"{code} apart.serve('PDF')"], input=b"", stdout=subprocess.PIPE, cwd=ROOT, timeout=30,
        check=True,
    )  # fmt: skip
    assert b"too_complex" in done.stdout


def clauses(document: WordDocument) -> None:
    """A list of two levels, "1" and "1.1", of our own making."""
    part: Any = document.part.numbering_part.element
    levels = [("%1", 0), ("%1.%2", 1)]
    abstract = OxmlElement("w:abstractNum")
    abstract.set(qn("w:abstractNumId"), "77")
    for text, level in levels:
        row = OxmlElement("w:lvl")
        row.set(qn("w:ilvl"), str(level))
        for tag, value in (("w:start", "1"), ("w:numFmt", "decimal"), ("w:lvlText", text)):
            row.append(_with_value(tag, value))
        abstract.append(row)
    part.insert(0, abstract)
    number = OxmlElement("w:num")
    number.set(qn("w:numId"), "77")
    number.append(_with_value("w:abstractNumId", "77"))
    part.append(number)
    for words, level in (("First", 0), ("Under it", 1), ("Beside it", 1), ("Second", 0), ("Under that", 1)):
        place = OxmlElement("w:numPr")
        place.append(_with_value("w:ilvl", str(level)))
        place.append(_with_value("w:numId", "77"))
        document.add_paragraph(words)._p.get_or_add_pPr().append(place)


def redline(document: WordDocument) -> None:
    paragraph = document.add_paragraph("Rent is ")._p
    for tag, text_tag, words in (("w:del", "w:delText", "800"), ("w:ins", "w:t", "900")):
        change, run, text = OxmlElement(tag), OxmlElement("w:r"), OxmlElement(text_tag)
        text.text = words
        run.append(text)
        change.append(run)
        paragraph.append(change)
    run, text = OxmlElement("w:r"), OxmlElement("w:t")
    text.text = " euros."
    run.append(text)
    paragraph.append(run)


def _with_value(tag: str, value: str) -> Any:
    element = OxmlElement(tag)
    element.set(qn("w:val"), value)
    return element
