"""What people decide about findings: to fix, dismissed, fixed; another severity, merged, split, commented; and asking
the other instances for a second opinion. Nothing is deleted: every decision is an event.

Whoever decides names the `revision` they looked at. Somebody who was faster is named, and nothing is overwritten.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from sessions import outbox
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import swap_status
from sessions.actions.log import append
from sessions.actions.texts import add_text
from sessions.background import words_of_reports
from sessions.caps import check_caps
from sessions.engine.findings import SEVERITIES, Report, group_as_finding
from sessions.engine.reports import finding_data
from sessions.events import text_ref
from sessions.glossary import label
from sessions.models import Event, Finding, Opinion, Participant, Session
from sessions.people import User, called
from sessions.writer import Draft

DISPOSITIONS = ("open", "to_fix", "dismissed", "fixed")
REASONS = ("wrong", "known", "not_now", "style")
MAX_COMMENT = 5_000
# Kinds of people's events that change a finding, by the name under which they hold its number.
_TOUCHES = ("finding.decided", "finding.regraded", "finding.joined", "finding.split")


def decide(
    actor: Actor, session: Session, number: int, disposition: str, because: str = "", *, seen: int | None = None
) -> Finding:
    """Say what is to be done. A dismissal needs a reason. Raises Refused."""
    if disposition not in DISPOSITIONS:
        raise Refused("bad_disposition", f"A finding is {', '.join(DISPOSITIONS)}; not {disposition[:20]!r}.", 422)
    if disposition == "dismissed" and because not in REASONS:
        raise Refused("reason_needed", f"Say why it is dismissed: {', '.join(REASONS)}.", 422)
    reason = because if disposition == "dismissed" else ""

    def event(finding: Finding) -> Draft:
        data = {"number": number, "disposition": disposition, "because": reason, "by": actor.user_id}
        return Draft("finding.decided", {**data, "revision": finding.revision + 1})

    return _change(session, number, seen, event)


def regrade(actor: Actor, session: Session, number: int, severity: str, *, seen: int | None = None) -> Finding:
    """Give the finding another severity; what the instances said stays beside it. Raises Refused."""
    if severity not in SEVERITIES:
        raise Refused("bad_severity", f"A severity is one of {', '.join(SEVERITIES)}.", 422)

    def event(finding: Finding) -> Draft:
        data = {"number": number, "severity": severity, "by": actor.user_id, "revision": finding.revision + 1}
        return Draft("finding.regraded", data)

    return _change(session, number, seen, event)


def join(actor: Actor, session: Session, number: int, into: int, *, seen: int | None = None) -> Finding:
    """Put all reports of one finding into another: they are the same defect. Returns the other. Raises Refused."""
    if number == into:
        raise Refused("same_finding", "A finding cannot be merged into itself.", 422)

    def event(finding: Finding) -> Draft:
        target = _found(session, into)
        reports = words_of_reports([*target.reports.all(), *finding.reports.all()])
        data = {
            "number": number,
            "revision": finding.revision + 1,
            "into": _group(target, reports),
            "by": actor.user_id,
        }
        return Draft("finding.joined", data)

    _change(session, number, seen, event)
    return _found(session, into)


def split(actor: Actor, session: Session, number: int, reports: Sequence[str], *, seen: int | None = None) -> Finding:
    """Make some reports of a finding, by id (`B-2`), a finding of their own. Returns the new one. Raises Refused."""

    def event(finding: Finding) -> Draft:
        words = words_of_reports(list(finding.reports.all()))
        out = [report for report in words if report.id in reports]
        rest = [report for report in words if report.id not in reports]
        if not out or not rest or len(out) != len(set(reports)):
            known = ", ".join(report.id for report in words)
            raise Refused("bad_split", f"Name some, not all, of the reports {known}.", 422)
        highest = Finding.objects.filter(session=session).order_by("-number").values_list("number", flat=True)[0]
        new = Finding(session=session, number=highest + 1, rank=finding.rank)
        data = {"rest": _group(finding, rest), "new": _group(new, out), "by": actor.user_id}
        return Draft("finding.split", data)

    _change(session, number, seen, event)
    return Finding.objects.filter(session=session).latest("number")


def comment(actor: Actor, session: Session, number: int, words: str) -> None:
    """Add to the thread of a finding. Raises Refused."""
    said = words.strip()
    if not said or len(said) > MAX_COMMENT:
        raise Refused("bad_comment", f"A comment has 1 to {MAX_COMMENT:,} characters.", 422)
    with transaction.atomic():
        _found(session, number)
        content = add_text(session.project, session, "comment", said)
        ref = text_ref(content.pk, content.digest)
        data = {"id": uuid4(), "number": number, "comment": ref, "by": actor.user_id}
        append(session, [Draft("finding.commented", data)])


def ask_opinions(actor: Actor, session: Session, numbers: Sequence[int], *, dispatch: bool = True) -> Session:
    """Ask the instances that did not raise these findings what they think of them. The review itself is kept as it is,
    and only what nobody asked before is paid for. Raises Refused."""
    check_caps(session)
    with transaction.atomic():
        findings = [_found(session, number) for number in sorted(set(numbers))]
        if not findings:
            raise Refused("no_finding", "Name at least one finding.", 422)
        _check_askable(session, findings)
        swap_status(
            session,
            "ask",
            phase="opinions",
            generation=F("generation") + 1,
            recoveries=0,
            started_at=Now(),
            finished_at=None,
            engine=settings.CRUCIBLE_ENGINE if dispatch else "direct",
        )
        session.refresh_from_db()
        data = {"by": actor.user_id, "numbers": [finding.number for finding in findings]}
        append(session, [Draft("opinions.asked", {**data, "generation": session.generation})])
        if dispatch:
            outbox.post("dispatch", session=session.pk)
    session.refresh_from_db()
    return session


def _check_askable(session: Session, findings: Sequence[Finding]) -> None:
    seats = Participant.objects.filter(session=session).exclude(state="missing")
    letters = set(seats.values_list("letter", flat=True))
    given = Opinion.objects.filter(session=session).exclude(verdict="missing")
    known: dict[int, set[str]] = {}
    for number, letter in given.values_list("number", "letter"):
        known.setdefault(number, set()).add(letter)
    for finding in findings:
        if not letters - set(finding.raised_by) - known.get(finding.number, set()):
            why = f"Everybody who answered has raised {finding.label} or given an opinion on it."
            raise Refused("nobody_to_ask", why, 409)
        if finding.canonical.content.erased_at:
            raise Refused("words_erased", f"The words of {finding.label} were deleted.", 409)


def _change(session: Session, number: int, seen: int | None, event: Callable[[Finding], Draft]) -> Finding:
    with transaction.atomic():
        # Whoever comes second sees the first.
        Session.objects.select_for_update(no_key=True).only("pk").get(pk=session.pk)
        finding = _found(session, number)
        if seen is not None and seen != finding.revision:
            raise Refused("decided_meanwhile", _who_was_first(session, finding), 409)
        append(session, [event(finding)])
        finding.refresh_from_db()
    return finding


def _found(session: Session, number: int) -> Finding:
    finding = Finding.objects.filter(session=session, number=number).select_related("canonical__content").first()
    if finding is None:
        raise Refused("finding_unknown", f"There is no finding F-{number:03d} in this session.", 404)
    if finding.status == "merged":
        into = f" into {finding.merged_into.label}" if finding.merged_into else ""
        raise Refused("finding_merged", f"{finding.label} was merged{into}.", 409)
    return finding


def _who_was_first(session: Session, finding: Finding) -> str:
    touched = Event.objects.filter(session=session, kind__in=_TOUCHES).order_by("-seq")
    numbers = ("number", "into", "rest", "new")
    last = next((event for event in touched if finding.number in _numbers(event.data, numbers)), None)
    if last is None:
        return f"{finding.label} has changed since you looked. Look at it again, then decide."
    person = User.objects.filter(pk=last.data["by"]).first()
    name = called(person.name, person.email) if person else "Somebody"
    what = last.kind.removeprefix("finding.")
    return f"{name} {what} {finding.label}{_to_what(last)} {_ago(last.at)}. Look at it again, then decide."


def _to_what(event: Event) -> str:
    """What was decided, in the words of the page; a merge or a split is seen in the finding itself."""
    if event.kind == "finding.regraded":
        return f" to {label('severity', event.data['severity'])}"
    if event.kind != "finding.decided":
        return ""
    because = event.data["because"]
    why = f": {label('dismissal', because)}" if because else ""
    return f" as {label('disposition', event.data['disposition'])}{why}"


def _ago(at: datetime) -> str:
    seconds = int((timezone.now() - at).total_seconds())
    return f"{seconds} s ago" if seconds < 120 else f"on {at:%Y-%m-%d at %H:%M} UTC"


def _numbers(data: dict[str, Any], names: Sequence[str]) -> set[int]:
    values = [data.get(name) for name in names]
    return {value["number"] if isinstance(value, dict) else value for value in values if value is not None}


def _group(finding: Finding, reports: Sequence[Report]) -> dict[str, Any]:
    """The finding as it stands with these reports: `events.Grouped`."""
    grouped = replace(group_as_finding(reports), number=finding.number)
    return {**finding_data(grouped), "rank": finding.rank, "revision": finding.revision + 1}
