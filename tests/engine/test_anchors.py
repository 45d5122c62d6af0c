import time
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.anchors import MAX_ANCHOR, anchor_at, anchors
from sessions.engine.roster import ArtifactKind


def found(text: str, kind: ArtifactKind = "document") -> list[str]:
    return [anchor for _, anchor in anchors(text, kind)]


@pytest.mark.parametrize(
    ("line", "anchor"),
    [
        ("## 2.4 Conflicts", "2.4"),
        ("# 1. Goals", "1"),
        ("### **3.2** Scope ###", "3.2"),
        ("## A.1 Terms", "A.1"),
        ("## Article 5 - Termination", "Article 5"),
        ("== Asciidoc title", "Asciidoc title"),
        ("## `Budget` table", "Budget table"),
        ("## 2024 results", "2024 results"),
        ("3.2.1 The supplier delivers.", "3.2.1"),
        ("**4.1** \u201cGoods\u201d means goods.", "4.1"),
        ("\u00a7 4 Haftung", "\u00a7 4"),
        ("SECTION 7: Payment", "Section 7"),
        ("Article IV", "Article IV"),
        ("Schedule B", "Schedule B"),
    ],
)
def test_a_heading_or_clause_is_anchored_by_its_number(line: str, anchor: str) -> None:
    assert anchors(f"Before.\n\n{line}\n\nAfter.", "document") == [(3, anchor)]


@pytest.mark.parametrize(
    "line",
    [
        "3.5 percent of it",
        "Section 7 applies",
        "Part of the deal",
        "#hashtag",
        "12 Monkeys",
        "10.00 Uhr",
        "4.",
        "3.14",
        "12.5.2024 Berlin",
        "- item\n---",
        "| a |\n|---|",
    ],
)
def test_a_sentence_or_figure_is_no_clause(line: str) -> None:
    assert found(f"Before.\n\n{line}\n\nAfter.") == []


def test_a_long_heading_is_shortened() -> None:
    assert len(found("# " + "word " * 100)[0]) <= MAX_ANCHOR


def test_underlined_titles_are_headings() -> None:
    assert anchors("=====\nTitle\n=====\n\nText.\n\n2.1 Part\n--------\n", "document") == [(2, "Title"), (7, "2.1")]


def test_the_last_line_of_a_paragraph_above_a_rule_is_no_heading() -> None:
    assert found("One line\nand another\n---\n") == []


def test_fenced_code_holds_no_headings() -> None:
    assert found("# Real\n```\n# comment\n~~~\n1.1 Foo\n```\n# Next\n") == ["Real", "Next"]


def test_front_matter_holds_no_headings() -> None:
    assert anchors("---\ntitle: x\n---\n# Real\n", "document") == [(4, "Real")]


def test_numbered_lines_under_headings_are_list_items() -> None:
    assert found("# One\n\n1. Item\n2. Item\n\n# Two\n") == ["One", "Two"]


def test_numbered_lines_without_headings_are_clauses() -> None:
    assert found("CONTRACT\n========\n\n1. Definitions\n1.1 Goods are goods? No: Goods.\n2) Term\n") == [
        "CONTRACT",
        "1",
        "1.1",
        "2",
    ]


def test_rows_of_comma_separated_values_are_counted_as_a_spreadsheet_does() -> None:
    assert anchors('name,note\na,"two\nlines"\nb,one\n', "data") == [(1, "row 1"), (2, "row 2"), (4, "row 3")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n  "a": 1,\n  "b": {\n    "c": 2\n  }\n}', [(2, "a"), (3, "b")]),
        ("# settings\n---\na: 1\nb:\n  c: 2\n", [(3, "a"), (4, "b")]),
        ("[tool.x]\nk = 1\n[[other]]\nk = 2\n", [(1, "tool.x"), (3, "other")]),
        ('{"id": 1}\n{"id": 2}\n', [(1, "row 1"), (2, "row 2")]),
    ],
)
def test_data_is_anchored_by_its_outer_keys(text: str, expected: list[tuple[int, str]]) -> None:
    assert anchors(text, "data") == expected


@pytest.mark.parametrize("kind", ["code", "diff"])
def test_code_and_diffs_have_line_numbers_instead(kind: ArtifactKind) -> None:
    assert anchors("# 1. Comment\n", kind) == []


def test_a_line_stands_under_the_last_anchor_above_it() -> None:
    places = [(3, "1"), (7, "2")]
    assert [anchor_at(places, line) for line in (2, 3, 6, 7, 99)] == ["", "1", "1", "2", "2"]


pieces = st.sampled_from(
    ["# ", "1.", "2.4 ", "\u00a7 ", "Section ", "---\n", "===\n", "```\n", '"', ",", ": ", "[a]", "\n", "  "]
)


@given(
    st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=40).map("".join), st.sampled_from(get_args(ArtifactKind))
)
def test_anchors_of_any_text_are_in_line_order_and_not_empty(text: str, kind: ArtifactKind) -> None:
    places = anchors(text, kind)
    assert all(first[0] < second[0] for first, second in pairwise(places))
    assert all(anchor for _, anchor in places)


@pytest.mark.parametrize("kind", ["document", "data"])
@pytest.mark.parametrize(
    "piece", ["x", " ", "#", '"', "1.", "# *`", "[a", "-", "a:", "1.1 Foo bar baz\n", "---\nabcdef\n", '  "a": 12,\n']
)
def test_a_million_characters_take_no_longer_than_reading_them(piece: str, kind: ArtifactKind) -> None:
    text = piece * (1_000_000 // len(piece))
    start = time.process_time()
    anchors(text, kind)
    assert time.process_time() - start < 2  # a step back per character would take minutes
