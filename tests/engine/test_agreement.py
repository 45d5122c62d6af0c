import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.engine.agreement import (
    EVERYONE,
    MORE_THAN_HALF,
    THREE_QUARTERS,
    Rules,
    Tally,
    ac1,
    agreement_of,
    agreement_words,
    basis_points,
    figures,
    history,
    is_late_note,
    key_entries,
    percent,
    quorum,
    round_data,
    severities_of,
    share_words,
    status_of,
    straddles,
    tally_of,
    told_agreement,
)
from sessions.engine.positions import LedgerEntry, Position, Round, amendment_of, standing
from tests.deliberating import EXAMPLE, EXAMPLE_DIVERGED, LETTERS, SIGNS, change, one_round, play, rules

F = Fraction
SIGN = st.sampled_from(sorted([*SIGNS, "."]))


def agreements(*tables: dict[int, str], n: int = 3) -> list[int | None]:
    return [basis_points(one.agreement) for one in history(play(*tables), rules(n))]


# 2.4: the table of tallies


@pytest.mark.parametrize(("n", "expected"), [(1, 2), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5)])
def test_a_quorum_is_two_thirds_and_at_least_two(n: int, expected: int) -> None:
    assert quorum(n) == expected


@pytest.mark.parametrize(
    ("n", "counts", "support", "agreement", "at_everyone", "at_three_quarters"),
    [
        (3, (3, 0, 0, 0), F(1), F(1), "accepted", "accepted"),
        (3, (2, 0, 0, 0), F(1), F(1), "accepted", "accepted"),
        (3, (1, 0, 0, 0), F(1), F(0), "undecided", "undecided"),
        (3, (0, 0, 0, 3), F(0), F(1), "rejected", "rejected"),
        (3, (1, 0, 0, 2), F(1, 3), F(2, 3), "contested", "contested"),
        (3, (2, 0, 1, 0), F(5, 6), F(5, 6), "contested", "accepted"),
        (3, (2, 1, 0, 0), F(1), F(1), "accepted", "accepted"),
        (5, (4, 0, 0, 1), F(4, 5), F(4, 5), "contested", "accepted"),
        (5, (3, 0, 0, 1), F(3, 4), F(3, 4), "contested", "accepted"),
        (5, (3, 0, 0, 0), F(1), F(0), "undecided", "undecided"),
        (3, (0, 0, 0, 0), None, F(0), "undecided", "undecided"),
    ],
)
def test_a_tally_has_a_support_an_agreement_and_a_status(
    n: int, counts: tuple[int, ...], support: Fraction, agreement: Fraction, at_everyone: str, at_three_quarters: str
) -> None:
    tally = Tally(*counts)
    assert (tally.support, agreement_of(tally, n)) == (support, agreement)
    assert status_of(tally, n, EVERYONE) == at_everyone
    assert status_of(tally, n, THREE_QUARTERS) == at_three_quarters


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((3, 0, 0, 2), "accepted"), ((2, 0, 0, 3), "rejected"), ((2, 0, 0, 2), "contested"), ((1, 0, 2, 1), "contested")],
)
def test_more_than_half_is_not_half(counts: tuple[int, ...], expected: str) -> None:
    assert status_of(Tally(*counts), 5, MORE_THAN_HALF) == expected


def test_a_threshold_of_two_thirds_may_be_written_with_nine_digits() -> None:
    assert status_of(Tally(agree=2, disagree=1), 3, F("0.6666666670")) == "accepted"


# 2.4: the session example, and A


def test_the_session_example_rises_to_all() -> None:
    assert agreements(*EXAMPLE) == [3333, 8333, 10_000]


def test_the_session_example_ends_short_of_all_when_one_stays_apart() -> None:
    assert agreements(*EXAMPLE_DIVERGED) == [3333, 8333, 8889]


def test_the_figures_of_the_example_are_its_tallies() -> None:
    second = figures(play(*EXAMPLE)[:2], rules(3))
    assert [(one.agreement, one.status) for one in second.key] == [
        (F(1), "accepted"), (F(1, 2), "contested"), (F(1), "accepted"),
    ]  # fmt: skip


def test_new_findings_lower_agreement_but_not_that_of_the_same_set() -> None:
    found = history(play({1: "aaa"}, {1: "aaa", 2: "a.."}), rules(3))
    assert [(one.agreement, one.same_set) for one in found] == [(F(1), None), (F(1, 2), F(1))]


