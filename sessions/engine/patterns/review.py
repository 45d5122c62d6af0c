"""A review: all instances examine the same artifacts on their own; their findings are verified, merged and ranked.

Order of steps: the lead's brief (when somebody is lead), all reviews at once, the merge, the summary. An instance
without a usable answer is missing, with a code; the review goes on with the others and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sessions.engine.blind import BlindSpec, Submission, blind_round, coverage_of, rank_findings, who_answered
from sessions.engine.compare import Earlier, compare
from sessions.engine.evidence import Evidence
from sessions.engine.findings import SEVERITIES, Finding
from sessions.engine.opinions import Asked, ask_opinions
from sessions.engine.prompts import summary_prompt
from sessions.engine.roster import Source
from sessions.engine.run import CallFailed, Run
from sessions.engine.writers import first_to_write, unknown_labels


@dataclass(frozen=True, slots=True)
class ReviewSpec(BlindSpec):
    """`second_opinion` is `off` or `lone_critical`. `earlier` are the findings of the review this one continues, about
    the texts `before`."""

    second_opinion: str = "off"
    earlier: tuple[Earlier, ...] = ()
    before: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """Findings in rank order and who stands behind them. `missing` maps letters to error codes."""

    findings: tuple[Finding, ...]
    answered: tuple[str, ...]
    missing: dict[str, str]
    partial: tuple[str, ...]
    summary: str
    outcome: str
    reason: str


async def review(run: Run, spec: ReviewSpec) -> ReviewResult:
    """Raises CallFailed("no_answers") when no instance gave a usable answer."""
    judged = [Evidence(source) for source in spec.sources if not source.context]
    submissions = await blind_round(run, spec, judged)
    answered = [submission for submission in submissions if not submission.code]
    if not answered:
        raise CallFailed("no_answers")
    findings = await rank_findings(run, [report for submission in answered for report in submission.reports])
    if spec.before:
        await _compare(run, spec, findings, judged)
    if spec.second_opinion == "lone_critical":
        members = [submission.member for submission in answered]
        await ask_opinions(run, spec, members, [_asked(finding) for finding in findings if _is_lone(finding)], judged)
    summary = await _summarise(run, spec, submissions, findings)
    complete = len(answered) == len(submissions)
    return ReviewResult(
        findings=tuple(findings),
        answered=tuple(submission.member.letter for submission in answered),
        missing={submission.member.letter: submission.code for submission in submissions if submission.code},
        partial=tuple(submission.member.letter for submission in answered if submission.partial),
        summary=summary,
        outcome="single_assessor" if len(answered) == 1 else "",
        reason="" if complete else f"{len(answered)}_of_{len(submissions)}_answered",
    )


async def _compare(run: Run, spec: ReviewSpec, findings: Sequence[Finding], judged: Sequence[Evidence]) -> None:
    found = compare(spec.earlier, findings, spec.before, judged)
    await run.note(
        "compared",
        "findings.compared",
        pairs=[{"number": number, "earlier": earlier} for number, earlier in found.pairs],
        dismissed=[{"number": number, "because": because} for number, because in found.dismissed],
        fixed=list(found.fixed),
        unraised=list(found.unraised),
    )


def _is_lone(finding: Finding) -> bool:
    return SEVERITIES[finding.severity] >= SEVERITIES["critical"] and len(finding.raised_by) == 1


def _asked(finding: Finding) -> Asked:
    return Asked(finding.number, finding.canonical, finding.raised_by)


async def _summarise(run: Run, spec: ReviewSpec, submissions: Sequence[Submission], findings: list[Finding]) -> str:
    """The summary; empty, and noted, when nobody wrote one."""
    answered = [submission for submission in submissions if not submission.code]
    who, coverage = who_answered(spec, submissions), coverage_of(answered)
    members = [submission.member for submission in answered]
    written = await first_to_write(
        run, "summary", members, lambda member: summary_prompt(spec, member, findings, who, coverage)
    )
    if not written.letter:
        await run.note("summary", "summary.missing", code=written.code)
        return ""
    unknown = unknown_labels(written.text, [finding.label for finding in findings])
    await run.note(
        "summary", "summary.written", letter=written.letter, unknown=unknown, texts={"summary": written.text}
    )
    return written.text
