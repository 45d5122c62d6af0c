"""The blind round: all instances examine the same artifacts on their own, before anybody sees what another wrote.

The lead's brief comes first (when somebody is lead), then all reviews at once. An instance without a usable answer is
missing, with a code. A review ends with it; a deliberation begins with it, at the same paths and with the same prompts,
so that what a review paid for is not paid again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sessions.engine.dedupe import group
from sessions.engine.evidence import Evidence
from sessions.engine.fallback import ask_member
from sessions.engine.findings import Finding, Report, number_findings, put_together, rank
from sessions.engine.parsing import ParsedReview, parse_lead_brief, parse_review
from sessions.engine.prompts import lead_brief_prompt, review_prompt
from sessions.engine.reading import Reading
from sessions.engine.reasking import ask_until_usable
from sessions.engine.reports import build_reports, finding_data, report_data, words_text
from sessions.engine.roster import Member
from sessions.engine.run import CallFailed, Reply, Run


@dataclass(frozen=True, slots=True)
class BlindSpec(Reading):
    """Findings below `severity_floor` are dropped; `max_findings` counts per instance."""

    severity_floor: str = "info"
    max_findings: int = 25


@dataclass(frozen=True, slots=True)
class Submission:
    """What one instance handed in; `member` may be its fallback. `code` says why there is nothing; `partial` that
    something may be missing."""

    member: Member
    reports: tuple[Report, ...] = ()
    parsed: ParsedReview = ParsedReview()
    read_in_part: bool = False
    code: str = ""

    @property
    def partial(self) -> bool:
        return self.parsed.partial or self.read_in_part


async def blind_round(run: Run, spec: BlindSpec, judged: Sequence[Evidence]) -> list[Submission]:
    """What every member handed in, in the order of the roster."""
    brief = await ask_lead(run, spec)
    return await run.each(spec.members, lambda member: submit(run, spec, member, brief, judged))


async def ask_lead(run: Run, spec: BlindSpec) -> str:
    """The lead's brief; empty without a lead, and when the lead gave none, which is noted."""
    lead = next((member for member in spec.members if member.role == "lead"), None)
    if lead is None:
        return ""
    try:
        key = f"brief/{lead.letter.lower()}"
        _, reply = await ask_member(run, key, lead, lambda path, one: run.call(path, lead_brief_prompt(spec, one)))
    except CallFailed as failure:
        brief, code = None, failure.code
    else:
        brief, code = parse_lead_brief(reply.text), "unusable_answer"
    if brief is None:
        await run.note("brief", "brief.missing", letter=lead.letter, code=code)
        return ""
    await run.note("brief", "brief.written", letter=lead.letter, texts={"brief": brief})
    return brief


async def submit(
    run: Run, spec: BlindSpec, member: Member, brief: str, judged: Sequence[Evidence], again: str = ""
) -> Submission:
    """`again` is the end of the path when the member is asked once more."""
    place = f"{member.letter.lower()}{again}"
    key = f"submitted/{place}"

    async def ask(path: str, one: Member) -> tuple[ParsedReview, bool]:
        return await ask_until_usable(run, path, review_prompt(spec, one, brief), _read, lambda parsed: parsed.items)

    try:
        member, (parsed, read_in_part) = await ask_member(run, f"review/{place}", member, ask)
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


def _read(reply: Reply, before: ParsedReview | None) -> ParsedReview:
    parsed = parse_review(reply.text, reply.finish_reason)
    return before.then(parsed) if before else parsed


async def rank_findings(run: Run, reports: Sequence[Report]) -> list[Finding]:
    """The reports of all as numbered findings in rank order, which is noted. What people know or moved stays so."""
    issued = await run.observe("issued", "issued_numbers")
    moved = await run.observe("moved", "moved_reports")
    findings = rank(number_findings(put_together(group(reports), moved), issued))
    merged = sorted(set(issued.values()) - {finding.number for finding in findings})
    await run.note(
        "findings", "findings.ranked", findings=[finding_data(finding) for finding in findings], merged=merged
    )
    return findings


def who_answered(spec: BlindSpec, submissions: Sequence[Submission]) -> str:
    missing = [submission for submission in submissions if submission.code]
    sentences = [f"{len(submissions) - len(missing)} of {len(submissions)} instances answered."]
    sentences += [f"{submission.member.letter} did not: {submission.code}." for submission in missing]
    for submission in submissions:
        read = spec.read_by(submission.member)
        for number, source in enumerate(spec.sources, 1):
            if not (read[source.ref].whole or submission.code):
                sentences.append(f"{submission.member.letter} read {read[source.ref].extent} of artifact {number}.")
    return " ".join(sentences)


def coverage_of(answered: Sequence[Submission]) -> str:
    said = [(submission.member.letter, _examined(submission.parsed)) for submission in answered]
    return "\n".join(f"{letter}: {line}" for letter, lines in said for line in lines or ["nothing said"])


def _examined(parsed: ParsedReview) -> list[str]:
    """What an instance says that it examined, and what not; empty when it says nothing."""
    said = [parsed.coverage] if parsed.coverage else []
    return [*said, *(f"Not examined: {part}" for part in parsed.not_examined)]
