import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dedupe import (
    b_cubed_f1,
    clusters_by_label,
    hard_negative_pairs,
    load_reports,
    measure_quality,
    pair_f1,
    synthetic_reports,
)
from sessions.engine.dedupe import MERGE_AT, Clusters, group, score
from sessions.engine.findings import Location, Report, ledger_order

LABELLED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "findings-dev.json").read_text())
DEV = {report.id: report for report in load_reports(LABELLED)}

CODE = Report(
    id="A-1",
    artifact="a",
    kind="code",
    raised_by="A",
    severity="major",
    category="",
    family="other",
    title="",
    claim="The queue grows without bound.",
    evidence="queue.append(item)",
    suggestion="Cap it.",
    confidence=0.5,
    location=Location("a.py", 10, 20),
)
TEXT = replace(CODE, kind="document", location=Location("a.md", anchor="3.2"))

Partition = set[frozenset[str]]


def partition(groups: Sequence[Sequence[Report]]) -> Partition:
    return {frozenset(report.id for report in reports) for reports in groups}


def lined(start: int | None, end: int | None = None, anchor: str = "") -> Report:
    return replace(CODE, location=Location("a.py", start, end, anchor))


def anchored(anchor: str, claim: str = TEXT.claim) -> Report:
    return replace(TEXT, claim=claim, location=Location("a.md", anchor=anchor))


def likeness(overlap: float) -> object:
    """The score of two reports with the same words whose places overlap so much."""
    return pytest.approx((2 + 0.5 * overlap + 1) / 3.5, abs=1e-6)


# The worked examples


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("D-055", "D-048", 0.987),
        ("D-016", "D-030", 0.971),
        ("D-051", "D-024", 0.0),
        ("D-023", "D-046", 0.0),
        ("D-034", "D-050", 0.0),
        ("D-019", "D-026", 0.0),
    ],
)
def test_a_worked_example_scores_as_designed(a: str, b: str, expected: float) -> None:
    assert score(DEV[a], DEV[b]) == pytest.approx(expected, abs=0.05)


def test_two_defects_of_one_function_score_below_the_threshold() -> None:
    assert 0.221 - 0.05 <= score(DEV["D-045"], DEV["D-012"]) < MERGE_AT


def test_two_defects_of_one_function_are_not_merged() -> None:
    assert not any({"D-045", "D-012"} <= cluster for cluster in partition(group(list(DEV.values()))))


# Location


@pytest.mark.parametrize("other", [replace(CODE, artifact="b"), replace(CODE, location=Location("b.py", 10, 20))])
def test_another_artifact_or_path_scores_nothing(other: Report) -> None:
    assert score(CODE, other) == 0.0


@pytest.mark.parametrize(("start", "overlap"), [(20, 1.0), (21, 0.63), (25, 0.35), (29, 0.07)])
def test_the_overlap_of_lines_falls_with_the_gap(start: int, overlap: float) -> None:
    assert score(CODE, lined(start, start + 5)) == likeness(overlap)


@pytest.mark.parametrize("start", [30, 31, 500])
def test_lines_ten_or_more_apart_score_nothing(start: int) -> None:
    assert score(CODE, lined(start, start + 5)) == 0.0


def test_a_report_with_one_line_is_a_range_of_one_line() -> None:
    assert score(CODE, lined(21)) == likeness(0.63)


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ("Pool.stop", "Pool.stop", 0.8),
        ("Pool.stop()", "stop", 0.8),
        ("Pool.stop", "", 0.6),
        ("", "", 0.6),
    ],
)
def test_code_without_lines_is_placed_by_its_symbol(a: str, b: str, overlap: float) -> None:
    assert score(lined(10, 20, a), lined(None, None, b)) == likeness(overlap)


@pytest.mark.parametrize(("a", "b"), [("start", "stop"), ("Pool.stop", "Timer.stop")])
def test_code_without_lines_in_another_symbol_scores_nothing(a: str, b: str) -> None:
    assert score(lined(None, None, a), lined(10, 20, b)) == 0.0


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ("3.2", "Clause 3.2", 1.0),
        ("3.2 Rent", "3.2", 1.0),
        ("Clause three", "3", 1.0),
        ("3", "3.2", 0.7),
        ("need", "Statement of need", 0.8),
        ("1 Goals", "Goals", 0.8),
        ("3.2", "", 0.5),
    ],
)
def test_text_is_placed_by_its_anchor(a: str, b: str, overlap: float) -> None:
    assert score(anchored(a), anchored(b)) == likeness(overlap)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("3.2", "3.3"),
        ("3", "32"),
        ("Clause 3", "Clause 4"),
        ("need of funds", "impact of funding"),
        ("Section 5", "Section on rent"),
    ],
)
def test_text_under_another_anchor_scores_nothing(a: str, b: str) -> None:
    assert score(anchored(a), anchored(b)) == 0.0


