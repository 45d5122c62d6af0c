"""Findings, analytics and exports through the API."""

from typing import Any

import pytest
from django.test import Client

from crucible_site.models import User
from sessions.models import Content, Session
from tests import factories


@pytest.fixture
def get(viewer: User, reviewed: Session) -> Any:
    client: Client = factories.client(viewer)
    return lambda path: client.get(f"/api/v1/sessions/{reviewed.code}/{path}")


def test_findings_come_in_rank_order_with_their_words(get: Any) -> None:
    document = get("findings").json()
    assert [(row["id"], row["severity"]) for row in document["findings"]] == [("F-001", "critical"), ("F-002", "minor")]
    assert document["findings"][0]["location"] == {
        "path": "pay.py", "start_line": 2, "end_line": 2, "anchor": "pay",
    }  # fmt: skip


def test_findings_say_who_stands_behind_them(get: Any) -> None:
    document = get("findings").json()
    assert document["who_answered"] == "2 of 3 answered: C timed out"
    assert document["simulated_notice"] == "simulated: no model read this file"
    assert [report["id"] for report in document["findings"][0]["reports"]] == ["A-1", "B-1"]


def test_erased_findings_keep_their_numbers(get: Any, reviewed: Session) -> None:
    Content.objects.filter(session=reviewed).update(text="", erased_at="2026-01-01T00:00:00Z")
    first = get("findings").json()["findings"][0]
    assert (first["erased"], first["title"], first["severity"]) == (True, "", "critical")


def test_analytics_are_whole_numbers_of_micro_credits(get: Any) -> None:
    document = get("analytics").json()
    assert document["cost_microcredits"] == 1_000
    assert [row["cost_microcredits"] for row in document["instances"]] == [750, 250, 0]
    assert [row["stage"] for row in document["stages"]] == ["brief", "review", "summary"]


def test_the_export_is_the_document_of_the_session(get: Any, reviewed: Session) -> None:
    document = get("export").json()
    assert (document["code"], document["summary"]) == (str(reviewed.code), "Fix F-001 first.")


def test_the_markdown_export_is_a_file_and_no_page(get: Any) -> None:
    reply = get("export?format=markdown")
    assert reply.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.content.decode().startswith("# Payment\n")


def test_an_unknown_format_is_a_400(get: Any) -> None:
    assert get("export?format=pdf").status_code == 400


@pytest.mark.parametrize("path", ["findings", "analytics", "export", "export?format=markdown"])
def test_a_draft_has_results_that_are_empty(path: str, owner: User, project: Any) -> None:
    session = factories.draft(owner, project)
    assert factories.client(owner).get(f"/api/v1/sessions/{session.code}/{path}").status_code == 200
