"""A review: all instances examine the same artifacts on their own; their findings are verified, merged and ranked.

Order of steps: the lead's brief (when somebody is lead), all reviews at once, the merge, the summary. An instance
without a usable answer is missing, with a code; the review goes on with the others and says so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sessions.engine.compare import Earlier, compare
from sessions.engine.dedupe import group
from sessions.engine.evidence import Evidence
from sessions.engine.findings import SEVERITIES, Finding, Report, number_findings, put_together, rank
from sessions.engine.opinions import Asked, ask_opinions
from sessions.engine.parsing import ParsedReview, parse_lead_brief, parse_review, visible_text
from sessions.engine.prompts import lead_brief_prompt, reask_prompt, review_prompt, summary_prompt, windows
from sessions.engine.reports import build_reports, finding_data, report_data, words_text
from sessions.engine.roster import Member, Source
from sessions.engine.run import CallFailed, Run
from sessions.engine.text import Window

REASKS = 2
SUMMARY_ORDER = {"synthesizer": 0, "lead": 1}


@dataclass(frozen=True, slots=True)
class ReviewSpec:
    """`nonce_seed` is hex. Findings below `severity_floor` are dropped; `max_findings` counts per instance.
    `second_opinion` is `off` or `lone_critical`. `earlier` are the findings of the review this one continues, about the
    texts `before`."""

    members: tuple[Member, ...]
    sources: tuple[Source, ...]
    title: str
    brief: str
    focus: str
    nonce_seed: str
    severity_floor: str = "info"
    max_findings: int = 25
    second_opinion: str = "off"
    earlier: tuple[Earlier, ...] = ()
    before: tuple[Source, ...] = ()
    _read: dict[int, dict[str, Window]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if all(source.context for source in self.sources):
            raise ValueError("a review needs a source that is to be judged")

    def read_by(self, member: Member) -> dict[str, Window]:
        """By source ref, what `member` reads. Numbered once per size of window: members of one size read the same."""
        if member.context_window not in self._read:
            self._read[member.context_window] = windows(self.sources, member)
        return self._read[member.context_window]

    def reads_all(self, member: Member) -> bool:
        return all(window.whole for window in self.read_by(member).values())

    def cut_for(self, member: Member) -> list[dict[str, object]]:
        """The sources that `member` reads only the beginning of, as events hold it."""
        cut = [window for window in self.read_by(member).values() if not window.whole]
        return [{"source": window.ref, "lines": window.lines, "total": window.total} for window in cut]


@dataclass(frozen=True, slots=True)
class Submission:
    """What one instance handed in. `code` says why there is nothing; `partial` that something may be missing."""

    member: Member
    reports: tuple[Report, ...] = ()
    parsed: ParsedReview = ParsedReview()
    read_in_part: bool = False
    code: str = ""

    @property
    def partial(self) -> bool:
        return self.parsed.partial or self.read_in_part


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
    brief = await _ask_lead(run, spec)
    judged = [Evidence(source) for source in spec.sources if not source.context]
    submissions = await run.each(spec.members, lambda member: _submit(run, spec, member, brief, judged))
    answered = [submission for submission in submissions if not submission.code]
    if not answered:
        raise CallFailed("no_answers")
    issued = await run.observe("issued", "issued_numbers")
    moved = await run.observe("moved", "moved_reports")
    groups = group([report for submission in answered for report in submission.reports])
    findings = rank(number_findings(put_together(groups, moved), issued))
    merged = sorted(set(issued.values()) - {finding.number for finding in findings})
    await run.note(
        "findings", "findings.ranked", findings=[finding_data(finding) for finding in findings], merged=merged
    )
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


async def _ask_lead(run: Run, spec: ReviewSpec) -> str:
    """The lead's brief; empty without a lead, and when the lead gave none, which is noted."""
    lead = next((member for member in spec.members if member.role == "lead"), None)
    if lead is None:
        return ""
    try:
        reply = await run.call(f"brief/{lead.letter.lower()}", lead_brief_prompt(spec, lead))
    except CallFailed as failure:
        brief, code = None, failure.code
    else:
        brief, code = parse_lead_brief(reply.text), "unusable_answer"
    if brief is None:
        await run.note("brief", "brief.missing", letter=lead.letter, code=code)
        return ""
    await run.note("brief", "brief.written", letter=lead.letter, texts={"brief": brief})
    return brief