@pytest.mark.parametrize("reference", ["section 5", "Sections 1 and 5", "clause 5", "§ 5"])
def test_a_section_named_in_a_claim_counts_as_its_place(reference: str) -> None:
    claim = f"The queue grows without bound, unlike {reference}."
    assert score(anchored("1", claim), anchored("5", claim)) == likeness(0.8)


def test_lines_place_a_text_without_anchors() -> None:
    here, there = (replace(TEXT, location=Location("a.md", line, line)) for line in (4, 40))
    assert score(here, here) == likeness(1.0)
    assert score(here, there) == 0.0


def test_lines_that_agree_outweigh_a_heading_that_does_not() -> None:
    a, b = (replace(TEXT, location=Location("a.md", 4, 6, anchor)) for anchor in ("2", "3"))
    assert score(a, b) == likeness(1.0)


# Text, evidence, numbers


def test_reports_without_a_common_word_have_only_place_and_evidence() -> None:
    other = replace(CODE, claim="Zzz.", suggestion="", evidence="")
    assert score(CODE, other) == pytest.approx((0.5 + 0.4) / 3.5, abs=1e-6)


def test_a_quote_inside_a_longer_one_is_full_evidence() -> None:
    longer = replace(CODE, evidence="if item: queue.append(item)")
    assert score(CODE, longer) == likeness(1.0)


def test_a_quote_too_short_to_compare_counts_a_little() -> None:
    assert score(CODE, replace(CODE, evidence="queue.a")) == pytest.approx((2 + 0.5 + 0.4) / 3.5, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [("8%", "12%"), ("8", "ten"), ("two hundred", "300"), ("twenty-five", "20")],
)
def test_claims_that_state_other_numbers_lose_points(a: str, b: str) -> None:
    same, other = (replace(CODE, claim=f"The queue grows by {number} items.") for number in (a, b))
    assert score(same, other) == pytest.approx(1 - 0.15, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("8 items", "eight items"),
        ("12,000 items", "twelve thousand items"),
        ("25 items", "twenty-five items"),
        ("8 items", "many items"),
        ("8 items", "1 items"),
        ("8 items, section 3", "8 items, section 4"),
        ("items, section 3", "items, section 4"),
        ("items, lines 12-14", "items, line 13"),
    ],
)
def test_claims_without_conflicting_numbers_keep_their_points(a: str, b: str) -> None:
    same, other = (replace(CODE, claim=f"The queue grows by {number}.") for number in (a, b))
    assert score(same, other) == likeness(1.0)


def test_the_score_is_never_negative() -> None:
    a = replace(CODE, claim="Eight.", suggestion="", evidence="abcdefghijk")
    b = replace(CODE, claim="12.", suggestion="", evidence="mnopqrstuvw", location=Location("a.py", 29, 29))
    assert score(a, b) == 0.0


# Groups


def test_the_acceptance_figures_hold_on_the_development_set() -> None:
    figures = measure_quality(LABELLED)
    assert figures["b3_f1"] >= 0.92
    assert figures["pair_f1"] >= 0.85
    assert figures["hard_negatives_merged"] <= 33 / 4


def test_twenty_shuffles_give_one_and_the_same_partition() -> None:
    reports, draw = list(DEV.values()), random.Random(7)
    expected = group(reports)
    for _ in range(20):
        draw.shuffle(reports)
        assert group(reports) == expected


def test_a_chain_of_likenesses_is_not_one_cluster() -> None:
    chain = [replace(lined(line, line), id=f"A-{line}") for line in range(10, 100, 9)]
    assert max(len(cluster) for cluster in group(chain)) <= 3


def test_no_reports_give_no_clusters() -> None:
    assert group([]) == []


WORDS = "queue grows bound socket leaks lock 8 eight twelve section".split()
PLACES = st.builds(
    Location,
    path=st.sampled_from(["", "x", "y"]),
    start_line=st.sampled_from([None, 1, 8, 15, 33, 60, 3000]),
    end_line=st.sampled_from([None, 12, 30, 64, 9000]),
    anchor=st.sampled_from(["", "1", "1.2", "1.2.3", "2 Goals", "Goals", "Pool.stop()", "stop"]),
)
REPORTS = st.builds(
    replace,
    st.sampled_from([CODE, replace(TEXT, artifact="b")]),
    severity=st.sampled_from(["minor", "major"]),
    claim=st.lists(st.sampled_from([*WORDS, "section 1", "sections 2 and 1.2"]), max_size=5).map(" ".join),
    evidence=st.sampled_from(["", "queue.append(item)", "append(item)"]),
    location=PLACES,
)


def numbered(reports: list[Report]) -> list[Report]:
    return [replace(report, id=f"A-{index}") for index, report in enumerate(reports)]


