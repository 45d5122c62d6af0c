import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.engine.evidence import Evidence, edit_distance_within, locate
from sessions.engine.findings import Location
from sessions.engine.roster import ArtifactKind, Source

NOWHERE = Location()
CODE = """\
import requests

def fetch(url, timeout=5):
    for attempt in range(3):
        response = requests.get(url)
        if response.ok:
            return response.json()
    raise TimeoutError(url)

def fetch_all(urls):
    return [fetch(url) for url in urls]
"""
DOCUMENT = """\
# Supply agreement

## 3 Payment

3.1 Invoices are due within thirty days.
3.2 The supplier may charge interest of 9 % on late payments.

## Termination

Either party may terminate with notice.
"""
DIFF = """\
diff --git a/app/client.py b/app/client.py
--- a/app/client.py
+++ b/app/client.py
@@ -10,3 +10,3 @@ def fetch(url):
     session = open_session()
-    return session.get(url, timeout=5)
+    return session.get(url)
     # nothing more to do here
diff --git a/app/other.py b/app/other.py
--- a/app/other.py
+++ b/app/other.py
@@ -1,2 +1,3 @@
 first line of other
+second line of other
 third line of other
"""


def evidence(text: str = CODE, kind: ArtifactKind = "code", name: str = "client.py") -> Evidence:
    return Evidence(Source(ref=f"ref-{name}", name=name, kind=kind, text=text, digest=""))


def lines(quote: str, location: Location = NOWHERE, text: str = CODE) -> tuple[int | None, int | None] | None:
    """The lines where `quote` was found; None when it was not."""
    found, place = evidence(text).verify(quote, location)
    return (place.start_line, place.end_line) if found else None


def test_a_verbatim_quote_is_found_and_gives_its_line() -> None:
    assert lines("response = requests.get(url)") == (5, 5)


def test_a_quote_over_several_lines_gives_all_of_them() -> None:
    assert lines("if response.ok:\n            return response.json()") == (6, 7)


@pytest.mark.parametrize(
    "quote",
    [
        "response   =\trequests.get(url)",
        "5|         response = requests.get(url)",
        " 5|         response = requests.get(url)\n 6|         if response.ok:",
        "`response = requests.get(url)`",
        '"response = requests.get(url)"',
        "response = requests.got(url)",
        "response = request.get(url)",
    ],
)
def test_a_quote_copied_with_small_changes_is_found(quote: str) -> None:
    assert (lines(quote) or (0, 0))[0] == 5


@pytest.mark.parametrize(
    "quote",
    ["response = requests.post(url, data)", "this is not in the file at all", "", "url", "      ", "|||||||||||||"],
)
def test_a_quote_that_is_not_there_or_too_short_is_not_verified(quote: str) -> None:
    assert lines(quote) is None


def test_curly_quotes_and_dashes_are_the_same_as_straight_ones() -> None:
    assert lines("the “best” way – always", text='one\nthe "best" way - always\n') == (2, 2)


@pytest.mark.parametrize(
    ("quote", "found"),
    [("abcdefghij klmnopqrst", True), ("abXdefghij klmnopqYst", True), ("aXXdefghij kYYnopqrst", False)],
)
def test_one_letter_in_ten_may_differ(quote: str, found: bool) -> None:
    assert (lines(quote, text="zzz abcdefghij klmnopqrst zzz") is not None) is found


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (Location(), (2, 2)),
        (Location(start_line=2, end_line=2), (2, 2)),
        (Location(start_line=7), (8, 8)),
        (Location(start_line=9, end_line=12), (8, 8)),
        (Location(start_line=4, end_line=4), (2, 2)),
        (Location(start_line=500), (8, 8)),
    ],
)
def test_wrong_lines_become_those_of_the_nearest_place(stated: Location, expected: tuple[int, int]) -> None:
    assert lines("same_call(here)", stated, "a\nsame_call(here)\nb\nc\nd\ne\nf\nsame_call(here)\ng\n") == expected


def test_stated_lines_around_the_quote_are_kept() -> None:
    assert lines("response = requests.get(url)", Location(start_line=3, end_line=8)) == (3, 8)


def test_lines_that_do_not_exist_are_dropped_when_nothing_is_found() -> None:
    found, place = evidence().verify("no such text in it", Location(start_line=400, end_line=401))
    assert (found, place.start_line, place.end_line) == (False, None, None)


def test_possible_lines_are_kept_when_nothing_is_found() -> None:
    found, place = evidence().verify("no such text in it", Location(start_line=4, end_line=99))
    assert (found, place.start_line, place.end_line) == (False, 4, 11)


def test_the_path_is_the_name_of_the_source() -> None:
    assert evidence().verify("requests.get(url)", Location(path="src/client.py"))[1].path == "client.py"


@pytest.mark.parametrize(
    ("quote", "anchor"),
    [
        ("Invoices are due within thirty days", "3.1"),
        ("interest of 9 % on late payments", "3.2"),
        ("Either party may terminate with notice", "Termination"),
    ],
)
def test_a_document_gives_the_anchor_that_was_not_stated(quote: str, anchor: str) -> None:
    assert evidence(DOCUMENT, "document").verify(quote, Location())[1].anchor == anchor


