from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.agreement import EVERYONE, THREE_QUARTERS, basis_points, history
from sessions.engine.convergence import (
    Decision,
    Flip,
    Stability,
    changed_entries,
    conformity,
    decide,
    flips,
    forecast,
    is_converged,
    late_notes,
    slope,
    stability,
    unassessed,
    velocities,
)
from sessions.engine.positions import LedgerEntry, Round
from tests.deliberating import EXAMPLE, EXAMPLE_DIVERGED, change, one_round, play, rules

F = Fraction
Table = dict[int, str]


def outcome(*tables: Table, n: int = 3, left: int | None = None, **fields: Any) -> tuple[str, str | None]:
    decision = decide(play(*tables), rules(n, **fields), left)
    return decision.action, decision.reason


# 2.5: convergence and the reasons of an end


def test_the_session_example_converges_in_round_three() -> None:
    assert [outcome(*EXAMPLE[:end]) for end in (1, 2, 3)] == [("next", None), ("next", None), ("stop", "converged")]


def test_the_session_example_diverges_when_one_stays_apart() -> None:
    assert outcome(*EXAMPLE_DIVERGED) == ("stop", "max_rounds")


def test_nothing_converges_in_the_blind_round() -> None:
    assert outcome({1: "aaa"}) == ("next", None)


def test_one_round_is_too_few_to_converge() -> None:
    assert outcome({1: "aaa"}, max_rounds=1) == ("stop", "max_rounds")


def test_consensus_to_reject_is_consensus() -> None:
    assert outcome({1: "a.."}, {1: "ddd"}) == ("stop", "converged")


@pytest.mark.parametrize(
    ("tau", "signs", "expected"),
    [
        (EVERYONE, "aaaad", ("next", None)),
        (THREE_QUARTERS, "aaaad", ("stop", "converged")),
        (THREE_QUARTERS, "addda", ("next", None)),
        (THREE_QUARTERS, "dddda", ("stop", "converged")),
    ],
)
def test_it_converges_at_the_share_that_must_agree(tau: Fraction, signs: str, expected: tuple[str, str | None]) -> None:
    assert outcome({1: "a...."}, {1: signs}, n=5, tau=tau) == expected


def test_high_agreement_with_one_contested_finding_is_not_convergence() -> None:
    settled: Table = dict.fromkeys(range(1, 40), "aaa")
    rounds = play(settled | {40: "a.."}, settled | {40: "aad"})
    assert basis_points(history(rounds, rules(3))[-1].agreement) == 9917
    assert not is_converged(rounds, rules(3))


@pytest.mark.parametrize(
    "last",
    [{1: "---"}, {1: "a--"}, {1: "..."}, {1: "d.."}],
)
def test_silence_is_never_convergence(last: Table) -> None:
    assert outcome({1: "aaa"}, last) == ("next", None)
    assert outcome({1: "aaa"}, last, max_rounds=2) == ("stop", "max_rounds")


def test_one_missing_instance_does_not_stop_the_others_from_agreeing() -> None:
    assert outcome({1: "aaa"}, {1: "aax"}) == ("stop", "converged")


@pytest.mark.parametrize("signs", ["a", "d", "-"])
def test_one_instance_alone_never_converges(signs: str) -> None:
    assert outcome({1: signs}, n=1) == ("stop", "single_assessor")
    assert outcome({1: "a"}, {1: signs}, n=1) == ("stop", "single_assessor")


@pytest.mark.parametrize(
    "fields",
    [
        {"registered_round": 2},
        {"versioned_round": 2},
        {"merged_round": 2},
    ],
)
def test_a_key_finding_that_changed_in_a_round_is_not_settled_by_it(fields: dict[str, Any]) -> None:
    rounds = change(play({1: "aaa"}, {1: "aaa"}), 2, 1, **fields)
    assert changed_entries(rounds[-1]) == (1,)
    assert not is_converged(rounds, rules(3))
    assert is_converged((*rounds, replace(rounds[-1], number=3, positions=_moved(rounds[-1], 3))), rules(3))


def test_a_split_of_a_key_finding_is_not_settled_by_its_round() -> None:
    rounds = change(play({1: "aaa", 2: "aaa"}, {1: "aaa", 2: "aaa"}), 2, 2, state="split", split_round=2)
    assert changed_entries(rounds[-1]) == (2,)
    assert not is_converged(rounds, rules(3))


def test_a_change_of_a_minor_finding_holds_nobody_up() -> None:
    rounds = change(play({1: "aaa", 2: "a.."}, {1: "aaa", 2: "a.."}), 1, 2, severity="minor", versioned_round=2)
    assert is_converged(rounds, rules(3))


