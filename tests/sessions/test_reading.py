import codecs
import hashlib
import time
import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.roster import ArtifactKind
from sessions.reading import UNREADABLE, Unreadable, clean_name, kind_of, read_bytes, read_many, read_text
from sessions.reading.readable import LONG_LINE, MAX_BYTES, MAX_LINES
from sessions.reading.several import MAX_FILES, MAX_TOTAL_BYTES

DIFF = "diff --git a/x b/x\nindex 1..2\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


def refusal(name: str, data: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read_bytes(name, data)
    return caught.value


# --- encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("na\u00efve \u65e5\u672c".encode(), "na\u00efve \u65e5\u672c"),
        (codecs.BOM_UTF8 + b"text", "text"),
        ("\ufeff\u65e5\u672c".encode("utf-16-le"), "\u65e5\u672c"),
        ("\ufeff\u65e5\u672c".encode("utf-16-be"), "\u65e5\u672c"),
        ("The caf\u00e9 costs \u20ac5".encode("cp1252"), "The caf\u00e9 costs \u20ac5"),
        ("Gr\u00fc\u00dfe an alle".encode("latin-1"), "Gr\u00fc\u00dfe an alle"),
    ],
)
def test_the_encoding_is_found(data: bytes, text: str) -> None:
    assert read_bytes("a.txt", data).text == text


def test_a_guessed_encoding_is_said() -> None:
    assert "Windows-1252" in read_bytes("a.txt", "The caf\u00e9 is open".encode("cp1252")).notices[0]


def test_utf8_cut_within_a_character_is_read_and_said() -> None:
    readable = read_bytes("a.txt", "\u65e5\u672c\u8a9e".encode()[:-1])
    assert (readable.text, len(readable.notices)) == ("\u65e5\u672c\ufffd", 2)


@pytest.mark.parametrize("codec", ["koi8-r", "cp1251", "cp866"])
def test_text_in_another_encoding_is_refused_not_guessed(codec: str) -> None:
    text = "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440"
    assert refusal("a.txt", text.encode(codec)).code == "unknown_encoding"


# --- what is no text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b" \r\n\t", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\0\0"])
def test_a_file_without_text_is_refused(data: bytes) -> None:
    assert refusal("a.txt", data).code == "empty"


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.xlsx", b"PK\x03\x04\x14\x00", "XLSX"),
        ("a.zip", b"PK\x03\x04\x14\x00", "ZIP"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00", "PNG"),
        ("a.txt", b"\xff\xd8\xff\xe0", "JPEG"),
        ("a.rtf", b"{\\rtf1\\ansi", "RTF"),
    ],
)
def test_a_known_format_is_named_in_the_refusal(name: str, data: bytes, word: str) -> None:
    error = refusal(name, data)
    assert (error.code, word in error.sentence, bool(error.next_step)) == ("unsupported_format", True, True)


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 4, b"\x7fELF\x02\x01\x01" + bytes(60), b"\xff\xfe" + bytes(range(256))]
)
def test_binary_data_is_refused(data: bytes) -> None:
    assert refusal("a.txt", data).code == "binary"


def test_every_refusal_has_a_sentence_and_a_next_step() -> None:
    assert all(sentence.endswith(".") and next_step for sentence, next_step in UNREADABLE.values())


# --- limits --------------------------------------------------------------------------------------------------------


def test_fifty_megabytes_are_refused_with_both_sizes() -> None:
    assert refusal("a.txt", b"a" * 50_000_000).sentence == "It has 50 MB; at most 5 MB can be read."


def test_a_file_one_byte_over_the_limit_looks_over_it() -> None:
    assert refusal("a.txt", b"a" * (MAX_BYTES + 1)).sentence == "It has 5.1 MB; at most 5 MB can be read."


