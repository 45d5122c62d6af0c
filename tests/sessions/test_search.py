"""One search over sessions, findings and artifacts of the projects somebody belongs to."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.artifacts import add_text_artifact
from sessions.actions.purge import delete_artifact, delete_session
from sessions.models import ArtifactVersion, Content, Project, Session
from sessions.queries.search import SHOWN, Hits, search, snippet
from sessions.search_index import words_of
from tests import factories


def found(owner: User, query: str) -> Hits:
    return search(Project.objects.filter(memberships__user=owner), query)


@pytest.fixture
def version(owner: User, project: Project) -> ArtifactVersion:
    text = "import os\n\ndef refund_order(order):\n    return ledger.payments_total(order)  # naïve\n"
    return add_text_artifact(Actor(owner), project, "billing/refunds.py", text)


@pytest.fixture
def reviewed(owner: User, project: Project, version: ArtifactVersion) -> Session:
    session = factories.running(owner, project, version, title="Refunds before launch")
    factories.ask(session, "A", "review/a")
    odd = factories.report(
        title="Total ignores currency", claim="Mixed currencies are summed.", evidence="ledger.payments_total(order)"
    )
    factories.submit(session, "A", odd, factories.report(title="Missing docstring", claim="Nothing says what it does."))
    factories.merge(session, ("major", ["A-1"]), ("minor", ["A-2"]))
    factories.finish(session)
    return session


@pytest.mark.parametrize(
    ("query", "words"),
    [("", []), ("  -- ", []), ("Payments.PY", ["payments", "py"]), ("a_b c", ["a", "b", "c"]), ("x " * 40, ["x"] * 12)],
)
def test_a_query_is_its_words(query: str, words: list[str]) -> None:
    assert words_of(query) == words


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("refund order", True),
        ("payments", True),
        ("paym", True),  # the last word may be a beginning
        ("paym total", False),  # another one may not
        ("REFUND", True),
        ("refund absent", False),
        ("ments", False),
    ],
)
def test_a_text_is_found_by_whole_words(owner: User, version: ArtifactVersion, query: str, fits: bool) -> None:
    hits = found(owner, query).artifacts
    assert [hit.artifact.name for hit in hits] == (["billing/refunds.py"] if fits else [])


def test_an_artifact_tells_the_line(owner: User, version: ArtifactVersion) -> None:
    (hit,) = found(owner, "ledger").artifacts
    assert (hit.line, hit.version) == (4, 1)
    assert ("ledger", True) in hit.text.parts if hit.text else False


def test_a_name_is_found_by_a_part(owner: User, version: ArtifactVersion) -> None:
    (hit,) = found(owner, "efunds").artifacts
    assert (hit.artifact.name, hit.line) == ("billing/refunds.py", None)


def test_of_an_artifact_the_newest_version_that_fits_is_found(
    owner: User, project: Project, version: ArtifactVersion
) -> None:
    add_text_artifact(Actor(owner), project, "billing/refunds.py", "import os\n\ndef refund_order(order):\n    pass\n")
    assert [hit.version for hit in found(owner, "refund").artifacts] == [2]
    assert [hit.version for hit in found(owner, "payments").artifacts] == [1]


def test_a_finding_is_found_by_its_own_words_alone(owner: User, reviewed: Session) -> None:
    hits = found(owner, "mixed currencies").findings
    assert [(hit.label, str(hit.title), hit.severity) for hit in hits] == [("F-001", "Total ignores currency", "major")]
    assert found(owner, "mixed docstring").findings == ()


def test_a_session_is_found_by_its_title(owner: User, reviewed: Session) -> None:
    assert [hit.session for hit in found(owner, "launch").sessions] == [reviewed]


def test_strangers_find_nothing(stranger: User, reviewed: Session) -> None:
    assert found(stranger, "refund").count == 0


@pytest.mark.parametrize("query", ['"', "'; DROP", "a:* & b", "NEAR(", "%", "\\", "\x00", "ﬀ", "*"])
def test_no_query_is_an_error(owner: User, reviewed: Session, query: str) -> None:
    assert found(owner, query).count >= 0


def test_what_is_erased_is_not_found(
    owner: User, project: Project, reviewed: Session, version: ArtifactVersion
) -> None:
    delete_session(Actor(owner), reviewed)
    assert found(owner, "currencies").count == 0
    delete_artifact(Actor(owner), version.artifact)
    assert found(owner, "payments").count == 0
    assert not Content.objects.filter(text__contains="payments").exists()


@pytest.mark.django_db(transaction=True)
def test_the_index_is_made_for_what_was_there_before(owner: User, version: ArtifactVersion) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for statement in ("DROP TABLE crucible_search", "DROP TABLE crucible_search_row"):
                cursor.execute(statement)
    call_command("migrate", verbosity=0)
    assert len(found(owner, "payments").artifacts) == 1
    call_command("migrate", verbosity=0)
    assert len(found(owner, "payments").artifacts) == 1


def test_at_most_so_many_are_shown_and_that_is_said(owner: User, project: Project) -> None:
    for number in range(SHOWN + 1):
        add_text_artifact(Actor(owner), project, f"note-{number}.md", f"# Common heading {number}\n")
    hits = found(owner, "common heading")
    assert (len(hits.artifacts), hits.more) == (SHOWN, frozenset({"artifacts"}))


def test_a_long_text_is_cut_around_the_first_word() -> None:
    piece = snippet("x " * 200 + "needle " + "y " * 200, ["needle"])
    assert piece.cut == (True, True)
    assert ("needle", True) in piece.parts
    assert len(str(piece)) < 240


def test_the_page_marks_words_and_runs_nothing(client: Client, owner: User, project: Project) -> None:
    add_text_artifact(Actor(owner), project, "page.html", "<script>alert(1)</script> payments\n")
    client.force_login(owner)
    page = client.get("/search/", {"q": "alert"}).content.decode()
    assert "&lt;script&gt;<mark>alert</mark>(1)" in page
    assert "<script>alert" not in page


def test_the_page_says_that_nothing_was_found(client: Client, owner: User, project: Project) -> None:
    client.force_login(owner)
    assert "Nothing holds this word" in client.get("/search/", {"q": "absent"}).content.decode()
    assert "What are you looking for?" in client.get("/search/").content.decode()


def test_the_queries_do_not_grow_with_the_hits(
    client: Client, owner: User, project: Project, reviewed: Session, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        add_text_artifact(Actor(owner), project, f"refund-{number}.md", f"refund {number}\n")
    client.force_login(owner)
    with django_assert_max_num_queries(12):
        client.get("/search/", {"q": "refund"})


def test_programs_search_too(owner: User, reviewed: Session) -> None:
    program = factories.client(owner)
    told = program.get("/api/v1/search", {"q": "currencies"}).json()
    assert [(hit["id"], hit["code"]) for hit in told["findings"]] == [("F-001", str(reviewed.code))]
    assert told["more"] == []
    assert program.get("/api/v1/search").status_code == 400
