"""How people read where a finding is."""

import pytest

from sessions.queries import Place


@pytest.mark.parametrize(
    ("place", "words", "spot"),
    [
        (Place("pay.py", 2, 2, "pay"), "pay.py:2", "line 2"),
        (Place("pay.py", 2, 5), "pay.py:2-5", "line 2-5"),
        (Place("offer.pdf", 7, 9, "Page 4"), "offer.pdf, Page 4", "Page 4"),
        (Place("Lease.DOCX", 7, 9, "3.2"), "Lease.DOCX, 3.2", "3.2"),
        (Place("offer.pdf", 7, 9), "offer.pdf:7-9", "line 7-9"),
        (Place("", 3, 3, "x"), "line 3", "line 3"),
    ],
)
def test_a_place_is_a_line_or_in_a_pdf_or_docx_a_page_or_clause(place: Place, words: str, spot: str) -> None:
    assert (str(place), place.spot) == (words, spot)
