from dataclasses import replace

import pytest

from sessions.engine.evidence import Evidence, locate
from sessions.engine.findings import Location, Report, number_findings
from sessions.engine.fingerprint import fingerprint
from sessions.engine.roster import ArtifactKind, Source

REPORT = Report(
    id="A-1",
    artifact="version-1",
    kind="code",
    raised_by="A",
    severity="major",
    category="money",
    family="correctness",
    title="Float",
    claim="Money is a float.",
    evidence="total = amount * 1.19",
    suggestion="",
    confidence=0.5,
    location=Location("src/pay.py", 12, 12, "Till.pay"),
)
CODE = "def pay(amount):\n    total = amount * 1.19\n    return charge(total)\n"
PLAN = "# 1 Goals\n\nWe ship early.\n\n# 2 Deadlines\n\nReplies come as soon as possible.\n"


def raised_in(
    version: str, text: str, kind: ArtifactKind, name: str, quote: str, line: int, anchor: str = ""
) -> Report:
    """A report as the platform makes it of what an instance says about one version of an artifact."""
    source = Source(ref=version, name=name, kind=kind, text=text, digest="")
    _, verified, location = locate(quote, Location(name, line, line, anchor), [Evidence(source)])
    return replace(REPORT, artifact=version, kind=kind, evidence=quote, evidence_verified=verified, location=location)


def test_the_same_defect_in_a_new_version_whose_lines_moved_keeps_its_fingerprint() -> None:
    quote = "total = amount * 1.19"
    before = raised_in("version-1", CODE, "code", "pay.py", quote, 2, "pay")
    after = raised_in("version-2", f"import money\n\n\n{CODE}", "code", "pay.py", quote, 5, "pay")
    assert (before.location.start_line, after.location.start_line) == (2, 5)
    assert fingerprint(after) == fingerprint(before)


def test_a_section_that_got_another_number_keeps_the_fingerprints_of_its_defects() -> None:
    quote = "Replies come as soon as possible."
    before = raised_in("version-1", PLAN, "document", "plan.md", quote, 7)
    new = PLAN.replace("# 2 ", "# 2 Scope\n\nEverything.\n\n# 3 ")
    after = raised_in("version-2", new, "document", "plan.md", quote, 11)
    assert (before.location.anchor, after.location.anchor) == ("2", "3")
    assert fingerprint(after) == fingerprint(before)


@pytest.mark.parametrize(
    "quote",
    [
        "Total  =  amount *\n1.19",
        "`total = amount * 1.19`",
        "  7| total = amount * 1.19",
    ],
    ids=["letters and spaces", "quotation marks", "line numbers"],
)
def test_a_quote_that_was_copied_by_hand_is_the_same(quote: str) -> None:
    assert fingerprint(replace(REPORT, evidence=quote)) == fingerprint(REPORT)


def test_a_line_of_a_change_has_the_fingerprint_of_the_line_in_the_file() -> None:
    in_diff = replace(REPORT, kind="diff", evidence="+ total = amount * 1.19")
    assert fingerprint(in_diff) == fingerprint(REPORT)


@pytest.mark.parametrize("anchor", ["pay", "pay()", "Till.pay(amount)", "Till.pay, line 12", "def pay"])
def test_a_symbol_is_the_same_however_it_is_written(anchor: str) -> None:
    named = replace(REPORT, location=replace(REPORT.location, anchor=anchor))
    assert fingerprint(named) == fingerprint(REPORT)


def test_lines_named_in_the_anchor_do_not_count() -> None:
    first, moved = (replace(REPORT, location=Location("pay.py", anchor=anchor)) for anchor in ("line 12", "L40-L44"))
    assert fingerprint(first) == fingerprint(moved)


def test_who_said_it_and_in_which_words_does_not_count() -> None:
    other = replace(
        REPORT, id="C-7", raised_by="C", severity="critical", category="tax", title="Tax", claim="Cents get lost.",
        suggestion="Use Decimal.", confidence=0.9,
    )  # fmt: skip
    assert fingerprint(other) == fingerprint(REPORT)


@pytest.mark.parametrize(
    "other",
    [
        replace(REPORT, evidence="total = amount * 1.2"),
        replace(REPORT, family="legal"),
        replace(REPORT, location=replace(REPORT.location, path="src/refund.py")),
        replace(REPORT, location=replace(REPORT.location, anchor="Till.refund")),
    ],
    ids=["quote", "family", "file", "symbol"],
)
def test_another_quote_family_file_or_symbol_is_another_defect(other: Report) -> None:
    assert fingerprint(other) != fingerprint(REPORT)


def test_equal_values_under_two_keys_are_two_defects() -> None:
    text = "staging:\n  timeout: 30 seconds\nproduction:\n  timeout: 30 seconds\n"
    both = [raised_in("version-1", text, "data", "limits.yaml", "timeout: 30 seconds", line) for line in (2, 4)]
    assert [report.location.anchor for report in both] == ["staging", "production"]
    assert len({fingerprint(report) for report in both}) == 2


def test_a_row_that_moved_is_the_same() -> None:
    text = "name,price\nbolt,nineteen\n"
    before = raised_in("version-1", text, "data", "parts.csv", "bolt,nineteen", 2)
    after = raised_in("version-2", text.replace("bolt", "nut,2\nbolt"), "data", "parts.csv", "bolt,nineteen", 3)
    assert (before.location.anchor, after.location.anchor) == ("row 2", "row 3")
    assert fingerprint(after) == fingerprint(before)


def test_the_fingerprint_of_a_finding_is_that_of_its_canonical_report() -> None:
    assert fingerprint(number_findings([[REPORT]])[0]) == fingerprint(REPORT)
