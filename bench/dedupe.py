"""Measures the deduplication of findings.

    python -m bench.dedupe LABELLED.json    quality against labels, one JSON line
    python -m bench.dedupe --speed          seconds for synthetic findings, one JSON line

A labelled file holds `findings` ({id, artifact, kind, cluster, severity, location, claim, evidence, suggestion ...})
and `hard_negatives` ({a, b}: two clusters that must stay apart). What is missing or null counts as empty.
"""

import argparse
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sessions.engine.dedupe import Clusters, group
from sessions.engine.findings import SEVERITIES, Location, Report

Pair = frozenset[str]
DEVELOPMENT_SET = Path(__file__).resolve().parent.parent / "tests" / "data" / "findings-dev.json"

# Kinds a labelled file may use for what is reviewed by line; all others are texts with headings or clauses.
CODE_KINDS = frozenset({"code", "source", "script", "config", "infrastructure", "sql", "test", "tests"})
DIFF_KINDS = frozenset({"diff", "patch"})


def load_reports(labelled: Mapping[str, Any]) -> list[Report]:
    return [_report(finding) for finding in labelled["findings"]]


def _report(finding: Mapping[str, Any]) -> Report:
    def text(key: str) -> str:
        return str(finding.get(key) or "")

    place = finding.get("location") or {}
    severity = text("severity")
    return Report(
        id=text("id"),
        artifact=text("artifact"),
        kind=_kind(text("kind")),
        raised_by=text("reviewer"),
        severity=severity if severity in SEVERITIES else "info",
        category=text("category"),
        family=text("family") or "other",
        title=text("title"),
        claim=text("claim"),
        evidence=text("evidence"),
        suggestion=text("suggestion"),
        confidence=float(finding.get("confidence") or 0),
        location=Location(
            path=str(place.get("path") or ""),
            start_line=place.get("start_line"),
            end_line=place.get("end_line"),
            anchor=str(place.get("anchor") or ""),
        ),
    )


def _kind(name: str) -> str:
    if name in DIFF_KINDS:
        return "diff"
    return "code" if name in CODE_KINDS else "document"


def clusters_by_label(labelled: Mapping[str, Any]) -> dict[str, str]:
    """Finding id to true cluster; a finding without label is a cluster of its own."""
    return {str(finding["id"]): str(finding.get("cluster") or finding["id"]) for finding in labelled["findings"]}


def hard_negative_pairs(labelled: Mapping[str, Any]) -> set[Pair]:
    """Every pair of findings across the listed pairs of clusters."""
    members: dict[str, list[str]] = {}
    for finding, cluster in clusters_by_label(labelled).items():
        members.setdefault(cluster, []).append(finding)
    return {
        frozenset(pair)
        for listed in labelled.get("hard_negatives") or ()
        for pair in itertools.product(members.get(str(listed["a"]), ()), members.get(str(listed["b"]), ()))
    }


def b_cubed_f1(found: Sequence[Sequence[str]], truth: Mapping[str, str]) -> float:
    """F1 of B-cubed precision and recall (Bagga and Baldwin 1998), 0..1; `found` holds every id of `truth` once."""
    sizes = Counter(truth.values())
    precision = recall = 0.0
    for cluster in found:
        for label, hits in Counter(truth[id_] for id_ in cluster).items():
            precision += hits * hits / len(cluster)
            recall += hits * hits / sizes[label]
    return _f1(precision / len(truth), recall / len(truth)) if truth else 1.0


def pair_f1(found: Sequence[Sequence[str]], truth: Mapping[str, str]) -> float:
    """F1 over pairs of findings put together, 0..1."""
    members: dict[str, list[str]] = {}
    for id_, label in truth.items():
        members.setdefault(label, []).append(id_)
    together, wanted = _pairs(found), _pairs(members.values())
    hits = len(together & wanted)
    return 2 * hits / (len(together) + len(wanted)) if together or wanted else 1.0


def _pairs(clusters: Iterable[Sequence[str]]) -> set[Pair]:
    return {frozenset(pair) for cluster in clusters for pair in itertools.combinations(cluster, 2)}


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def measure_quality(labelled: Mapping[str, Any]) -> dict[str, float]:
    """B-cubed F1, pair F1, pairs put together across hard negatives, and the seconds of the grouping alone."""
    reports = load_reports(labelled)
    started = time.perf_counter()
    groups = group(reports)
    seconds = time.perf_counter() - started
    found = [[report.id for report in reports] for reports in groups]
    truth = clusters_by_label(labelled)
    return {
        "b3_f1": round(b_cubed_f1(found, truth), 4),
        "pair_f1": round(pair_f1(found, truth), 4),
        "hard_negatives_merged": len(_pairs(found) & hard_negative_pairs(labelled)),
        "seconds": round(seconds, 4),
    }