def by_brute_force(reports: Sequence[Report]) -> Partition:
    """Average linkage over every pair, as the definition says it."""
    clusters = [[report] for report in sorted(reports, key=ledger_order)]

    def mean(pair: tuple[list[Report], list[Report]]) -> float:
        return round(sum(score(a, b) for a, b in itertools.product(*pair)) / (len(pair[0]) * len(pair[1])), 9)

    while len(clusters) > 1:
        first, second = max(itertools.combinations(clusters, 2), key=mean)
        if mean((first, second)) < MERGE_AT:
            break
        first += second
        clusters.remove(second)
    return partition(clusters)


@given(st.lists(REPORTS, max_size=8).map(numbered))
def test_grouping_by_place_gives_what_comparing_every_pair_gives(reports: list[Report]) -> None:
    assert partition(group(reports)) == by_brute_force(reports)


@given(st.lists(REPORTS, max_size=8).map(numbered), st.randoms(use_true_random=False))
def test_the_order_of_the_reports_never_matters(reports: list[Report], draw: random.Random) -> None:
    shuffled = draw.sample(reports, len(reports))
    assert group(shuffled) == group(reports)


@given(REPORTS, REPORTS)
def test_the_score_is_symmetric_and_within_bounds(a: Report, b: Report) -> None:
    assert score(a, b) == score(b, a)
    assert 0.0 <= score(a, b) <= 1.0


# Later arrivals


def test_a_later_report_joins_the_group_it_resembles_most() -> None:
    clusters = Clusters([[lined(500)], [CODE]])
    assert clusters.join(replace(CODE, id="B-1")) == 1
    assert [report.id for report in clusters.groups[1]] == ["A-1", "B-1"]


def test_a_later_report_on_something_else_opens_a_group() -> None:
    clusters = Clusters([[CODE]])
    assert clusters.join(lined(500)) == 1
    assert clusters.groups == [[CODE], [lined(500)]]


def test_a_later_report_needs_the_mean_of_the_whole_group() -> None:
    far = [replace(lined(500 * n), id=f"B-{n}") for n in (1, 2)]
    assert Clusters([[CODE, *far]]).join(replace(CODE, id="D-1")) == 0
    assert Clusters([[CODE, *far, lined(2000)]]).join(replace(CODE, id="D-1")) == 1


def test_a_later_report_between_equal_groups_joins_the_first() -> None:
    twin = replace(CODE, id="B-1")
    assert Clusters([[CODE], [twin]]).join(replace(CODE, id="C-1")) == 0


def test_a_later_report_meets_earlier_later_reports() -> None:
    clusters = Clusters()
    assert [clusters.join(replace(CODE, id=f"A-{n}")) for n in range(3)] == [0, 0, 0]


def test_groups_already_decided_stay_as_they_are() -> None:
    decided = [[CODE, lined(500)], [replace(CODE, id="B-1")]]
    clusters = Clusters(decided)
    clusters.join(lined(900))
    assert clusters.groups[:2] == decided


# The measures


def test_the_development_set_has_33_hard_negative_pairs() -> None:
    assert len(hard_negative_pairs(LABELLED)) == 33


def test_hard_negatives_put_together_are_counted_by_pairs_of_findings() -> None:
    finding = {"artifact": "a", "kind": "code", "claim": "Same.", "location": {"path": "a", "start_line": 1}}
    labelled = {
        "findings": [finding | {"id": "1", "cluster": "X"}, finding | {"id": "2", "cluster": "Y"},
                     finding | {"id": "3", "cluster": "Y"}],
        "hard_negatives": [{"a": "X", "b": "Y"}],
    }  # fmt: skip
    assert measure_quality(labelled)["hard_negatives_merged"] == 2


def test_b_cubed_and_pair_f1_follow_their_definitions() -> None:
    truth = {"1": "X", "2": "X", "3": "Y", "4": "Y"}
    found = [["1", "2", "3"], ["4"]]
    precision, recall = (2 / 3 + 2 / 3 + 1 / 3 + 1) / 4, (1 + 1 + 1 / 2 + 1 / 2) / 4
    assert b_cubed_f1(found, truth) == pytest.approx(2 * precision * recall / (precision + recall))
    assert pair_f1(found, truth) == pytest.approx(2 * 1 / (3 + 2))


def test_a_labelled_finding_may_lack_every_optional_field() -> None:
    labelled = {"findings": [{"id": "1", "cluster": "X"}, {"id": "2", "cluster": "Y", "location": None, "claim": None}]}
    assert measure_quality(labelled)["hard_negatives_merged"] == 0
    assert clusters_by_label(labelled) == {"1": "X", "2": "Y"}


def test_the_synthetic_findings_are_the_same_every_time() -> None:
    assert synthetic_reports(300) == synthetic_reports(300)