def test_a_late_note_holds_nobody_up() -> None:
    rounds = change(play({1: "aaa"}, {1: "aaa", 2: "a.."}), 2, 2, severity="minor")
    assert late_notes(rounds[-1]) == (2,)
    assert decide(rounds, rules(3)) == Decision("stop", "converged")


def test_a_new_critical_finding_in_the_last_round_is_never_convergence() -> None:
    rounds = change(play({1: "aaa"}, {1: "aaa"}, {1: "aaa", 2: "aaa"}), 3, 2, severity="critical")
    assert decide(rounds, rules(3)) == Decision("stop", "max_rounds")
    assert unassessed(rounds[-1]) == (2,)


@pytest.mark.parametrize(
    ("empty", "expected"),
    [("ABC", ("stop", "converged")), ("AB", ("next", None)), ("", ("next", None))],
)
def test_nobody_key_converges_only_when_everybody_says_there_is_nothing(
    empty: str, expected: tuple[str, str | None]
) -> None:
    rounds = [Round(number, frozenset("ABC"), (), (), frozenset(empty)) for number in (1, 2)]
    decision = decide(rounds, rules(3))
    assert (decision.action, decision.reason) == expected


def test_without_key_findings_the_open_ones_are_settled() -> None:
    assert decide(play({1: "a.."}, {1: "aaa"}, severity="info"), rules(3)) == Decision("stop", "converged")
    assert decide(play({1: "a.."}, {1: "aad"}, severity="info"), rules(3)) == Decision("next")


# 2.6: stability, stall, flips


def test_two_of_nine_changed_in_the_example() -> None:
    found = stability(play(*EXAMPLE), "ABC")
    assert found == Stability(pairs=9, changed=2)
    assert found.share is not None
    assert float(found.share) == pytest.approx(0.778, abs=5e-4)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (({1: "aaa"},), Stability(0, 0)),
        (({1: "aaa"}, {1: "---"}), Stability(0, 0)),
        (({1: "a.."}, {1: "aad"}), Stability(1, 0)),
        (({1: "amM"}, {1: "mMa"}), Stability(3, 3)),
        (({1: "aaa"}, {1: "adx"}), Stability(2, 1)),
    ],
)
def test_stability_counts_who_was_decisive_twice(tables: tuple[Table, ...], expected: Stability) -> None:
    assert stability(play(*tables), "ABC") == expected


def test_without_pairs_there_is_no_stability() -> None:
    assert Stability(0, 0).share is None


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (({1: "aad"}, {1: "aad"}), ("next", None)),
        (({1: "aad"}, {1: "aad"}, {1: "aad"}), ("stop", "stalled")),
        (({1: "aad"}, {1: "add"}, {1: "aad"}), ("next", None)),
        (({1: "aad"}, {1: "add"}, {1: "add"}), ("stop", "stalled")),
        (({1: "a.."}, {1: "aad"}, {1: "---"}), ("next", None)),
        (({1: "aad"}, {1: "aad"}, {1: "aad", 2: "a.."}), ("next", None)),
    ],
)
def test_it_stalls_when_nobody_moves_and_nothing_is_new(
    tables: tuple[Table, ...], expected: tuple[str, str | None]
) -> None:
    assert outcome(*tables, max_rounds=5) == expected


@pytest.mark.parametrize(
    ("moved", "then", "expected"), [(3, 3, "stalled"), (4, 3, None), (3, 4, None), (4, 0, "stalled")]
)
def test_hardly_moving_twice_is_a_stall(moved: int, then: int, expected: str | None) -> None:
    """Sixty pairs: three changed are T = 0.95."""
    held: Table = dict.fromkeys(range(1, 21), "aad")
    second = held | dict.fromkeys(range(1, 1 + moved), "add")
    third = second | dict.fromkeys(range(21 - then, 21), "add")
    assert outcome(held, second, third, max_rounds=5)[1] == expected


def test_a_stall_in_the_last_round_is_told_as_its_last_round() -> None:
    assert outcome({1: "aad"}, {1: "aad"}, {1: "aad"}) == ("stop", "max_rounds")


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (({1: "aad"}, {1: "aaa"}), [("C", "agree", True)]),
        (({1: "aad"}, {1: "add"}), [("B", "disagree", False)]),
        (({1: "add"}, {1: "ddd"}), [("A", "disagree", True)]),
        (({1: "ad."}, {1: "aa."}), [("B", "agree", False)]),
        (({1: "aam"}, {1: "aad"}), [("C", "disagree", False)]),
        (({1: "aaM"}, {1: "aad"}), []),
        (({1: "aam"}, {1: "aaa"}), []),
        (({1: "aad"}, {1: "aa-"}, {1: "aaa"}), [("C", "agree", True)]),
        (({1: "aad"}, {1: "aax"}, {1: "aaa"}), [("C", "agree", True)]),
        (({1: "aad"}, {1: "aad"}, {1: "aad"}), []),
    ],
)
def test_a_flip_is_a_change_of_sides(tables: tuple[Table, ...], expected: list[tuple[str, str, bool]]) -> None:
    found = flips(play(*tables), "ABC")
    assert [(flip.letter, flip.to, flip.toward_majority) for flip in found] == expected


