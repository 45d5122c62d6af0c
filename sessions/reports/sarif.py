"""A session as SARIF 2.1.0, the format of code scanning: rules are families and categories, results are findings.

Field names and their meaning are of the OASIS standard, https://docs.oasis-open.org/sarif/sarif/v2.1.0/.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from django.utils.text import slugify

from sessions.engine.names import clean_name
from sessions.engine.text import clean, single_line
from sessions.models import Session
from sessions.queries import SIMULATED, FoundFinding, findings_of, seats_of, simulated_notice
from sessions.reports.export import ERASED, cost_words, sources_data, who_words

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"
LEVELS = {"blocker": "error", "critical": "error", "major": "warning", "minor": "note", "info": "note"}
# How code hosts order security results (0 to 10); they read it from the rule.
_SECURITY_SEVERITY = {"blocker": "9.5", "critical": "9.0", "major": "7.0", "minor": "4.0", "info": "1.0"}
_DISMISSED = {
    "wrong": "Dismissed: it is wrong.",
    "known": "Dismissed: it is known.",
    "not_now": "Dismissed: not now.",
    "style": "Dismissed: a matter of style.",
}
_LINK = re.compile(r"\[(?=[^\]]*\]\()")  # SARIF reads `[words](target)` in plain text as a link


def sarif(session: Session) -> dict[str, Any]:
    """The document, of plain JSON values. What people dismissed is there, suppressed."""
    findings, sources = findings_of(session), sources_data(session)
    judged = [source["name"] for source in sources if not source["context"]]
    rules = _rules(findings)
    places = {rule["id"]: index for index, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "Crucible", "rules": rules}},
        "automationDetails": {"id": f"crucible/{session.kind}/"},
        "invocations": [_invocation(session)],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The directory that paths are relative to."}}},
        "artifacts": [
            {"location": _location(source["name"]), "hashes": {"sha-256": source["digest"]}} for source in sources
        ],
        "results": [_result(finding, places, judged) for finding in findings],
        "columnKind": "utf16CodeUnits",
        "properties": _properties(session),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def rule_id(finding: FoundFinding) -> str:
    """`security/sql-injection`, or the family alone when the instance named no category."""
    category = slugify(single_line(finding.category, 60))
    return f"{finding.family}/{category}" if category and category != finding.family else finding.family


def _rules(findings: Iterable[FoundFinding]) -> list[dict[str, Any]]:
    """One rule for each family and category, at the level of its gravest finding: findings come in rank order."""
    rules: dict[str, dict[str, Any]] = {}
    for finding in findings:
        properties: dict[str, Any] = {"tags": [finding.family]}
        if finding.family == "security":
            properties["security-severity"] = _SECURITY_SEVERITY[finding.severity]
        words = rule_id(finding).replace("/", ": ").replace("-", " ")
        rules.setdefault(
            rule_id(finding),
            {
                "id": rule_id(finding),
                "shortDescription": {"text": words},
                "defaultConfiguration": {"level": LEVELS[finding.severity]},
                "properties": properties,
            },
        )
    return list(rules.values())


def _result(finding: FoundFinding, rules: dict[str, int], judged: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": rule_id(finding),
        "ruleIndex": rules[rule_id(finding)],
        "level": LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_place(finding, judged)],
        "partialFingerprints": {"crucible/v1": finding.fingerprint} if finding.fingerprint else {},
        "properties": {
            "id": finding.label,
            "severity": finding.severity,
            "raisedBy": list(finding.raised_by),
            "evidenceVerified": finding.verified,
            "status": finding.disposition,
            "secondOpinions": finding.opinion_badge,
        },
    }
    if finding.disposition == "dismissed":
        why = _DISMISSED.get(finding.dismissed_because, "Dismissed.")
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _message(finding: FoundFinding) -> str:
    if finding.erased:
        return ERASED
    notice = f"{SIMULATED}\n\n" if "simulated" in finding.flags else ""
    suggestion = f"\n\nSuggestion: {finding.suggestion}" if finding.suggestion else ""
    return _LINK.sub(r"\\[", clean(f"{finding.label} {finding.title}\n\n{notice}{finding.claim}{suggestion}"))


def _place(finding: FoundFinding, judged: list[str]) -> dict[str, Any]:
    """A finding without a path is put where the first judged artifact is: code hosts show no result without a place."""
    place = finding.place
    physical: dict[str, Any] = {"artifactLocation": _location(place.path or judged[0])}
    if place.start_line:
        region: dict[str, Any] = {"startLine": place.start_line}
        region["endLine"] = max(place.end_line or place.start_line, place.start_line)
        if finding.verified and not finding.erased:
            region["snippet"] = {"text": clean(finding.evidence)}
        physical["region"] = region
    logical = {"logicalLocations": [{"name": single_line(place.anchor)}]} if place.anchor else {}
    return {"physicalLocation": physical, **logical}


def _location(path: str) -> dict[str, Any]:
    return {"uri": quote(clean_name(path), safe="/"), "uriBaseId": ROOT}


def _invocation(session: Session) -> dict[str, Any]:
    invocation: dict[str, Any] = {"executionSuccessful": session.status == "completed"}
    for name, moment in (("startTimeUtc", session.started_at), ("endTimeUtc", session.finished_at)):
        if moment:
            invocation[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    notice = simulated_notice(seats_of(session))
    said = [who_words(session), *([notice] if notice else [])]
    invocation["toolExecutionNotifications"] = [{"level": "note", "message": {"text": words}} for words in said]
    return invocation


def _properties(session: Session) -> dict[str, Any]:
    seats = seats_of(session)
    return {
        "session": str(session.code),
        "status": session.status,
        "reason": session.reason,
        "whoAnswered": who_words(session),
        "cost": cost_words(session, seats),
        "simulated": bool(simulated_notice(seats)),
    }
