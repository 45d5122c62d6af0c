from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from sessions.engine.agreement import THREE_QUARTERS
from sessions.engine.confidence import LEVELS, confidence, effective_votes
from sessions.engine.positions import LedgerEntry, Round
from tests.deliberating import change, members, one_round, play, rules

F = Fraction
MIXED = members("north", "south", "east")
SURE = play({1: "aa."}, {1: "aaa"}, severity="critical")


def level_of(
    rounds: tuple[Round, ...], *, families: tuple[str, ...] = ("north", "south", "east"), **fields: Any
) -> str:
    return confidence(rounds, rules(len(families), **fields), members(*families)).level


def explained(rounds: tuple[Round, ...]) -> tuple[Round, ...]:
    last = rounds[-1]
    return (*rounds[:-1], replace(last, positions=tuple(replace(one, explained=True) for one in last.positions)))


# 2.14: the level of one finding


def test_it_is_high_when_two_found_it_alone_and_all_agree_on_proof() -> None:
    found = confidence(SURE, rules(3), MIXED)
    assert (found.level, found.findings, found.caps) == ("high", ((1, "high"),), ())


def test_all_rejecting_is_as_sure_as_all_accepting() -> None:
    assert level_of(explained(play({1: "aa."}, {1: "ddd"}))) == "high"


@pytest.mark.parametrize(
    ("rounds", "fields", "expected"),
    [
        (play({1: "a.."}, {1: "aaa"}), {}, "medium"),  # raised by one alone
        (play({1: "aa."}, {1: "aa-"}), {}, "medium"),  # two decided
        (play({1: "aa."}, {1: "aaa"}, evidence_verified=False), {}, "low"),
        (play({1: "aad"}, {1: "aaa"}), {}, "medium"),  # C joined without a reason; conformity caps, too
        (play({1: "aa."}, {1: "aaM"}), {"tau": THREE_QUARTERS}, "medium"),  # g = 0.83
        (play({1: "aa."}, {1: "aaM"}), {}, "medium"),  # contested, and still g = 0.83
        (play({1: "aa."}, {1: "aad"}), {}, "low"),  # g = 0.67
        (play({1: "aa."}, {1: "a--"}), {}, "undetermined"),
        (play({1: "aa."}, {1: "---"}), {}, "undetermined"),
        (play({1: "aa."}, {1: "amm"}), {}, "high"),  # minor amendments agree
    ],
)
def test_each_condition_counts(rounds: tuple[Round, ...], fields: dict[str, Any], expected: str) -> None:
    assert level_of(rounds, **fields) == expected


def test_three_quarters_of_five_are_medium() -> None:
    five = ("north", "south", "east", "west", "up")
    assert level_of(play({1: "aa..."}, {1: "aaad-"}), families=five, tau=THREE_QUARTERS) == "medium"


def test_proof_counts_as_it_stands_now() -> None:
    assert level_of(change(SURE, 2, 1, evidence_verified=False)) == "low"
    unproven = change(SURE, 1, 1, evidence_verified=False)
    assert level_of(change(unproven, 2, 1, evidence_verified=True)) == "high"


def test_an_unexplained_flip_into_agreement_lowers_its_finding() -> None:
    assert confidence(play({1: "aad"}, {1: "aaa"}), rules(3), MIXED).findings == ((1, "medium"),)


def test_an_explained_flip_does_not_hurt() -> None:
    assert level_of(explained(play({1: "aad"}, {1: "aaa"}))) == "high"


def test_an_unexplained_flip_the_other_way_does_not_hurt() -> None:
    rounds = play({1: "aaa"}, {1: "aad"})
    settled = one_round(3, {1: "aaa"}, rounds[-1].entries)
    assert level_of(explained((*rounds, settled))) == "high"


def test_two_families_among_those_who_decided_are_needed() -> None:
    families = ("north", "north", "north", "south")
    assert level_of(play({1: "aa.."}, {1: "aaa-"}), families=families) == "medium"
    assert level_of(play({1: "aa.."}, {1: "aa-a"}), families=families) == "high"


def test_who_raised_what_was_merged_raised_it_independently() -> None:
    one, two = LedgerEntry(1, "major", ("A",), 1), LedgerEntry(2, "major", ("B",), 1)
    merged = replace(two, state="merged", merged_into=1, merged_round=None)
    rounds = (one_round(1, {1: "a..", 2: ".a."}, (one, two)), one_round(2, {1: "aaa"}, (one, merged)))
    assert level_of(rounds) == "high"


def test_who_raised_it_after_seeing_others_did_not_raise_it_independently() -> None:
    rounds = change(play({1: "a.."}, {1: "aaa"}), 2, 1, raised_by=("A", "B"))
    assert level_of(rounds) == "medium"


