"""SARIF 2.1.0: the members that the standard requires, checked by hand, and what a code host reads from them."""

import re
from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.models import Finding, Project, Session
from sessions.reports.sarif import SCHEMA, sarif
from tests import factories


@pytest.fixture
def run(reviewed: Session) -> Any:
    return sarif(reviewed)["runs"][0]


def test_the_log_names_version_and_schema(reviewed: Session) -> None:
    log = sarif(reviewed)
    assert (log["version"], log["$schema"], len(log["runs"])) == ("2.1.0", SCHEMA, 1)


def test_every_result_refers_to_its_rule(run: Any) -> None:
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]


def test_rules_are_families_and_categories(run: Any) -> None:
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["correctness/money"]


def test_levels_follow_the_severity(run: Any) -> None:
    assert [(result["properties"]["severity"], result["level"]) for result in run["results"]] == [
        ("critical", "error"),
        ("minor", "note"),
    ]


def test_a_result_has_its_place_in_the_artifact(run: Any) -> None:
    (place,) = run["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "pay.py", "uriBaseId": "SRCROOT"}
    region = place["physicalLocation"]["region"]
    assert (region["startLine"], region["endLine"], region["snippet"]) == (2, 2, {"text": "total = amount * 1.19"})
    assert place["logicalLocations"] == [{"name": "pay"}]


def test_members_have_the_form_that_the_standard_asks_for(run: Any) -> None:
    assert run["tool"]["driver"]["name"]
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        region = result["locations"][0]["physicalLocation"]["region"]
        assert 1 <= region["startLine"] <= region["endLine"]
    for artifact in run["artifacts"]:
        assert re.fullmatch(r"[0-9a-f]{64}", artifact["hashes"]["sha-256"])
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", invocation["endTimeUtc"])
    assert all(note["message"]["text"] for note in invocation["toolExecutionNotifications"])


def test_who_answered_and_simulation_are_said(run: Any) -> None:
    said = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    assert any("2 of 3 answered" in words for words in said)
    assert any("simulated" in words for words in said)
    assert all("simulated" in result["message"]["text"] for result in run["results"])


def test_a_dismissed_finding_is_suppressed_with_its_reason(reviewed: Session) -> None:
    Finding.objects.filter(session=reviewed, number=2).update(disposition="dismissed", dismissed_because="known")
    results = sarif(reviewed)["runs"][0]["results"]
    assert "suppressions" not in results[0]
    assert [row["justification"] for row in results[1]["suppressions"]] == ["Dismissed: it is known."]


def test_an_odd_path_stays_a_relative_address(owner: User, project: Project) -> None:
    version = factories.artifact(owner, project, "src/a b#c?.py")
    session = factories.running(owner, project, version)
    factories.submit(session, "A", factories.report(path="src/a b#c?.py"), factories.report(path="../../etc/x"))
    factories.merge(session, ("major", ["A-1"]), ("minor", ["A-2"]))
    results = sarif(factories.finish(session))["runs"][0]["results"]
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert uris == ["src/a%20b%23c%3F.py", "etc/x"]


def test_words_of_a_model_make_no_link(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(claim="See [the docs](https://evil.example/) and a[1](x)."))
    factories.merge(session, ("major", ["A-1"]))
    text = sarif(factories.finish(session))["runs"][0]["results"][0]["message"]["text"]
    assert r"\[the docs](" in text


def test_a_session_without_findings_is_a_whole_document(owner: User, project: Project) -> None:
    run = sarif(factories.finish(factories.running(owner, project)))["runs"][0]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_page_and_api_offer_it(owner: User, reviewed: Session, client: Client) -> None:
    client.force_login(owner)
    page = client.get(f"/sessions/{reviewed.code}/export.sarif")
    api = client.get(f"/api/v1/sessions/{reviewed.code}/export?format=sarif")
    assert page.json() == api.json() == sarif(reviewed)
    assert page["Content-Type"] == api["Content-Type"] == "application/sarif+json"


def test_a_stranger_gets_none(stranger: User, reviewed: Session, client: Client) -> None:
    client.force_login(stranger)
    assert client.get(f"/sessions/{reviewed.code}/export.sarif").status_code == 404