def test_a_stated_anchor_is_kept() -> None:
    found = evidence(DOCUMENT, "document").verify("interest of 9 %", Location(anchor="clause 3.2"))
    assert found[1].anchor == "clause 3.2"


@pytest.mark.parametrize(
    ("quote", "path", "line"),
    [
        ("return session.get(url)", "app/client.py", 11),
        ("+    return session.get(url)", "app/client.py", 11),
        ("-    return session.get(url, timeout=5)", "app/client.py", 11),
        ("return session.get(url, timeout=5)", "app/client.py", 11),
        ("# nothing more to do here", "app/client.py", 12),
        ("second line of other", "app/other.py", 2),
    ],
)
def test_in_a_diff_places_are_lines_of_the_new_file(quote: str, path: str, line: int) -> None:
    found, place = evidence(DIFF, "diff", "change.diff").verify(quote, Location(path="other.py", start_line=11))
    assert (found, place.path, place.start_line) == (True, path, line)


def test_a_finding_is_placed_in_the_source_that_holds_its_quote() -> None:
    both = [evidence("def one():\n    pass\n", name="one.py"), evidence("def two():\n    pass\n", name="two.py")]
    source, found, place = locate("def two():", Location(path="one.py", start_line=1), both)
    assert (source.name, found, place.path) == ("two.py", True, "two.py")


def test_a_quote_in_several_sources_belongs_to_the_one_that_is_named() -> None:
    both = [evidence("shared_line = 1\n", name="one.py"), evidence("shared_line = 1\n", name="lib/two.py")]
    assert locate("shared_line = 1", Location(path="two.py"), both)[0].name == "lib/two.py"


def test_without_its_quote_a_finding_stays_where_it_says_it_is() -> None:
    both = [evidence(name="one.py"), evidence(name="two.py")]
    source, found, _ = locate("nowhere to be found", Location(path="two.py"), both)
    assert (source.name, found) == ("two.py", False)


@pytest.mark.parametrize("text", ["", "\n\n\n", "   \n"])
def test_an_empty_source_holds_no_quote(text: str) -> None:
    assert lines("anything at all", Location(start_line=3), text) is None


@pytest.mark.parametrize(
    ("pattern", "text", "distance", "end"),
    [("abc", "xxabcxx", 0, 5), ("abc", "xxabxx", 1, 4), ("abc", "", 3, 0), ("kitten", "the sitting cat", 2, 10)],
)
def test_the_edit_distance_is_that_of_the_best_part(pattern: str, text: str, distance: int, end: int) -> None:
    assert edit_distance_within(pattern, text) == (distance, end)


def slow_distance_within(pattern: str, text: str) -> int:
    """Sellers' table, row by row."""
    row = list(range(len(pattern) + 1))
    best = row[-1]
    for char in text:
        previous, row = row, [0]
        for index, wanted in enumerate(pattern, 1):
            row.append(min(previous[index - 1] + (wanted != char), previous[index] + 1, row[-1] + 1))
        best = min(best, row[-1])
    return best


@settings(max_examples=300)
@given(st.text("abc", min_size=1, max_size=12), st.text("abc", max_size=25))
def test_the_bit_parallel_distance_equals_the_table(pattern: str, text: str) -> None:
    assert edit_distance_within(pattern, text)[0] == slow_distance_within(pattern, text)


@settings(max_examples=200)
@given(st.integers(0, 10), st.integers(0, 39), st.characters(codec="ascii", categories=["L"]))
def test_a_changed_letter_does_not_lose_the_line(line: int, at: int, letter: str) -> None:
    rows = [f"{number:02d} a sentence of some length, row {chr(97 + number) * 6}" for number in range(11)]
    quote = rows[line][:at] + letter + rows[line][at + 1 :]
    assert (lines(quote, text="\n".join(rows)) or (0, 0))[0] == line + 1


SIZES = {
    "10,000 lines": "\n".join(f"value_{number} = compute({number * 7919 % 10_007})" for number in range(10_000)),
    "one line of 1 MB": " ".join(f"word{number % 977}" for number in range(130_000)),
    "one letter": "a" * 1_000_000,
    "two letters": "ab" * 500_000,
    "chance": "".join(random.Random(1).choices("ab ", k=1_000_000)),
}
QUOTES = {
    "there": "value_9000 = compute(",
    "nearly there": "value_9000 = komputes(63",
    "not there": "this text does not occur in any of them, " * 6,
    "periodic": "ab" * 149 + "x",
    "one letter": "a" * 298 + "b",
    "chance": "".join(random.Random(2).choices("ab ", k=300)),
}


@pytest.mark.parametrize("text", SIZES.values(), ids=SIZES.keys())
def test_large_sources_are_searched_in_bounded_time(text: str) -> None:
    began = time.process_time()
    source = evidence(text)
    for quote in QUOTES.values():
        source.verify(quote, Location(start_line=9_999))
    assert time.process_time() - began < 3