# 2.14: the level of the session


def test_the_session_is_as_sure_as_its_least_sure_blocking_finding() -> None:
    rounds = play({1: "aa.", 2: "a..", 3: "aa."}, {1: "aaa", 2: "aad", 3: "aaa"})
    assert confidence(rounds, rules(3), MIXED).level == "low", "no finding blocks, so all count"
    blocking = change(rounds, 1, 1, severity="critical")
    assert confidence(blocking, rules(3), MIXED).level == "high"
    assert confidence(blocking, rules(3), MIXED, block_severity="major").level == "low"


@pytest.mark.parametrize(("empty", "expected"), [("ABC", "medium"), ("A", "undetermined")])
def test_a_clean_bill_is_medium_when_everybody_gave_it(empty: str, expected: str) -> None:
    rounds = tuple(Round(number, frozenset("ABC"), (), (), frozenset(empty)) for number in (1, 2))
    assert level_of(rounds) == expected


@pytest.mark.parametrize(
    ("families", "rounds", "caps", "expected"),
    [
        (("north",) * 3, SURE, ("one_family",), "medium"),
        (("north",), play({1: "a"}), ("one_family", "single_assessor"), "undetermined"),
        (("north", "south", "east"), (SURE[0], replace(SURE[1], attempt=2)), ("void_round",), "medium"),
        (("north",) * 3, (SURE[0], replace(SURE[1], attempt=2)), ("one_family", "void_round"), "low"),
        (("north", "south", "east"), play({1: "aa."}, {1: "axx"}), ("void_round",), "undetermined"),
        (
            ("north", "south", "east"),
            play({1: "aa.", 2: "aad"}, {1: "aaa", 2: "aaa"}, severity="critical"),
            ("conformity",),
            "medium",
        ),
    ],
)
def test_caps_lower_the_session(
    families: tuple[str, ...], rounds: tuple[Round, ...], caps: tuple[str, ...], expected: str
) -> None:
    found = confidence(rounds, rules(len(families)), members(*families))
    assert (found.caps, found.level) == (caps, expected)


def test_conformity_caps_what_would_have_been_high() -> None:
    rounds = change(play({1: "aa.", 2: "aad"}, {1: "aaa", 2: "aaa"}), 1, 1, severity="critical")
    found = confidence(rounds, rules(3), MIXED)
    assert dict(found.findings)[1] == "high"
    assert found.level == "medium"


def test_half_conformity_is_not_too_much() -> None:
    rounds = change(play({1: "aa.", 2: "aad", 3: "daa"}, {1: "aaa", 2: "aaa", 3: "aaa"}), 1, 1, severity="critical")
    last = rounds[-1]
    said = tuple(replace(one, explained=one.number == 3) for one in last.positions)
    assert confidence((rounds[0], replace(last, positions=said)), rules(3), MIXED).level == "high"


def test_a_void_round_lowers_nothing_below_low() -> None:
    unproven = play({1: "aa."}, {1: "aaa"}, evidence_verified=False)
    assert level_of((unproven[0], replace(unproven[1], attempt=2))) == "low"


def test_levels_are_in_order() -> None:
    assert LEVELS == ("undetermined", "low", "medium", "high")


# 2.14: n_eff


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (("a", "b", "c"), "1.67"),
        (("a", "a", "a"), "1.25"),
        (("a=", "a=", "a="), "1.07"),
        (("a", "b", "c", "d", "e"), "1.92"),
        (("a",) * 5, "1.32"),
        (("a=",) * 5, "1.09"),
        (("a",), "1.00"),
        ((), "0.00"),
        (("a", "a", "b"), "1.50"),
    ],
)
def test_instances_that_err_together_are_worth_fewer_votes(families: tuple[str, ...], expected: str) -> None:
    assert f"{float(effective_votes(members(*families))):.2f}" == expected


def test_a_mixed_roster_lies_between_its_parts() -> None:
    same, mixed, other = (
        effective_votes(members(*families)) for families in (("a",) * 3, ("a", "a", "b"), tuple("abc"))
    )
    assert same < mixed < other
    assert mixed == F(3) / (1 + 2 * F(1, 2))
    assert same > 1


def test_a_flip_of_somebody_who_left_lowers_nothing() -> None:
    one, two, last = play({1: "aaad"}, {1: "aaaa"}, {1: "aaa"})
    rounds = (replace(one, letters=tuple("ABCD")), replace(two, letters=tuple("ABCD")), last)
    found = confidence(rounds, rules(3), MIXED)
    assert (found.level, found.caps) == ("high", ())
