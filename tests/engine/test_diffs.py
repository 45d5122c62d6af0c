import contextlib
import difflib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.diffs import DiffFile, MalformedDiff, diff_rows, parse_diff

MODIFIED = """\
diff --git a/src/pay.py b/src/pay.py
index 1111111..2222222 100644
--- a/src/pay.py
+++ b/src/pay.py
@@ -1,3 +1,4 @@ def pay():
 one
-two
+TWO
+2.5
 three
@@ -10 +11 @@
-ten
+TEN
"""


def only(text: str) -> DiffFile:
    (file,) = parse_diff(text)
    return file


def test_new_lines_are_numbered_as_in_the_new_file() -> None:
    assert only(MODIFIED).new_lines == {1: "one", 2: "TWO", 3: "2.5", 4: "three", 11: "TEN"}


def test_removed_lines_keep_their_text_and_the_place_of_the_line_after_them() -> None:
    removed = [(row.line, row.text, row.new_line) for row in diff_rows(MODIFIED) if row.sign == "-"]
    assert removed == [(2, "two", None), (11, "ten", None)]


def test_hunks_begin_with_their_header() -> None:
    assert [(hunk[0].text, len(hunk)) for hunk in only(MODIFIED).hunks] == [
        ("@@ -1,3 +1,4 @@ def pay():", 6),
        ("@@ -10 +11 @@", 3),
    ]


def test_every_line_of_the_text_has_one_row() -> None:
    assert "".join(row.raw + "\n" for row in diff_rows(MODIFIED)) == MODIFIED


def test_a_rendered_file_parses_to_itself() -> None:
    file = only(MODIFIED)
    assert only(file.render()) == file


def test_a_removed_line_that_looks_like_a_file_header_is_a_removed_line() -> None:
    text = "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- old comment\n+++ new comment\n x\n"
    assert only(text).removed == ("-- old comment",)


def test_a_plain_diff_without_git_headers_is_read() -> None:
    text = "--- old/a.c\t2024-01-01 10:00\n+++ new/a.c\t2024-01-02 10:00\n@@ -1 +1 @@\n-x\n+y\n"
    assert (only(text).path, only(text).old_path, only(text).status) == ("new/a.c", "old/a.c", "modified")


def test_two_plain_files_follow_each_other() -> None:
    one = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-x\n+y\n"
    assert [file.path for file in parse_diff(one.format("m.py") + one.format("n.py"))] == ["m.py", "n.py"]


def test_a_mailed_patch_keeps_its_head_and_signature_out_of_the_file() -> None:
    mail = "From 123\nSubject: [PATCH] fix\n---\n x | 2 +-\n\n" + MODIFIED + "-- \n2.39.5\n"
    assert only(mail).render() == MODIFIED
    assert [row.path for row in diff_rows(mail)][:5] == [""] * 5


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("diff --git a/n b/n\nnew file mode 100644\nindex 0..1\n", ("n", "", "added")),
        ("diff --git a/n b/n\ndeleted file mode 100644\n--- a/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
         ("n", "n", "deleted")),
        ("diff --git a/o b/n p\nsimilarity index 90%\nrename from o\nrename to n p\n", ("n p", "o", "renamed")),
        ("diff --git a/o b/n\nsimilarity index 90%\ncopy from o\ncopy to n\n", ("n", "o", "copied")),
        ("diff --git a/my file b/my file\nold mode 100644\nnew mode 100755\n", ("my file", "my file", "modified")),
        ("diff --git i/x w/x\nindex 1..2\n--- i/x\n+++ w/x\n@@ -1 +1 @@\n-a\n+b\n", ("x", "x", "modified")),
        ("diff --git b/x b/x\nindex 1..2\n--- b/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", ("b/x", "b/x", "modified")),
        ("diff --git b/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+b\n", ("b/x", "", "added")),
        ('diff --git "a/\\303\\251.py" "b/\\303\\251.py"\nindex 1..2\n', ("\u00e9.py", "\u00e9.py", "modified")),
        ("--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+b\n", ("x", "", "added")),
    ],
)  # fmt: skip
def test_the_headers_tell_what_happened_to_the_file(headers: str, expected: tuple[str, str, str]) -> None:
    file = only(headers)
    assert (file.path, file.old_path, file.status) == expected


def test_a_name_cannot_smuggle_a_line_or_turn_the_reading_direction() -> None:
    text = 'diff --git "a/x\\n\\342\\200\\256y" "b/x\\n\\342\\200\\256y"\nindex 1..2\n'
    assert only(text).path == "xy"


def test_a_binary_file_is_named_without_lines() -> None:
    file = only("diff --git a/i.png b/i.png\nindex 1..2 100644\nBinary files a/i.png and b/i.png differ\n")
    assert (file.path, file.binary, file.new_lines) == ("i.png", True, {})


def test_a_missing_newline_at_the_end_belongs_to_no_line() -> None:
    text = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    assert [row.sign for row in diff_rows(text)] == ["", "", "@", "-", "\\", "+", "\\"]


def test_an_empty_context_line_without_its_blank_counts() -> None:
    assert only("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n").new_lines == {1: "a", 2: "", 3: "c"}


def test_a_hunk_that_only_removes_stands_before_the_line_after_it() -> None:
    text = "--- a/x\n+++ b/x\n@@ -5,2 +4,0 @@\n-e\n-f\n"
    assert [row.line for row in diff_rows(text) if row.sign == "-"] == [5, 5]


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n", "cut_short", 4),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n*b\n", "bad_line", 5),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+too much\n", "bad_line", 6),
        ("--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n-b\n+c\n", "bad_line", 5),
        ("--- a/x\n+++ b/x\n@@ -one +two @@\n", "bad_line", 3),
        ("@@ -1 +1 @@\n-a\n+b\n", "bad_line", 1),
        ("diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1,1 -1,1 +1,1 @@@\n", "combined", 1),
    ],
)
def test_a_broken_diff_is_refused_at_its_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(MalformedDiff) as caught:
        parse_diff(text)
    assert (caught.value.reason, caught.value.line) == (reason, line)


def test_rows_of_a_broken_diff_have_no_place() -> None:
    assert [(row.path, row.new_line) for row in diff_rows("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n")] == [
        ("", None)
    ] * 4


lines = st.lists(st.sampled_from(["", "a", "-- b", "++ c", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ no"]), max_size=12)


@given(lines, lines)
def test_any_two_texts_differ_as_the_parser_reads(old: list[str], new: list[str]) -> None:
    text = "".join(line + "\n" for line in difflib.unified_diff(old, new, "a/x", "b/x", lineterm=""))
    assert "".join(row.raw + "\n" for row in diff_rows(text)) == text
    for file in parse_diff(text):
        assert all(new[number - 1] == line for number, line in file.new_lines.items())


pieces = st.sampled_from(
    [
        "diff --git a/x b/x\n",
        "--- ",
        "+++ ",
        "a/x\n",
        "@@ -1,2 +1 @@\n",
        "+",
        "-",
        " ",
        "\n",
        "\\",
        '"',
        "rename to ",
        "@@@ ",
    ]
)


@given(st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=30).map("".join))
def test_every_line_of_any_text_has_one_row(text: str) -> None:
    assert len(diff_rows(text)) == text.count("\n") + (not text.endswith("\n") and text != "")


@given(st.text(alphabet=string.printable, max_size=80))
def test_parsing_raises_nothing_but_malformed(text: str) -> None:
    with contextlib.suppress(MalformedDiff):
        assert parse_diff("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n" + text)[0].path == "x"