def test_the_same_set_leaves_out_what_was_merged_away() -> None:
    rounds = play({1: "aaa", 2: "aad"}, {1: "aaa", 2: "ddd"})
    merged = change(rounds, 2, 2, state="merged", merged_into=1)
    assert [one.number for one in figures(merged, rules(3)).key] == [1]
    assert figures(merged, rules(3)).same_set == 0, "everybody said yes to one and no to the other"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, True),
        ({"severity": "minor"}, False),
        ({"severity": "info", "raised_by": ("A", "B")}, True),
        ({"severity": "info", "marked_key": True}, True),
        ({"evidence_verified": False}, False),
        ({"evidence_verified": False, "raised_by": ("A", "B")}, True),
        ({"evidence_verified": False, "marked_key": True}, True),
        ({"severity": "blocker", "state": "merged", "merged_into": 1}, False),
        ({"severity": "blocker", "state": "split"}, False),
        ({"severity": "blocker", "state": "withdrawn", "marked_key": True}, False),
        ({"registered_round": 2}, True),
        ({"registered_round": 2, "severity": "minor", "raised_by": ("A", "B")}, False),
        ({"registered_round": 2, "severity": "minor", "raised_by": ("A", "B"), "split_from": 1}, True),
        ({"registered_round": 2, "severity": "minor", "marked_key": True}, True),
    ],
)
def test_a_finding_is_key_by_severity_raisers_or_a_persons_mark(fields: dict[str, Any], key: bool) -> None:
    sure = LedgerEntry(1, "major", ("B",), 1)
    asked = replace(LedgerEntry(2, "major", ("A",), 1), **fields)
    assert key_entries([sure, asked]) == ((sure, asked) if key else (sure,))


def test_without_key_findings_all_open_ones_are_but_late_notes() -> None:
    small = LedgerEntry(1, "minor", ("A",), 1)
    late, gone = replace(small, number=2, registered_round=2), replace(small, number=3, state="withdrawn")
    assert key_entries([small, late, gone]) == (small,)
    assert [is_late_note(entry) for entry in (small, late, gone)] == [False, True, False]


@pytest.mark.parametrize(
    ("answered", "empty", "expected"),
    [("ABC", "ABC", F(1)), ("AB", "AB", F(1)), ("ABC", "AB", None), ("A", "A", None), ("", "", None)],
)
def test_nothing_found_is_agreement_when_everybody_who_answered_says_so(
    answered: str, empty: str, expected: Fraction | None
) -> None:
    now = Round(1, frozenset(answered), (), (), frozenset(empty))
    assert figures((now,), rules(3)).agreement == expected


def test_too_few_answers_have_no_percentage() -> None:
    found = figures(play({1: "axx"}), rules(3))
    assert found.is_void
    assert found.agreement is None


def test_one_instance_has_no_percentage() -> None:
    assert agreements({1: "a"}, {1: "a"}, n=1) == [None, None]


def test_all_abstaining_is_no_agreement() -> None:
    found = figures(play({1: "aaa"}, {1: "---"}), rules(3))
    assert found.agreement == 0
    assert found.key[0].status == "undecided"


def test_who_is_not_deciding_does_not_count() -> None:
    found = figures(play({1: "aadd"}), rules(2))
    assert (found.answered, found.key[0].tally) == (2, Tally(agree=2))


@pytest.mark.parametrize(
    "bad",
    [{"letters": ()}, {"letters": ("A", "A")}, {"tau": F(1, 2)}, {"tau": F(3, 2)}, {"max_rounds": 0}],
)
def test_rules_nobody_could_follow_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="deliberation|agree"):
        Rules(**{"letters": ("A", "B"), **bad})


# 2.2: severity, and 2.16


def rated(*severities: str) -> tuple[Round, ...]:
    n = len(severities)
    said = [Position(LETTERS[at], 1, 1, "agree", severity=severity) for at, severity in enumerate(severities)]
    entry = LedgerEntry(1, "info", tuple(LETTERS[:n]), 1)
    return (Round(1, frozenset(LETTERS[:n]), (entry,), tuple(said)),)


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        (("major", "critical", "critical", "blocker"), ("critical", True)),
        (("minor", "critical"), ("critical", True)),
        (("minor", "major"), ("major", False)),
        (("info",), ("info", False)),
        (("critical", "critical", "major"), ("critical", False)),
    ],
)
def test_severity_is_the_median_of_its_raters(severities: tuple[str, ...], expected: tuple[str, bool]) -> None:
    found = figures(rated(*severities), rules(4)).findings[0]
    assert (found.severity, found.severity_disputed) == expected