def test_pasted_text_has_the_same_limit_in_bytes() -> None:
    with pytest.raises(Unreadable) as caught:
        read_text("pasted", "\u65e5" * (MAX_BYTES // 3 + 1))
    assert caught.value.code == "too_large"


def test_too_many_lines_are_refused() -> None:
    assert refusal("a.txt", b"a\n" * (MAX_LINES + 1)).code == "too_many_lines"


def test_a_line_of_a_megabyte_is_read_and_said() -> None:
    readable = read_bytes("a.txt", b"a" * 1_000_000)
    assert (len(readable.text), readable.notices) == (
        1_000_000,
        (f"It has lines longer than {LONG_LINE:,} characters.",),
    )


@pytest.mark.parametrize("piece", [b"x", b"; ", b"--- a abc\n", b"x = 1 + 2\n", b"diff --git ", b"abcdefghi\r"])
def test_a_megabyte_of_anything_is_read_in_linear_time(piece: bytes) -> None:
    start = time.process_time()
    read_bytes("unknown", piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 0.5


# --- cleaning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "text"), [(b"a\r\nb\r\n", "a\nb\n"), (b"a\rb", "a\nb"), (b"a\nb\r\nc", "a\nb\nc")])
def test_line_ends_become_newlines(data: bytes, text: str) -> None:
    assert read_bytes("a.txt", data).text == text


def test_a_carriage_return_within_a_diff_line_ends_no_line() -> None:
    readable = read_text("x.diff", DIFF.replace("+b", "+b\rc"))
    assert (readable.kind, readable.text) == ("diff", DIFF.replace("+b", "+bc"))


def test_control_characters_and_lone_surrogates_are_removed_and_said() -> None:
    readable = read_bytes("a.txt", b"a\x00b\x1bc\td\xed\xa0\x80e")
    assert (readable.text, readable.notices) == ("abc\tde", ("Control characters were removed: 3.",))


def test_a_turned_reading_direction_is_kept_and_said() -> None:
    readable = read_text("a.py", "x = '\u202e'")
    assert ("\u202e" in readable.text, len(readable.notices)) == (True, 1)


def test_the_digest_is_that_of_the_normalised_text() -> None:
    windows, unix = read_bytes("a.txt", b"a\r\nb\r\n"), read_bytes("b.txt", b"a\nb\n")
    assert windows.digest == unix.digest == hashlib.sha256(b"a\nb\n").hexdigest()


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda data: codecs.BOM_UTF16_LE + data)))
def test_any_bytes_are_read_clean_or_refused(data: bytes) -> None:
    try:
        text = read_bytes("file", data).text
    except Unreadable:
        return
    assert not any(unicodedata.category(char) == "Cs" or (char < " " and char not in "\n\t") for char in text)


@given(st.text(alphabet=st.characters(), max_size=200))
def test_reading_a_read_text_again_changes_nothing(text: str) -> None:
    try:
        once = read_text("file", text)
    except Unreadable:
        return
    assert read_text("file", once.text).digest == once.digest


# --- several files -------------------------------------------------------------------------------------------------


def test_unreadable_files_are_told_apart_from_the_rest() -> None:
    readables, refusals = read_many([("a.py", b"x = 1"), ("../b.rtf", b"{\\rtf"), ("c.md", b"# C"), ("d", b"")])
    assert [readable.name for readable in readables] == ["a.py", "c.md"]
    assert [(refusal.name, refusal.code) for refusal in refusals] == [("b.rtf", "unsupported_format"), ("d", "empty")]


def test_the_files_beyond_the_count_are_refused() -> None:
    readables, refusals = read_many([(f"{number}.txt", b"x") for number in range(MAX_FILES + 2)])
    assert (len(readables), [refusal.code for refusal in refusals]) == (MAX_FILES, ["too_many_files"] * 2)