_THINGS = "buffer cache channel cookie cursor handle index lock parser queue socket token".split()
_FAULTS = {
    "is never released": "descriptor early return exception path exhausts process after days leaking close finally",
    "grows without bound": "memory unlimited retention eviction missing capacity backlog swap killed quota append",
    "is shared without a lock": "race concurrent writers torn update corrupt counter interleaving mutex atomic thread",
    "trusts user input": "injection escape crafted header attacker validate payload sanitise arbitrary command shell",
    "serves an old value": "stale refresh invalidate expiry deployment configuration reload outdated clients version",
    "swallows the error": "silently ignored caller success reported logging retry hidden failure status partial",
}


def synthetic_reports(count: int) -> list[Report]:
    """The same `count` reports every time, a hundred a file: defects 50 lines apart on average, about four reports of
    each in other words and at slightly other lines, one in ten without line numbers."""
    return list(itertools.islice(_synthetic(random.Random(count), max(1, count // 100)), count))


def _synthetic(draw: random.Random, files: int) -> Iterator[Report]:
    for defect in itertools.count():
        thing, fault = draw.choice(_THINGS), draw.choice(list(_FAULTS))
        line, path = draw.randrange(1, 1250), f"src/module_{draw.randrange(files)}.py"
        symbol = f"{thing}_{draw.randrange(1000)}"
        for raiser in range(draw.randint(1, 7)):
            start = line + draw.randint(-2, 2) if draw.random() < 0.9 else None
            words = draw.sample(_FAULTS[fault].split(), 9)
            yield Report(
                id=f"{defect}-{raiser}",
                artifact="synthetic",
                kind="code",
                raised_by="ABCDEFG"[raiser],
                severity=draw.choice(list(SEVERITIES)),
                category="defect",
                family="other",
                title=f"{thing} {fault}",
                claim=f"The {thing} {fault}: {' '.join(words[:6])}.",
                evidence=f"{symbol} = open_{thing}(path, mode)"[: draw.randint(12, 40)],
                suggestion=" ".join(words[6:]),
                confidence=0.5,
                location=Location(path, start, start and start + draw.randint(0, 6), symbol),
            )


def measure_speed() -> dict[str, float]:
    """Seconds to group 1,000 and 10,000 synthetic reports from scratch; mean milliseconds of one more at 10,000."""
    many = synthetic_reports(10_200)
    many, later = many[:10_000], many[10_000:]
    figures = {}
    for reports in (synthetic_reports(1_000), many):
        started = time.perf_counter()
        groups = group(reports)
        figures[f"seconds_{len(reports)}"] = round(time.perf_counter() - started, 3)
    clusters = Clusters(groups)
    started = time.perf_counter()
    for report in later:
        clusters.join(report)
    figures["ms_one_more"] = round((time.perf_counter() - started) / len(later) * 1000, 3)
    return figures


def run() -> list[dict[str, Any]]:
    """Row f for `make bench`: speed on synthetic findings, quality on the development set."""
    speed, quality = measure_speed(), measure_quality(json.loads(DEVELOPMENT_SET.read_text(encoding="utf-8")))
    rows = [
        ("dedupe of 1,000 findings", speed["seconds_1000"], 2.0, "s"),
        ("dedupe of 10,000 findings", speed["seconds_10000"], 5.0, "s"),
        ("1 - B3 F1, development set", round(1 - quality["b3_f1"], 4), 0.08, "share"),
        ("1 - pair F1, development set", round(1 - quality["pair_f1"], 4), 0.15, "share"),
        ("hard negatives merged, of 33", quality["hard_negatives_merged"], 8, "pairs"),
    ]
    return [
        {"row": "f", "what": what, "figure": figure, "must": must, "unit": unit} for what, figure, must, unit in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.dedupe", description="Measure the deduplication of findings."
    )
    parser.add_argument("labelled", nargs="?", type=Path, help="a file of labelled findings")
    parser.add_argument("--speed", action="store_true", help="time synthetic findings instead")
    arguments = parser.parse_args()
    if arguments.speed == bool(arguments.labelled):
        parser.error("give either a labelled file or --speed")
    figures = measure_speed() if arguments.speed else measure_quality(_read(parser, arguments.labelled))
    print(json.dumps(figures))


def _read(parser: argparse.ArgumentParser, path: Path) -> dict[str, Any]:
    try:
        labelled = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        parser.error(f"{path}: {error.strerror}")
    except ValueError:
        parser.error(f"{path} is not JSON")
    if not isinstance(labelled, dict) or not isinstance(labelled.get("findings"), list):
        parser.error(f"{path} has no list of findings")
    return labelled


if __name__ == "__main__":
    main()