def test_only_who_holds_a_finding_to_be_true_rates_it() -> None:
    entry = LedgerEntry(1, "major", ("A",), 1)
    first = Round(1, frozenset("ABC"), (entry,), (Position("A", 1, 1, "agree", severity="blocker"),))
    lower = amendment_of("severity", "minor", "major")
    said = (
        Position("A", 1, 2, "disagree"),
        Position("B", 1, 2, "amend", amendment=lower),
        Position("C", 1, 2, "agree"),
    )
    rounds = (first, Round(2, frozenset("ABC"), (entry,), said))
    assert severities_of(rounds, standing(rounds, "ABC")) == {1: ("minor",)}


def test_a_rating_lasts_while_its_rater_agrees() -> None:
    entry = LedgerEntry(1, "major", ("A",), 1)
    first = Round(1, frozenset("AB"), (entry,), (Position("A", 1, 1, "agree", severity="blocker"),))
    rounds = (first, Round(2, frozenset("AB"), (entry,), (Position("A", 1, 2, "agree"),)))
    assert figures(rounds, rules(2)).findings[0].severity == "blocker"


def test_without_raters_a_finding_keeps_its_severity() -> None:
    found = figures(play({1: "a.."}, {1: "ddd"}, severity="critical"), rules(3)).findings[0]
    assert (found.severity, found.severity_disputed, found.severities) == ("critical", False, ())


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        (("major", "critical"), True),
        (("critical", "blocker"), False),
        (("info", "major"), False),
        (("critical",), False),
        ((), False),
    ],
)
def test_ratings_on_both_sides_of_what_blocks_need_a_person(severities: tuple[str, ...], expected: bool) -> None:
    assert straddles(severities, "critical") is expected


@pytest.mark.parametrize("severities", [("minor", "blocker", "blocker"), ("major", "major", "blocker")])
def test_severity_never_changes_agreement(severities: tuple[str, ...]) -> None:
    assert figures(rated(*severities), rules(3)).agreement == 1


# 1.5: AC1


def test_ac1_of_nine_unanimous_findings_and_one_two_to_one() -> None:
    found = ac1([Tally(agree=3)] * 9 + [Tally(agree=2, disagree=1)])
    assert found is not None
    assert float(found) == pytest.approx(0.9287, abs=5e-5)
    assert basis_points(found) == 9287


def test_ac1_of_unanimous_findings_is_one() -> None:
    assert ac1([Tally(agree=3)] * 10) == 1
    assert ac1([Tally(agree=2)] * 5) == 1


def test_ac1_counts_agreeing_that_it_is_not_so() -> None:
    """Observed 13/15; 11/15 said yes, so 2 x 11/15 x 4/15 is chance."""
    found = ac1([Tally(agree=3)] * 3 + [Tally(disagree=3), Tally(agree=1, minor=1, disagree=1)])
    assert found == (F(13, 15) - F(88, 225)) / (1 - F(88, 225))


@pytest.mark.parametrize("tallies", [[], [Tally(agree=3)] * 4, [Tally(agree=3)] * 4 + [Tally(agree=1)]])
def test_ac1_is_hidden_below_five_findings(tallies: list[Tally]) -> None:
    assert ac1(tallies) is None


# Figures in whole numbers


@pytest.mark.parametrize(
    ("share", "points", "words"),
    [
        (F(1, 3), 3333, "33.3"),
        (F(5, 6), 8333, "83.3"),
        (F(8, 9), 8889, "88.9"),
        (F(1), 10_000, "100.0"),
        (F(0), 0, "0.0"),
        (F(99_999, 100_000), 9_999, "99.9"),
        (F(-1, 3), -3333, "-33.3"),
        (F(-1, 100_000), 0, "0.0"),
        (F(-1), -10_000, "-100.0"),
        (F(-4, 10_000), -4, "0.0"),
    ],
)
def test_a_share_travels_in_basis_points_and_only_the_whole_is_the_whole(
    share: Fraction, points: int, words: str
) -> None:
    assert basis_points(share) == points
    assert percent(points) == words


def test_no_share_has_no_basis_points() -> None:
    assert basis_points(None) is None


def test_an_event_holds_no_floats() -> None:
    data = round_data(figures(play(*EXAMPLE)[:2], rules(3)))
    json.dumps(data, allow_nan=False)
    assert data["agreement_bp"] == data["same_set_bp"] == 8333
    assert data["findings"][1] == {
        "number": 2, "counts": [1, 0, 1, 1], "support_bp": 5000, "agreement_bp": 5000, "status": "contested",
        "severity": "major", "severity_disputed": False, "key": True,
    }  # fmt: skip
    assert "." not in json.dumps(data)