async def _submit(run: Run, spec: ReviewSpec, member: Member, brief: str, judged: Sequence[Evidence]) -> Submission:
    key = f"submitted/{member.letter.lower()}"
    try:
        parsed, read_in_part = await _answer(run, spec, member, brief)
    except CallFailed as failure:
        await run.note(key, "instance.missing", letter=member.letter, code=failure.code)
        return Submission(member, code=failure.code)
    reports = build_reports(member.letter, parsed.items, judged, floor=spec.severity_floor, limit=spec.max_findings)
    submission = Submission(member, reports, parsed, read_in_part or not spec.reads_all(member))
    examined = "\n".join(_examined(parsed))
    await run.note(
        key,
        "reports.submitted",
        letter=member.letter,
        reports=[report_data(ordinal, report) for ordinal, report in enumerate(reports, 1)],
        partial=submission.partial,
        read_in_part=submission.read_in_part,
        rejected=len(parsed.rejected),
        cut=spec.cut_for(member),
        texts={"words": words_text(reports)} | ({"examined": examined} if examined else {}),
    )
    return submission


async def _answer(run: Run, spec: ReviewSpec, member: Member, brief: str) -> tuple[ParsedReview, bool]:
    """The parsed answer after at most REASKS re-asks, and whether the provider cut the prompt. What an earlier answer
    held is kept when a re-ask fails; without anything usable, CallFailed("unusable_answer")."""
    key, prompt = f"review/{member.letter.lower()}", review_prompt(spec, member, brief)
    reply = await run.call(key, prompt)
    parsed, read_in_part = parse_review(reply.text, reply.finish_reason), reply.read_in_part
    for reask in range(1, REASKS + 1):
        if parsed.problem is None:
            break
        prompt = reask_prompt(prompt, reply.text, parsed.problem)
        try:
            reply = await run.call(f"{key}/reask-{reask}", prompt)
        except CallFailed:
            if not parsed.items:
                raise
            break
        parsed = parsed.then(parse_review(reply.text, reply.finish_reason))
        read_in_part = read_in_part or reply.read_in_part
    if parsed.problem and not parsed.items:
        raise CallFailed("unusable_answer", member.letter)
    return parsed, read_in_part


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
    """The summary by the synthesizer, else the lead, else whoever answered; empty, and noted, when nobody wrote one."""
    answered = [submission for submission in submissions if not submission.code]
    writers = sorted((submission.member for submission in answered), key=lambda m: SUMMARY_ORDER.get(m.role, 2))
    who, coverage, code = _who_answered(spec, submissions), _coverage(answered), "no_answers"
    for member in writers:
        try:
            reply = await run.call(
                f"summary/{member.letter.lower()}", summary_prompt(spec, member, findings, who, coverage)
            )
        except CallFailed as failure:
            code = failure.code
            continue
        if summary := visible_text(reply.text):
            cited = set(re.findall(r"\bF-[0-9]{1,9}\b", summary))
            unknown = sorted(cited - {finding.label for finding in findings})
            await run.note(
                "summary", "summary.written", letter=member.letter, unknown=unknown, texts={"summary": summary}
            )
            return summary
        code = "empty_answer"
    await run.note("summary", "summary.missing", code=code)
    return ""


def _who_answered(spec: ReviewSpec, submissions: Sequence[Submission]) -> str:
    missing = [submission for submission in submissions if submission.code]
    sentences = [f"{len(submissions) - len(missing)} of {len(submissions)} instances answered."]
    sentences += [f"{submission.member.letter} did not: {submission.code}." for submission in missing]
    for submission in submissions:
        read = spec.read_by(submission.member)
        for number, source in enumerate(spec.sources, 1):
            if not (read[source.ref].whole or submission.code):
                sentences.append(f"{submission.member.letter} read {read[source.ref].extent} of artifact {number}.")
    return " ".join(sentences)


def _coverage(answered: Sequence[Submission]) -> str:
    said = [(submission.member.letter, _examined(submission.parsed)) for submission in answered]
    return "\n".join(f"{letter}: {line}" for letter, lines in said for line in lines or ["nothing said"])


def _examined(parsed: ParsedReview) -> list[str]:
    """What an instance says that it examined, and what not; empty when it says nothing."""
    said = [parsed.coverage] if parsed.coverage else []
    return [*said, *(f"Not examined: {part}" for part in parsed.not_examined)]
