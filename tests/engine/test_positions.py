from dataclasses import replace
from typing import Any

import pytest

from sessions.engine.positions import (
    Amendment,
    LedgerEntry,
    Position,
    Round,
    amendment_of,
    explains,
    standing,
    standings,
    survivors,
    unknown_numbers,
)
from tests.deliberating import EXAMPLE, MINOR, one_round, play

ONE = LedgerEntry(1, "major", ("A",), 1)
TWO = LedgerEntry(2, "major", ("B",), 1)
MERGED = replace(TWO, state="merged", merged_into=1)
EVERYBODY = frozenset("ABC")


def stances(rounds: tuple[Round, ...], number: int, letters: str = "ABC") -> list[str]:
    held = standing(rounds, letters)[number]
    return [held[letter].stance for letter in letters]


@pytest.mark.parametrize(
    ("field", "value", "material"),
    [
        ("wording", "say it plainly", False),
        ("suggestion", "delete it", False),
        ("location", "line 4", False),
        ("scope", "only on retry", True),
        ("severity", "critical", False),
        ("severity", "minor", False),
        ("severity", "major", False),
        ("severity", "blocker", True),
        ("severity", "info", True),
    ],
)
def test_an_amendment_is_material_when_it_changes_what_is_said(field: str, value: str, material: bool) -> None:
    assert amendment_of(field, value, "major") == Amendment(field, value, material)  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("title", "x"), ("", ""), ("severity", "catastrophic")])
def test_what_cannot_be_amended_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ValueError, match="only"):
        amendment_of(field, value, "major")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"stance": "agree"}, "agree"),
        ({"stance": "amend", "amendment": MINOR}, "minor"),
        ({"stance": "amend", "amendment": replace(MINOR, material=True)}, "material"),
        ({"stance": "disagree"}, "disagree"),
        ({"stance": "abstain"}, ""),
        ({"stance": "missing"}, ""),
        ({"stance": "omitted"}, ""),
        ({"stance": "not_shown"}, ""),
    ],
)
def test_only_yes_no_and_yes_but_decide(fields: dict[str, Any], kind: str) -> None:
    position = Position("A", 1, 1, **fields)
    assert position.kind == kind
    assert position.is_decisive == bool(kind)


@pytest.mark.parametrize("fields", [{"stance": "amend"}, {"stance": "agree", "amendment": MINOR}])
def test_an_amendment_and_the_stance_go_together(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="amend"):
        Position("A", 1, 1, **fields)


def test_who_amends_the_severity_gives_the_new_one() -> None:
    amended = Position("A", 1, 1, "amend", amendment=amendment_of("severity", "minor", "major"), severity="major")
    assert amended.given_severity == "minor"


@pytest.mark.parametrize(
    ("because", "verified", "expected"),
    [
        ("evidence", True, True),
        ("evidence", False, False),
        ("F-001/d1", False, True),
        ("F-009/d1", True, False),
        ("none", True, False),
        ("", True, False),
    ],
)
def test_a_reason_counts_when_it_resolves(because: str, verified: bool, expected: bool) -> None:
    assert explains(because, {"F-001/d1"}, verified) is expected


def test_the_last_accepted_position_wins() -> None:
    said = tuple(Position("A", 1, 1, stance) for stance in ("agree", "disagree", "abstain", "disagree"))
    assert stances((Round(1, EVERYBODY, (ONE,), said),), 1)[0] == "disagree"


def test_a_position_on_another_version_does_not_count() -> None:
    said = (Position("A", 1, 2, "agree", version=1), Position("B", 1, 2, "agree", version=2))
    now = Round(2, EVERYBODY, (replace(ONE, version=2),), said)
    assert stances((now,), 1) == ["omitted", "agree", "omitted"]


def test_silence_has_three_names() -> None:
    rounds = play({1: "a.."}, {1: "a.x"})
    assert stances(rounds[:1], 1) == ["agree", "not_shown", "not_shown"]
    assert stances(rounds, 1) == ["agree", "omitted", "missing"]


def test_a_missing_instance_has_no_position_even_if_one_was_read_from_its_output() -> None:
    now = Round(1, frozenset("BC"), (ONE,), (Position("A", 1, 1, "agree"),))
    assert stances((now,), 1)[0] == "missing"


