"""What a pull request is told: one comment and one commit status. Words of models and people are inert in it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sessions.engine.findings import SEVERITIES
from sessions.engine.text import clip
from sessions.reports import markdown as md

CONTEXT = "crucible/review"
SHOWN = 25
MAX_BODY = 60_000  # characters; GitHub takes 65,536
MAX_DESCRIPTION = 140
_BLOCKING = SEVERITIES["critical"]


@dataclass(frozen=True, slots=True)
class Row:
    """An open or merged-to finding as the comment lists it. `dismissed`: a person has decided against it."""

    label: str
    severity: str
    title: str
    place: str
    raised_by: tuple[str, ...]
    dismissed: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A session that came to rest. `failure` is a sentence when it failed, `stopped` says that somebody ended it before
    it had a result; `notice` says when models were simulated, `kind` what such a session is called."""

    sha: str
    rows: Sequence[Row]
    summary: str
    who_answered: str
    cost: str
    notice: str
    failure: str
    link: str
    stopped: bool = False
    kind: str = "review"

    @property
    def standing(self) -> list[Row]:
        return [row for row in self.rows if not row.dismissed]

    @property
    def sentence(self) -> str:
        if self.failure:
            return f"The {self.kind} failed."
        if self.stopped:
            return f"The {self.kind} was stopped before it had a result."
        counts = Counter(row.severity for row in self.standing)
        parts = [f"{counts[severity]} {severity}" for severity in sorted(counts, key=lambda name: -SEVERITIES[name])]
        return f"Findings: {', '.join(parts)}." if parts else "No findings."


def status(result: Result) -> dict[str, str]:
    """`failure` with a critical finding or worse that nobody dismissed, `error` when there is no result."""
    blocked = any(SEVERITIES[row.severity] >= _BLOCKING for row in result.standing)
    state = "error" if result.failure or result.stopped else "failure" if blocked else "success"
    description = clip(f"{result.sentence} {result.notice}".strip(), MAX_DESCRIPTION)
    return {"state": state, "context": CONTEXT, "description": description, "target_url": result.link}


def comment(result: Result, marker: str, newest: str) -> str:
    """The whole comment. `newest` is the pull request's newest commit now: another one than was reviewed is said."""
    parts = [marker, f"### Crucible: {result.sentence}", f"Reviewed commit: `{result.sha[:12]}`."]
    if newest != result.sha:
        parts.append(f"**There is a newer commit, `{newest[:12]}`. This {result.kind} is of an older state.**")
    if result.notice:
        parts.append(f"> **{md.line(result.notice)}**")
    if result.failure:
        parts.append(md.line(result.failure))
    elif result.rows:
        parts.append("\n".join(_table(result.rows)))
    if result.summary:
        parts.append(md.paragraphs(clip(result.summary, 8_000)))
    parts.append(f"{md.line(result.who_answered)} Cost: {result.cost}. [The whole {result.kind}]({result.link})")
    return clip("\n\n".join(parts), MAX_BODY)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| | Severity | Finding | Place | Raised by |"
    yield "|---|---|---|---|---|"
    for row in rows[:SHOWN]:
        title = f"~~{md.line(row.title)}~~ (dismissed)" if row.dismissed else md.line(row.title)
        place = md.code(row.place) if row.place else ""
        yield f"| {row.label} | {row.severity} | {title} | {place} | {', '.join(row.raised_by)} |"
    if len(rows) > SHOWN:
        yield f"| | | and {len(rows) - SHOWN} more | | |"
