"""The ledger in the order of reports to people (deliberation.md 2.2)."""

from sessions.engine.agreement import figures
from sessions.engine.findings import Finding, Location, Report
from sessions.engine.ledger import open_ledger, ranked
from tests.deliberating import one_round, rules

SAID = {"accepted": "aaa", "contested": "add", "undecided": "a--", "rejected": "ddd"}


def a_finding(
    number: int, severity: str = "major", raisers: str = "A", line: int = 1, *, verified: bool = True
) -> Finding:
    reports = tuple(
        Report(
            id=f"{letter}-{number}", artifact="plan.md", kind="document", raised_by=letter, severity=severity,
            category="", family="clarity", title="", claim=f"Claim {number}.", evidence="", suggestion="",
            confidence=0.5, location=Location("plan.md", line, line), evidence_verified=verified,
        )
        for letter in raisers
    )  # fmt: skip
    return Finding(number, reports, reports[0], severity, severity_disputed=False)


def order(*rows: tuple[Finding, str]) -> list[int]:
    """The numbers of the findings in the order of reports; each with what A, B and C say of it."""
    ledger = open_ledger([finding for finding, _ in rows])
    table = {finding.number: signs for finding, signs in rows}
    last = one_round(2, table, tuple(held.entry for held in ledger))
    return [finding.number for finding in ranked(ledger, figures([last], rules(3)))]


def test_what_is_settled_comes_before_what_is_not_whatever_it_weighs() -> None:
    severities = ("info", "minor", "major", "critical")
    rows = [(a_finding(9 - at, severities[at]), signs) for at, signs in enumerate(SAID.values())]
    assert order(*reversed(rows)) == [9, 8, 7, 6]


def test_within_a_status_severity_then_raisers_then_proof_then_place_decide() -> None:
    rows = [
        a_finding(1, line=9),
        a_finding(2, line=4),
        a_finding(3, line=1, verified=False),
        a_finding(4, raisers="AB", line=50),
        a_finding(5, "critical", line=60, verified=False),
        a_finding(6, line=4),
    ]
    assert order(*[(finding, "aaa") for finding in rows]) == [5, 4, 2, 6, 1, 3]
