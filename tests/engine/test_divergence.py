import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from sessions.engine.agreement import basis_points
from sessions.engine.convergence import Reason
from sessions.engine.divergence import DivergenceReport, divergence
from sessions.engine.positions import LedgerEntry, Position, Round
from tests.deliberating import EXAMPLE_DIVERGED, change, members, one_round, play, rules

MIXED = ("north", "south", "east")


def report_on(
    rounds: tuple[Round, ...], reason: Reason = "max_rounds", families: tuple[str, ...] = MIXED, **fields: Any
) -> DivergenceReport:
    return divergence(rounds, rules(len(families), **fields), members(*families), reason)


def saying(rounds: tuple[Round, ...], at: int, letter: str, finding: int, **fields: Any) -> tuple[Round, ...]:
    return tuple(
        replace(
            one,
            positions=tuple(
                replace(said, **fields) if (one.number, said.letter, said.number) == (at, letter, finding) else said
                for said in one.positions
            ),
        )
        for one in rounds
    )


def test_the_example_that_diverged_has_one_crux() -> None:
    found = report_on(play(*EXAMPLE_DIVERGED))
    assert found.reason == "max_rounds"
    assert [basis_points(one.agreement) for one in found.rounds] == [3333, 8333, 8889]
    assert [basis_points(one.same_set) for one in found.rounds] == [None, 8333, 8889]
    assert (found.accepted, found.rejected) == ((1, 3), ())
    (crux,) = found.cruxes
    assert (crux.number, crux.status, crux.settled_by) == (2, "contested", "a_person")
    assert [(side.kind, side.letters) for side in crux.sides] == [("agree", ("A",)), ("disagree", ("B", "C"))]


def test_a_crux_shows_every_round_and_instance() -> None:
    (crux,) = report_on(play(*EXAMPLE_DIVERGED)).cruxes
    assert [(number, [one.kind for one in said]) for number, said in crux.by_round] == [
        (1, ["agree", "", ""]), (2, ["agree", "disagree", "material"]), (3, ["agree", "disagree", "disagree"]),
    ]  # fmt: skip
    assert [one.stance for one in crux.by_round[0][1]] == ["agree", "not_shown", "not_shown"]


def test_each_side_is_heard_in_its_strongest_words() -> None:
    rounds = play(*EXAMPLE_DIVERGED)
    rounds = saying(rounds, 3, "B", 2, rationale="I think that it is wrong, at length.", confidence=95)
    rounds = saying(rounds, 2, "B", 2, rationale="Line 4 says so.", evidence="never", evidence_verified=True)
    (crux,) = report_on(rounds).cruxes
    against = crux.sides[1].strongest
    assert (against.round, against.rationale, against.evidence) == (2, "Line 4 says so.", "never")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"rationale": "words", "confidence": 10}, {"confidence": 90}),
        ({"rationale": "w", "confidence": 90}, {"rationale": "many words", "confidence": 85}),
        ({"rationale": "many words"}, {"rationale": "words"}),
    ],
)
def test_words_then_certainty_then_fullness_make_an_argument(one: dict[str, Any], other: dict[str, Any]) -> None:
    rounds = saying(play(*EXAMPLE_DIVERGED), 3, "B", 2, **one)
    (crux,) = report_on(saying(rounds, 3, "C", 2, **other)).cruxes
    assert crux.sides[1].strongest.letter == "B"


def test_who_fell_silent_stays_on_the_side_it_took_last() -> None:
    (crux,) = report_on(play({1: "aad"}, {1: "aa-"}, {1: "a--"})).cruxes
    assert (crux.status, crux.settled_by) == ("undecided", "more_answers")
    assert [(side.kind, side.letters) for side in crux.sides] == [("agree", ("A", "B")), ("disagree", ("C",))]