def test_two_of_five_are_no_majority_and_three_are() -> None:
    (flip,) = flips(play({1: "aaddd"}, {1: "daddd"}), "ABCDE")
    assert (flip.to, flip.toward_majority) == ("disagree", True)


def test_a_majority_is_not_two_of_four() -> None:
    assert not any(flip.toward_majority for flip in flips(play({1: "aadd"}, {1: "aaad"}), "ABCD"))


def test_a_flip_in_a_minor_finding_is_none() -> None:
    assert flips(play({1: "aad", 2: "a.."}, {1: "aaa", 2: "d.."}), "ABC") == (
        Flip("C", 1, 2, "agree", True, False), Flip("A", 2, 2, "disagree", False, False),
    )  # fmt: skip
    small = change(play({1: "aad", 2: "a.."}, {1: "aaa", 2: "d.."}), 1, 2, severity="minor")
    assert [flip.number for flip in flips(small, "ABC")] == [1]


def explained(rounds: tuple[Round, ...], letter: str) -> tuple[Round, ...]:
    last = rounds[-1]
    said = tuple(replace(one, explained=True) if one.letter == letter else one for one in last.positions)
    return (*rounds[:-1], replace(last, positions=said))


def test_conformity_is_the_share_of_unexplained_flips_toward_the_majority() -> None:
    rounds = play({1: "aaadd", 2: "aaaad"}, {1: "aaaaa", 2: "daaaa"})
    assert conformity(flips(rounds, "ABCDE")) == 1, "D and E joined; A left the majority and does not count"
    assert conformity(flips(explained(rounds, "E"), "ABCDE")) == F(1, 3)


@pytest.mark.parametrize("tables", [({1: "aad"},), ({1: "aad"}, {1: "aad"}), ({1: "aad"}, {1: "dad"})])
def test_without_flips_toward_the_majority_there_is_no_conformity(tables: tuple[Table, ...]) -> None:
    assert conformity(flips(play(*tables), "ABC")) is None


# 2.7: velocity and cost


def test_the_example_gains_a_third_per_round() -> None:
    told = history(play(*EXAMPLE), rules(3))
    assert [basis_points(step) for step in velocities(told)] == [5000, 1667]
    assert basis_points(slope(told)) == 3333
    assert basis_points(slope(told[:2])) == 5000
    assert slope(told[:1]) is None


def test_a_round_without_agreement_has_no_pace() -> None:
    told = history(play({1: "aaa"}, {1: "axx"}), rules(3))
    assert velocities(told) == (None,)
    assert slope(told) is None
    assert forecast(told, EVERYONE) is None


@pytest.mark.parametrize(
    ("agreements", "tau", "expected"),
    [
        ((F(1, 3), F(5, 6)), EVERYONE, 1),
        ((F(2, 10), F(4, 10), F(5, 10)), EVERYONE, 4),
        ((F(2, 10), F(4, 10), F(5, 10)), THREE_QUARTERS, 2),
        ((F(9, 10), F(8, 10)), EVERYONE, None),
        ((F(8, 10), F(8, 10)), EVERYONE, None),
        ((F(8, 10),), EVERYONE, None),
        ((F(7, 10), F(9, 10)), THREE_QUARTERS, 1),
        ((F(1, 10), F(5, 10), F(5, 10), F(6, 10)), EVERYONE, 8),
    ],
)
def test_the_forecast_goes_on_at_the_pace_of_the_last_two(
    agreements: tuple[Fraction, ...], tau: Fraction, expected: int | None
) -> None:
    one = history(play(EXAMPLE[0]), rules(3))[0]
    told = [replace(one, number=at, agreement=share) for at, share in enumerate(agreements, start=1)]
    assert forecast(told, tau) == expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [(None, ("next", None)), (125, ("next", None)), (124, ("stop", "budget")), (0, ("stop", "budget"))],
)
def test_a_round_that_cannot_be_paid_is_refused(left: int | None, expected: tuple[str, str | None]) -> None:
    rounds = [replace(one, cost=cost) for one, cost in zip(play(*EXAMPLE[:2]), (80, 120), strict=True)]
    decision = decide(rounds, rules(3), left)
    assert (decision.action, decision.reason) == expected


