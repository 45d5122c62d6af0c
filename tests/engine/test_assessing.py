"""Positions as models write them: understood where they can be, refused where they cannot, never guessed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.assessing import because_of, number_of, parse_assessment

LISTED = {1: "major", 2: "minor"}
AGREES = {"finding": "F-001", "rationale": "It does.", "stance": "agree", "confidence": 0.7}
WHOLE = {"analysis": "", "positions": [AGREES, {**AGREES, "finding": "F-002", "stance": "disagree"}], "findings": []}


def stances(text: str, finish_reason: str = "stop") -> dict[int, str]:
    return {one.number: one.stance for one in parse_assessment(text, LISTED, finish_reason).said}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(WHOLE),
        f"Here you are.\n```json\n{json.dumps(WHOLE, indent=1)}\n```\nAsk for more.",
        f"<think>F-001 is hard</think>{json.dumps(WHOLE)}",
        json.dumps({"result": WHOLE}),
        json.dumps(WHOLE["positions"]),
        repr(WHOLE),
        json.dumps(WHOLE)[:-2] + ",],}",
        json.dumps({"positions": {"first": WHOLE["positions"][0], "second": WHOLE["positions"][1]}}),
    ],
    ids=["plain", "fenced", "thinking", "wrapped", "bare list", "single quotes", "trailing comma", "mapping"],
)
def test_positions_are_found_in_whatever_they_come(text: str) -> None:
    assert stances(text) == {1: "agree", 2: "disagree"}


def one(**changes: Any) -> Any:
    return parse_assessment(json.dumps({"positions": [{**AGREES, **changes}], "findings": []}), LISTED)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stance": "amend", "amend_field": "scope", "amend_value": "Half."}, ("amend", "scope", "Half.")),
        ({"stance": "Amend", "amend": {"field": "severity", "value": "High"}}, ("amend", "severity", "critical")),
        ({"stance": "amend", "amend_field": "severity", "amend_value": "major"}, ("agree", "", "")),
        ({"stance": "agrees"}, ("agree", "", "")),
        ({"stance": "cannot tell"}, ("abstain", "", "")),
    ],
)
def test_an_amendment_says_what_and_what_to(changes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    said = one(**changes).said[0]
    assert (said.stance, said.field, said.value) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"stance": "amend"},
        {"stance": "amend", "amend_field": "severity", "amend_value": "spicy"},
        {"stance": "APPROVED"},
        {"stance": None},
        {"finding": "F-003"},
        {"finding": "F-001 and F-002"},
        {"finding": None},
    ],
)
def test_what_cannot_be_understood_is_rejected_and_not_guessed(changes: dict[str, Any]) -> None:
    parsed = one(**changes)
    assert (parsed.said, len(parsed.rejected)) == ((), 1)
    assert parsed.problem is not None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("evidence", "evidence"), ("New evidence.", "evidence"), ("F-002.1", "F-002.1"), ("argument f-2.1", "F-002.1"),
        ("none", ""), ("because others agree", ""), ("", ""), (None, ""), ("F-002", ""),
    ],
)  # fmt: skip
def test_a_reason_for_a_change_is_evidence_or_an_argument(said: object, meant: str) -> None:
    assert because_of(said) == meant


@pytest.mark.parametrize(
    "words", ["", "F-", "F-0", "finding", "1.5", "-1", "1e3", "F-1234567", "all", [1, 2], {"a": 1}]
)
def test_what_is_no_id_is_none(words: object) -> None:
    assert number_of(words) == 0


def test_new_findings_and_parts_are_kept_apart() -> None:
    found = {"title": "T", "claim": "C is wrong.", "evidence": "twelve words", "severity": "major"}
    parts = [{**found, "split_from": "F-001"}, {**found, "split_from": "F-009"}, {**found, "severity": "?"}]
    parsed = parse_assessment(json.dumps({"positions": [AGREES], "findings": parts}), LISTED)
    assert ([parent for parent, _ in parsed.parts], len(parsed.new), len(parsed.rejected)) == ([1], 1, 1)


def test_an_answer_that_was_cut_is_completed_by_the_next() -> None:
    cut = parse_assessment(json.dumps(WHOLE)[:-60], LISTED, "length")
    assert cut.problem is not None
    rest = {"positions": [{**AGREES, "finding": "F-002", "stance": "abstain"}], "findings": []}
    whole = cut.then(parse_assessment(json.dumps(rest), LISTED))
    assert ({said.number: said.stance for said in whole.said}, whole.problem) == ({1: "agree", 2: "abstain"}, None)


@given(st.text(max_size=400) | st.recursive(st.none() | st.text(), st.lists, max_leaves=9).map(json.dumps))
def test_nothing_an_instance_sends_raises(text: str) -> None:
    assert set(stances(text)) <= set(LISTED)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_value_in_a_position_raises(value: Any) -> None:
    for name in (
        "finding",
        "stance",
        "amend",
        "amend_value",
        "changed_because",
        "same_as",
        "confidence",
        "new_evidence",
    ):
        parsed = one(**{"amend_field": "scope", "stance": "amend", name: value})
        assert {said.number for said in parsed.said} <= set(LISTED)