def test_nothing_is_carried_into_the_next_round() -> None:
    assert stances(play({1: "aaa"}, {1: "aax"}), 1) == ["agree", "agree", "missing"]


def test_a_missing_instance_may_come_back() -> None:
    assert stances(play({1: "aaa"}, {1: "aax"}, {1: "aad"}), 1) == ["agree", "agree", "disagree"]


def test_what_a_confirmation_round_does_not_ask_about_stands_as_it_was() -> None:
    first = one_round(1, {1: "aad", 2: "a.."}, (ONE, TWO))
    extra = one_round(2, {2: "aaa"}, (ONE, TWO), asked=frozenset({2}))
    assert stances((first, extra), 1) == ["agree", "agree", "disagree"]
    assert stances((first, extra), 2) == ["agree", "agree", "agree"]
    assert {position.round for position in standing((first, extra), "ABC")[1].values()} == {1}


@pytest.mark.parametrize(
    ("own", "alias", "expected", "conflicting"),
    [
        ("a", "a", "agree", False),
        ("m", "a", "amend", False),
        ("a", ".", "agree", False),
        (".", "d", "disagree", False),
        ("-", "d", "abstain", False),
        ("a", "-", "agree", False),
        ("a", "d", "abstain", True),
        ("d", "M", "abstain", True),
    ],
)
def test_a_merged_finding_has_one_position_own_first(own: str, alias: str, expected: str, conflicting: bool) -> None:
    now = one_round(2, {1: own + "..", 2: alias + ".."}, (ONE, MERGED))
    held = standing((now,), "ABC")
    assert list(held) == [1]
    position = held[1]["A"]
    assert (position.stance, position.number, position.conflicting) == (expected, 1, conflicting)


def test_a_merge_does_not_reach_back() -> None:
    before = play({1: "add", 2: ".aa"})
    after = (*before, one_round(2, {1: "aaa"}, (ONE, MERGED)))
    assert standings(after, "ABC")[0] == standing(before, "ABC")


def test_an_unmerged_finding_stands_again_under_its_old_number() -> None:
    rounds = (one_round(1, {1: "a..", 2: ".a."}, (ONE, MERGED)), one_round(2, {1: "aaa", 2: "ddd"}, (ONE, TWO)))
    assert stances(rounds, 2) == ["disagree"] * 3


def test_parts_of_a_split_finding_start_without_positions() -> None:
    parent = replace(ONE, state="split", split_round=2)
    child = LedgerEntry(3, "major", ("A",), 2, split_from=1)
    now = Round(2, EVERYBODY, (parent, child), (Position("A", 1, 2, "agree"),))
    assert list(standing((now,), "ABC")) == [3]
    assert stances((now,), 3) == ["not_shown"] * 3


def test_aliases_of_aliases_are_the_survivor() -> None:
    third = LedgerEntry(3, "major", ("C",), 1, state="merged", merged_into=2)
    assert survivors((third, MERGED, ONE)) == {1: 1, 2: 1, 3: 1}


def test_the_lower_number_survives_a_merge() -> None:
    for into in (1, 2):
        with pytest.raises(ValueError, match="F-001"):
            replace(ONE, state="merged", merged_into=into)


@pytest.mark.parametrize("fields", [{"state": "merged"}, {"merged_into": 1}])
def test_a_merged_finding_names_its_survivor(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="F-002"):
        replace(TWO, **fields)


def test_numbers_that_a_model_made_up_are_found() -> None:
    assert unknown_numbers([1, 9, 2, 9], (ONE, TWO)) == {9}


def test_a_round_takes_no_position_on_a_finding_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown"):
        Round(1, EVERYBODY, (ONE,), (Position("A", 9, 1, "agree"),))


def test_a_round_takes_no_position_of_another_round() -> None:
    with pytest.raises(ValueError, match="another round"):
        Round(2, EVERYBODY, (ONE,), (Position("A", 1, 1, "agree"),))


def test_every_letter_stands_somewhere_on_every_open_finding() -> None:
    for held in standings(play(*EXAMPLE), "ABC"):
        assert {number: sorted(by_letter) for number, by_letter in held.items()} == {
            1: ["A", "B", "C"], 2: ["A", "B", "C"], 3: ["A", "B", "C"],
        }  # fmt: skip