def test_what_converged_needs_no_money() -> None:
    rounds = [replace(one, cost=100) for one in play(*EXAMPLE)]
    assert decide(rounds, rules(3), left=0) == Decision("stop", "converged")


# 2.8: failures and late findings


def test_a_void_round_is_repeated_once() -> None:
    rounds = play({1: "aaa"}, {1: "axx"})
    assert decide(rounds, rules(3)) == Decision("repeat")
    again = (rounds[0], replace(rounds[1], attempt=2))
    assert decide(again, rules(3)) == Decision("stop", "quorum_lost")


def test_a_void_round_is_not_repeated_without_money() -> None:
    rounds = [replace(one, cost=100) for one in play({1: "aaa"}, {1: "axx"})]
    assert decide(rounds, rules(3), left=99) == Decision("stop", "budget")


def test_a_void_last_round_is_quorum_lost_whatever_was_said() -> None:
    rounds = play({1: "aaa"}, {1: "aaa"}, {1: "axx"})
    assert decide((*rounds[:2], replace(rounds[2], attempt=2)), rules(3)) == Decision("stop", "quorum_lost")


ENTRIES = (LedgerEntry(1, "major", ("A",), 1), LedgerEntry(2, "critical", ("B",), 2))
LATE = (one_round(1, {1: "a.."}, ENTRIES[:1]), one_round(2, {1: "aaa", 2: ".a."}, ENTRIES))


def test_late_findings_get_exactly_one_extra_round() -> None:
    order = rules(3, max_rounds=2, confirmation_round=True)
    assert decide(LATE, order) == Decision("confirm", asked=frozenset({2}))
    split = one_round(3, {2: "aad"}, ENTRIES, asked=frozenset({2}))
    assert decide((*LATE, split), order) == Decision("stop", "max_rounds")


@pytest.mark.parametrize("signs", ["aaa", "ddd", "am-"])
def test_a_confirmed_late_finding_converges_with_what_was_settled_before(signs: str) -> None:
    order = rules(3, max_rounds=2, confirmation_round=True)
    extra = one_round(3, {2: signs}, ENTRIES, asked=frozenset({2}))
    assert decide((*LATE, extra), order) == Decision("stop", "converged")
    assert stability((*LATE, extra), "ABC").pairs == 1, "only B had decided on what was asked"


def test_a_void_confirmation_round_confirms_nothing() -> None:
    order = rules(3, max_rounds=2, confirmation_round=True)
    extra = one_round(3, {2: "axx"}, ENTRIES, asked=frozenset({2}), attempt=2)
    assert decide((*LATE, extra), order) == Decision("stop", "quorum_lost")


@pytest.mark.parametrize("fields", [{"confirmation_round": False}, {"confirmation_round": True, "max_rounds": 3}])
def test_without_need_there_is_no_extra_round(fields: dict[str, Any]) -> None:
    assert decide(LATE, rules(3, **{"max_rounds": 2, **fields})).action != "confirm"


def test_an_extra_round_costs_money_too() -> None:
    rounds = [replace(one, cost=100) for one in LATE]
    order = rules(3, max_rounds=2, confirmation_round=True)
    assert decide(rounds, order, left=124) == Decision("stop", "max_rounds")


def test_a_new_version_is_assessed_before_it_counts() -> None:
    first, second = play({1: "aaa"}, {1: "aaM"})
    adopted = replace(second, entries=(replace(second.entries[0], versioned_round=2),))
    third = replace(second, number=3, entries=(replace(adopted.entries[0], version=2),), positions=())
    assert unassessed(adopted) == (1,)
    assert decide((first, adopted), rules(3)) == Decision("next")
    said = tuple(replace(position, stance="agree", amendment=None) for position in _moved(second, 3))
    assert not is_converged((first, adopted, replace(third, positions=said)), rules(3)), "said of the old version"
    again = tuple(replace(position, version=2) for position in said)
    assert is_converged((first, adopted, replace(third, positions=again)), rules(3))


def _moved(one: Round, number: int) -> tuple[Any, ...]:
    return tuple(replace(position, round=number) for position in one.positions)


@given(
    st.lists(
        st.dictionaries(
            st.integers(1, 3), st.lists(st.sampled_from("amMd-."), min_size=3, max_size=3).map("".join), min_size=1
        ),
        min_size=1,
        max_size=5,
    )
)
def test_converged_is_never_said_while_a_key_finding_is_open(tables: list[Table]) -> None:
    rounds = play(*tables)
    decision = decide(rounds, rules(3, max_rounds=5))
    if decision.reason == "converged":
        key = history(rounds, rules(3))[-1].key
        assert key
        assert all(one.tally.decisive >= 2 and one.agreement == 1 for one in key)
    assert (decision.action == "stop") == (decision.reason is not None)