def test_a_file_that_does_not_fit_leaves_room_for_a_smaller_one() -> None:
    big = b"x" * MAX_BYTES
    count = MAX_TOTAL_BYTES // MAX_BYTES
    items = [(f"{number}.txt", big[: MAX_BYTES - 10]) for number in range(count)]
    readables, refusals = read_many([*items, ("over.txt", big), ("small.txt", b"x")])
    assert readables[-1].name == "small.txt"
    assert [(refusal.name, refusal.code) for refusal in refusals] == [("over.txt", "total_too_large")]


# --- kinds ---------------------------------------------------------------------------------------------------------

PROSE = "Dear all,\n\nthis is a letter. We hope it finds you well.\nYours"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("src/a.PY", PROSE, "code"),
        ("q.sql", PROSE, "code"),
        ("Dockerfile", PROSE, "code"),
        ("README", "x = 1;", "document"),
        ("notes.txt", "x = 1;", "document"),
        ("a.md", DIFF, "document"),
        ("a.csv", PROSE, "data"),
        ("a.yaml", PROSE, "data"),
        ("fix.patch", DIFF, "diff"),
        ("fix.txt", DIFF, "diff"),
        ("pasted", DIFF, "diff"),
        ("fix.diff", PROSE, "document"),
        ("pasted", PROSE, "document"),
        ("pasted", "\u041f\u0440\u0438\u0432\u0435\u0442, \u0434\u0440\u0443\u0433", "document"),
        ("pasted", "def f(x):\n    return x\n", "code"),
        ("pasted", "SELECT a FROM b;\n", "code"),
        ("pasted", "#!/bin/sh\necho hello\n", "code"),
        ("pasted", "a,b,c\n1,2,3\n4,5,6\n", "data"),
        ("pasted", '[{"a": 1}]', "data"),
        ("pasted", "# settings\nname: x\nitems:\n  - a\n  - b\n", "data"),
        ("pasted", "Agenda:\n- one\n- two\nWe meet at noon.\nBring your notes, please.\n", "document"),
    ],
)  # fmt: skip
def test_the_kind_follows_from_name_then_content(name: str, text: str, kind: ArtifactKind) -> None:
    assert kind_of(name, text) == kind


@given(st.text(max_size=30), st.text(max_size=200))
def test_any_text_has_a_kind(name: str, text: str) -> None:
    assert kind_of(name, text) in get_args(ArtifactKind)


def test_a_broken_diff_is_read_as_a_document_and_said() -> None:
    readable = read_text("x.diff", DIFF + "+too much\n")
    assert (readable.kind, "line 8" in readable.notices[0]) == ("document", True)


def test_a_combined_diff_is_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        read_text("x.diff", "diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1,1 -1,1 +1,1 @@@\n- a\n -b\n++c\n")
    assert caught.value.code == "combined_diff"


def test_binary_files_in_a_diff_are_named_as_unread() -> None:
    binary = "diff --git a/i.png b/i.png\nindex 1..2\nBinary files a/i.png and b/i.png differ\n"
    assert read_text("x.diff", binary + DIFF).notices == ("Binary files in it are not read: i.png.",)


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("src/app/main.py", "src/app/main.py"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/./b//..\\c.py", "a/b/c.py"),
        ("C:\\fakepath\\x.txt", "fakepath/x.txt"),
        ("a\r\nSet-Cookie: x\0", "aSet-Cookie: x"),
        ("\u202egpj.exe", "gpj.exe"),
        ("cafe\u0301.md", "caf\u00e9.md"),
        ('"><svg onload>', '"><svg onload>'),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("x" * 300 + ".py", "x" * 197 + ".py"),
        ("x" * 50 + "../" + "y" * 197, "y" * 197),
    ],
)
def test_a_name_is_made_harmless(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("./\\: \u0301\u202e")), max_size=300))
def test_a_clean_name_is_short_relative_and_stays_the_same(name: str) -> None:
    clean = clean_name(name)
    assert 1 <= len(clean) <= 200
    assert not {"", ".", ".."} & set(clean.split("/"))
    assert clean_name(clean) == clean
