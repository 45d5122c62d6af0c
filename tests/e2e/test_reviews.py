"""Reviews of a real source file, document and Git range through the API, by models of two wire formats, on both modes
of running: one process on SQLite, and two web and two worker processes on PostgreSQL and Redis."""

from pathlib import Path

import pytest

from tests.e2e.material import RANGE, SOURCE, git, make_repository, misplaced
from tests.e2e.stack import Stack

pytestmark = pytest.mark.slow

ROUNDS = 20


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    repository: Path = make_repository(tmp_path_factory.mktemp("repository"))
    files = {name: (repository / name).read_text() for name in ("writer.py", "docs/plan.md")}
    return files | {"range.diff": git(repository, "diff", RANGE)}


@pytest.mark.parametrize("name", ["writer.py", "docs/plan.md", "range.diff"])
def test_models_of_both_wire_formats_review_it_and_every_request_is_recorded(
    stack: Stack, texts: dict[str, str], name: str
) -> None:
    client, mark = stack.client, f"{stack.port}-{len(texts[name])}"
    models = [stack.model(f"one-{mark}"), stack.model(f"two-{mark}"), stack.model(f"three-{mark}", vendor="anthropic")]
    code = client.review(models, client.artifact(name, texts[name]))
    client.get(f"/api/v1/sessions/{code}?wait=60")
    document = client.get(f"/api/v1/sessions/{code}/export")
    assert (document["status"], document["who_answered"]) == ("completed", "3 of 3 answered")
    assert document["summary"]
    assert not document["simulated"]
    assert any(finding["evidence_verified"] for finding in document["findings"])
    assert misplaced(document["findings"], texts) == []
    assert document["findings"] == client.get(f"/api/v1/sessions/{code}/findings")["findings"]
    assert stack.requests(*models) == stack.attempts(*models)


def test_the_page_the_export_and_the_markdown_tell_the_same_findings(stack: Stack) -> None:
    client = stack.client
    code = client.review(["demo/atlas", "demo/birch"], client.artifact("writer.py", SOURCE.read_text()))
    findings = client.get(f"/api/v1/sessions/{code}?wait=60") and client.get(f"/api/v1/sessions/{code}/findings")
    ids = [finding["id"] for finding in findings["findings"]]
    page = client.page(f"/sessions/{code}/")
    markdown = client.ask("GET", f"/api/v1/sessions/{code}/export?format=markdown").text
    assert ids
    assert all(name in page and f"### {name} " in markdown for name in ids)
    assert "simulated: no model read this file" in markdown
    assert "simulated: no model read this file" in page.lower()


def test_every_view_of_a_session_answers_at_every_moment_of_it(embedded: Stack) -> None:
    client = embedded.client
    artifact = client.artifact("writer.py", SOURCE.read_text())
    for _ in range(ROUNDS):
        code = client.review(["demo/atlas", "demo/delta"], artifact)
        while client.session(code)["status"] != "completed":
            assert client.page(f"/sessions/{code}/")
            assert client.page(f"/sessions/{code}/live/?after=0")
            for view in ("findings", "events", "analytics", "export"):
                assert client.get(f"/api/v1/sessions/{code}/{view}")