@pytest.mark.parametrize(
    ("signs", "fields", "expected"),
    [
        ("aad", {}, ("a_person", "human_decision")),
        ("aaM", {}, ("a_wording", "human_decision")),
        ("aad", {"evidence_verified": False, "marked_key": True}, ("a_quote", "extra_evidence")),
        ("a--", {}, ("more_answers", "different_roster")),
    ],
)
def test_what_would_settle_it_follows_from_what_is_lacking(
    signs: str, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    found = report_on(play({1: "a.."}, {1: signs}, **fields))
    assert (found.cruxes[0].settled_by, found.next_step) == expected


@pytest.mark.parametrize(
    ("rounds", "reason", "families"),
    [
        (play({1: "a.."}, {1: "aad"}), "max_rounds", ("north",) * 3),
        (play({1: "aad"}, {1: "aaa", 2: "a.."}), "max_rounds", MIXED),
        (play({1: "axx"}), "quorum_lost", MIXED),
        (play({1: "a"}), "single_assessor", ("north",)),
    ],
)
def test_another_roster_is_advised_where_this_one_could_not_tell(
    rounds: tuple[Round, ...], reason: Reason, families: tuple[str, ...]
) -> None:
    assert report_on(rounds, reason, families).next_step == "different_roster"


@pytest.mark.parametrize(
    ("rounds", "families"),
    [
        (play({1: "a.."}, {1: "aad"}), ("north", "south", "south")),
        (
            saying(play({1: "aad", 2: "daa"}, {1: "aaa", 2: "aaa", 3: "a.."}, {3: "aad"}), 2, "A", 2, explained=True),
            MIXED,
        ),
    ],
)
def test_two_families_and_half_conformity_are_enough_to_ask_a_person(
    rounds: tuple[Round, ...], families: tuple[str, ...]
) -> None:
    settled = change(change(rounds, 3, 1, state="withdrawn"), 3, 2, state="withdrawn")
    assert report_on(settled, families=families).next_step == "human_decision"


def test_severities_are_told_from_the_lowest_to_the_highest() -> None:
    rounds = play({1: "aa."}, {1: "aad"})
    rounds = saying(saying(rounds, 1, "A", 1, severity="blocker"), 2, "B", 1, severity="minor")
    assert report_on(rounds).cruxes[0].severities == ("minor", "blocker")
    assert report_on(play({1: "aa."}, {1: "aad"})).cruxes[0].severities is None


def test_failures_and_void_rounds_are_told() -> None:
    rounds = play({1: "aaa"}, {1: "aax"}, {1: "axx"})
    found = report_on((*rounds[:2], replace(rounds[2], attempt=2)), "quorum_lost")
    assert found.failures == ((2, "C"), (3, "B"), (3, "C"))
    assert found.voids == (3,)
    assert report_on((replace(rounds[0], attempt=2), *rounds[1:2])).voids == (1,)
    assert report_on(rounds, "budget").voids == (3,)
    assert found.rounds[-1].agreement is None


def test_late_findings_and_notes_are_told_apart() -> None:
    rounds = change(play({1: "aad"}, {1: "aad", 2: "a..", 3: ".a."}), 2, 3, severity="minor")
    found = report_on(rounds)
    assert (found.unassessed, found.late_notes) == ((2,), (3,))
    assert [crux.number for crux in found.cruxes] == [1, 2]
    assert found.cruxes[1].by_round[0][0] == 2


def test_flips_cost_families_and_votes_are_told() -> None:
    rounds = tuple(replace(one, cost=100 * one.number) for one in play({1: "aad"}, {1: "aaa", 2: "a.."}))
    found = report_on(rounds, families=("south", "north", "north"))
    assert [(flip.letter, flip.number, flip.is_unexplained) for flip in found.flips] == [("C", 1, True)]
    assert found.conformity == 1
    assert found.cost == 300
    assert (found.families, found.effective_votes) == (("north", "south"), Fraction(3, 2))


def test_ac1_needs_five_findings() -> None:
    five = dict.fromkeys(range(1, 6), "aaa")
    assert report_on(play({1: "a.."}, {1: "aad"})).ac1 is None
    assert report_on(play(five, five | {5: "aad"})).ac1 is not None


def test_rejected_findings_are_settled() -> None:
    found = report_on(play({1: "a..", 2: "a.."}, {1: "ddd", 2: "aad"}))
    assert (found.rejected, [crux.number for crux in found.cruxes]) == ((1,), [2])


def test_a_deliberation_about_nothing_has_nothing_to_tell() -> None:
    found = report_on((Round(1, frozenset("AB"), (), ()),))
    assert (found.cruxes, found.accepted, found.rejected, found.flips) == ((), (), (), ())
    assert found.next_step == "human_decision"


def test_a_merged_finding_is_told_once_with_what_was_said_of_its_alias() -> None:
    one, two = LedgerEntry(1, "major", ("A",), 1), LedgerEntry(2, "major", ("B",), 1)
    merged = replace(two, state="merged", merged_into=1)
    rounds = (one_round(1, {1: "a..", 2: ".a."}, (one, two)), one_round(2, {1: "a.d", 2: ".a."}, (one, merged)))
    (crux,) = report_on(rounds).cruxes
    assert [side.letters for side in crux.sides] == [("A", "B"), ("C",)]


def test_the_largest_session_is_computed_in_a_fraction_of_a_second() -> None:
    """Five rounds, seven instances, sixty findings: about 20 ms of processor time."""
    said = tuple(
        Round(
            number,
            frozenset("ABCDEFG"),
            tuple(LedgerEntry(finding, "major", ("A", "B"), 1) for finding in range(1, 61)),
            tuple(
                Position(letter, finding, number, "disagree" if (finding + number + at) % 5 == 0 else "agree")
                for finding in range(1, 61)
                for at, letter in enumerate("ABCDEFG")
            ),
        )
        for number in range(1, 6)
    )
    began = time.process_time()
    found = report_on(said, families=tuple("abcdefg"))
    assert time.process_time() - began < 0.5
    assert len(found.cruxes) == 60


def with_d(*rounds: dict[int, str]) -> tuple[Round, ...]:
    """Rounds of a fork: D takes part in all but the last."""
    played = play(*rounds)
    return (*(replace(one, letters=tuple("ABCD")) for one in played[:-1]), played[-1])


def test_who_left_a_fork_is_on_no_side_and_no_longer_heard() -> None:
    rounds = with_d({1: "aaad"}, {1: "aadd"}, {1: "aad"})
    rounds = saying(rounds, 2, "D", 1, rationale="The longest argument of them all.", evidence_verified=True)
    (crux,) = report_on(rounds).cruxes
    assert [(side.kind, side.letters) for side in crux.sides] == [("agree", ("A", "B")), ("disagree", ("C",))]
    assert crux.sides[1].strongest.letter == "C"
    assert [len(said) for _, said in crux.by_round] == [4, 4, 3], "the record keeps what it said"


def test_a_side_that_only_somebody_gone_took_is_none() -> None:
    (crux,) = report_on(with_d({1: "aaad"}, {1: "aaad"}, {1: "aaM"})).cruxes
    assert [side.kind for side in crux.sides] == ["agree", "amend"]
    assert crux.settled_by == "a_wording"


def test_who_left_does_not_count_as_a_follower() -> None:
    found = report_on(with_d({1: "aaad", 2: "ad.."}, {1: "aaaa", 2: "addd"}, {1: "aaa", 2: "add"}))
    assert [(flip.letter, flip.is_unexplained) for flip in found.flips] == [("D", True)]
    assert (found.counted_flips, found.conformity) == ((), None)
    assert found.next_step == "human_decision"