# 5.1: properties


def tables(n: int) -> st.SearchStrategy[list[dict[int, str]]]:
    """Up to four rounds on up to five findings; now and then an instance is missing."""
    rows = st.lists(SIGN, min_size=n, max_size=n)
    table = st.dictionaries(st.integers(1, 5), rows, min_size=1, max_size=5)
    missing = st.sets(st.integers(0, n - 1), max_size=1)
    return st.lists(st.builds(_without, table, missing), min_size=1, max_size=4)


def _without(table: dict[int, list[str]], missing: set[int]) -> dict[int, str]:
    return {
        number: "".join("x" if at in missing else sign for at, sign in enumerate(row)) for number, row in table.items()
    }


@given(tables(3))
def test_agreement_is_a_percentage(rounds: list[dict[int, str]]) -> None:
    for one in history(play(*rounds), rules(3)):
        assert one.agreement is None or 0 <= one.agreement <= 1
        assert all(0 <= finding.agreement <= 1 for finding in one.findings)


@given(tables(4), st.permutations(range(4)))
def test_agreement_does_not_know_who_is_who(rounds: list[dict[int, str]], order: list[int]) -> None:
    renamed = [{number: "".join(row[at] for at in order) for number, row in table.items()} for table in rounds]
    told = [round_data(one) for one in history(play(*rounds), rules(4))]
    assert [round_data(one) for one in history(play(*renamed), rules(4))] == told


@given(tables(4), st.randoms(use_true_random=False))
def test_agreement_does_not_know_who_answered_first(rounds: list[dict[int, str]], chance: Any) -> None:
    played = play(*rounds)
    shuffled = [
        replace(one, positions=tuple(chance.sample(one.positions, len(one.positions))), entries=one.entries[::-1])
        for one in played
    ]
    order = rules(4, max_rounds=3)
    assert history(shuffled, replace(order, letters=order.letters[::-1])) == history(played, order)


@given(*[st.integers(0, 4)] * 4)
def test_one_more_agree_never_lowers_support(agree: int, minor: int, material: int, disagree: int) -> None:
    less, more = Tally(agree, minor, material, disagree), Tally(agree + 1, minor, material, disagree)
    assert more.support is not None
    assert less.support is None or more.support >= less.support


@given(st.lists(SIGN, min_size=5, max_size=5).map("".join), st.lists(SIGN, min_size=5, max_size=5).map("".join))
def test_a_merge_never_raises_the_number_of_decisive_positions(own: str, alias: str) -> None:
    one, two = LedgerEntry(1, "major", ("A",), 1), LedgerEntry(2, "major", ("B",), 1)
    apart = standing((one_round(2, {1: own, 2: alias}, (one, two)),), LETTERS[:5])
    merged = replace(two, state="merged", merged_into=1)
    together = standing((one_round(2, {1: own, 2: alias}, (one, merged)),), LETTERS[:5])
    before = sum(tally_of(by_letter.values()).decisive for by_letter in apart.values())
    assert tally_of(together[1].values()).decisive <= min(before, 5)


@given(tables(3), st.sampled_from(["merged", "split", "withdrawn"]), st.integers(1, 5))
def test_later_events_leave_the_figures_of_past_rounds_alone(
    rounds: list[dict[int, str]], state: str, number: int
) -> None:
    played = play(*rounds)
    told = history(played, rules(3))
    fields: dict[str, Any] = {"state": state, **({"merged_into": 0} if state == "merged" else {})}
    survivor = LedgerEntry(0, "major", ("A",), 1)
    entries = tuple(replace(one, **fields) if one.number == number else one for one in played[-1].entries)
    later = Round(len(played) + 1, frozenset("ABC"), (survivor, *entries), ())
    assert history((*played, later), rules(3))[:-1] == told


# What people are told


@pytest.mark.parametrize("points", [None, 3_333, 10_000])
def test_nobody_has_judged_anything_before_the_second_round(points: int | None) -> None:
    assert told_agreement(1, points) is None
    assert share_words(1, points) == agreement_words(1, points) == "nobody has judged yet"


@pytest.mark.parametrize(
    ("points", "words", "alone"), [(8_333, "83.3 %", "agreement 83.3 %"), (None, "no figure", "no figure")]
)
def test_from_the_second_round_on_agreement_is_a_figure(points: int | None, words: str, alone: str) -> None:
    assert told_agreement(2, points) == points
    assert (share_words(2, points), agreement_words(2, points)) == (words, alone)
