"""What became of an earlier review's findings in a new version."""

from dataclasses import replace
from typing import Any

from sessions.engine.compare import Earlier, compare
from sessions.engine.evidence import Evidence
from sessions.engine.findings import Finding, Location, Report
from sessions.engine.roster import Source

OLD = """\
def fetch(url, timeout=5):
    response = requests.get(url)
    log.info("token %s", token)
    return response.json()
"""
# Two lines above, the timeout is used, the token still logged.
NEW = """\
import requests

def fetch(url, timeout=5):
    response = requests.get(url, timeout=timeout)
    log.info("token %s", token)
    return response.json()
"""
BEFORE = Source(ref="old", name="client.py", kind="code", text=OLD, digest="")
NOW = Source(ref="new", name="client.py", kind="code", text=NEW, digest="")


def a_report(evidence: str, line: int, ref: str = "old", **fields: Any) -> Report:
    base = Report(
        id="A-1", artifact=ref, kind="code", raised_by="A", severity="major", category="", family="security",
        title="Token is logged", claim="The access token is written to the log in clear text.", evidence=evidence,
        suggestion="", confidence=0.9, location=Location("client.py", line, line), evidence_verified=True,
    )  # fmt: skip
    return replace(base, **fields)


def a_finding(number: int, report: Report) -> Finding:
    return Finding(number, (report,), report, report.severity, False)


TOKEN_THEN = Earlier(1, a_report('log.info("token %s", token)', 3), "known")
TIMEOUT_THEN = Earlier(
    2, a_report("requests.get(url)", 2, title="No timeout", claim="The request never times out.", family="reliability")
)
TOKEN_NOW = a_finding(1, a_report('log.info("token %s", token)', 5, "new"))
JSON_NOW = a_finding(2, a_report("return response.json()", 6, "new", claim="Bad JSON ends the caller.", title="JSON"))


def against(earlier: list[Earlier], findings: list[Finding]) -> Any:
    return compare(earlier, findings, [BEFORE], [Evidence(NOW)])


def test_the_same_quote_elsewhere_is_the_same_finding_and_stays_dismissed() -> None:
    found = against([TOKEN_THEN], [TOKEN_NOW])
    assert found.pairs == ((1, 1),)
    assert found.dismissed == ((1, "known"),)


def test_a_quote_that_is_gone_and_not_raised_is_fixed() -> None:
    found = against([TOKEN_THEN, TIMEOUT_THEN], [TOKEN_NOW])
    assert (found.fixed, found.unraised) == ((2,), ())


def test_a_quote_that_stands_and_is_not_raised_again_is_not_called_fixed() -> None:
    found = against([TOKEN_THEN], [JSON_NOW])
    assert (found.pairs, found.fixed, found.unraised) == ((), (), (1,))


def test_other_words_for_the_same_defect_are_found_where_the_line_moved_to() -> None:
    reworded = a_finding(
        7, a_report("response = requests.get(url, timeout=timeout)", 4, "new", family="reliability",
                    title="Timeout", claim="The request still times out too late: never, when None."),
    )  # fmt: skip
    found = against([TIMEOUT_THEN], [reworded])
    assert found.pairs == ((7, 2),)


def test_a_dismissal_falls_when_the_quoted_text_changed() -> None:
    dismissed = replace(TIMEOUT_THEN, dismissed_because="not_now")
    changed = a_finding(
        7, a_report("response = requests.get(url, timeout=timeout)", 4, "new", family="reliability",
                    title="No timeout", claim="The request never times out."),
    )  # fmt: skip
    found = against([dismissed], [changed])
    assert (found.pairs, found.dismissed) == (((7, 2),), ())


def test_one_earlier_finding_goes_with_one_of_now() -> None:
    twice = [TOKEN_NOW, replace(TOKEN_NOW, number=9)]
    found = against([TOKEN_THEN], twice)
    assert len(found.pairs) == 1


def test_a_file_that_was_renamed_is_still_compared() -> None:
    now = replace(NOW, name="http_client.py")
    moved = a_finding(1, replace(TOKEN_NOW.canonical, location=Location("http_client.py", 5, 5)))
    found = compare([TOKEN_THEN], [moved], [BEFORE], [Evidence(now)])
    assert found.pairs == ((1, 1),)


def test_five_hundred_findings_in_twenty_thousand_lines_take_no_time() -> None:
    lines = [f"value_{number} = compute({number})" for number in range(20_000)]
    before = replace(BEFORE, text="\n".join(lines))
    now = replace(NOW, text="\n".join(["import math", *lines[:9_000], "extra = 1", *lines[9_500:]]))
    earlier = [Earlier(n, a_report(lines[n * 40 - 1], n * 40, claim=f"Value {n} overflows.")) for n in range(1, 501)]
    findings = [
        a_finding(n, a_report(lines[n * 40 - 1], n * 40 + 1, "new", claim=f"Value {n} can overflow."))
        for n in range(1, 226)
    ]
    found = compare(earlier, findings, [before], [Evidence(now)])
    assert len(found.pairs) == 225
    assert len(found.fixed) == 12  # every fortieth of five hundred lines that went
    assert len(found.unraised) == 500 - 225 - 12
