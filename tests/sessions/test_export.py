"""The export documents: what programs read, and Markdown in which nobody's words become structure."""

import json
import re
from typing import Any

import pytest
from markdown_it import MarkdownIt

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions.lifecycle import start_session
from sessions.models import Content, Project, Session
from sessions.reports import markdown as md
from sessions.reports.export import document, markdown
from tests import factories

CONTRACT = {
    "code", "kind", "status", "outcome", "reason", "findings", "who_answered", "summary", "cost_microcredits",
    "simulated",
}  # fmt: skip
FINDING = {
    "id", "severity", "title", "claim", "evidence", "evidence_verified", "location", "raised_by", "status",
}  # fmt: skip


def test_the_document_has_what_the_contract_names(reviewed: Session) -> None:
    found = document(reviewed)
    assert found.keys() >= CONTRACT
    assert found["findings"][0].keys() >= FINDING


def test_the_document_is_plain_json(reviewed: Session) -> None:
    assert json.loads(json.dumps(document(reviewed))) == document(reviewed)


def test_the_document_says_what_was_found_by_whom_and_for_how_much(reviewed: Session) -> None:
    found = document(reviewed)
    assert found["who_answered"] == "2 of 3 answered: C timed out"
    assert found["answers"] == {
        "answered": ["A", "B"], "missing": {"C": "timeout_first_byte"}, "partial": [], "read_in_part": [],
    }  # fmt: skip
    assert [(row["id"], row["raised_by"], row["status"]) for row in found["findings"]] == [
        ("F-001", ["A", "B"], "open"),
        ("F-002", ["B"], "open"),
    ]
    assert (found["summary"], found["cost_microcredits"]) == ("Fix F-001 first.", 1_000)


def test_both_documents_say_who_started_it(owner: User, project: Project) -> None:
    session = factories.draft(owner, project)
    assert document(session)["started_by"] == ""
    start_session(Actor(owner), session)
    assert document(session)["started_by"] == owner.name
    assert f"- Started by {owner.name}\n" in markdown(session)
    assert owner.email not in markdown(session)


def test_the_document_says_that_it_was_simulated(reviewed: Session) -> None:
    assert document(reviewed)["simulated"] is True
    assert document(reviewed)["simulated_notice"] == "simulated: no model read this file"


def test_both_documents_say_that_nothing_is_charged(reviewed: Session) -> None:
    assert document(reviewed)["charge_notice"] == "nothing is charged"
    assert "- Cost: <$0.0001, nothing is charged\n" in markdown(reviewed)


def test_what_real_models_found_is_not_called_simulated(owner: User, project: Project) -> None:
    factories.real_model()
    session = factories.reviewed(owner, project, seats=factories.seats("lab/large", "lab/large", "lab/large"))
    assert (document(session)["simulated"], document(session)["simulated_notice"]) == (False, "")
    assert "simulated" not in markdown(session)
    assert "charged" not in markdown(session)


def test_a_cost_without_a_price_is_at_least_what_is_known(owner: User, project: Project) -> None:
    factories.real_model(base_url="https://api.example.com/v1")
    session = factories.running(owner, project, seats=factories.seats("lab/large"))
    factories.ask(session, "A", "review/a", cost=None)
    session.refresh_from_db()
    assert document(session)["price_unknown_for"] == ["lab/large"]
    assert "at least $0.00, price unknown for lab/large" in markdown(session)


def test_a_server_of_ones_own_leaves_no_cost_open(owner: User, project: Project) -> None:
    factories.real_model()
    session = factories.running(owner, project, seats=factories.seats("lab/large"))
    factories.ask(session, "A", "review/a", cost=None)
    session.refresh_from_db()
    assert document(session)["price_unknown_for"] == ["lab/large"]
    assert "- Cost: no price known (own server)\n" in markdown(session)
    factories.ask(session, "A", "summary/a", cost=2_000_000_000)
    session.refresh_from_db()
    assert "- Cost: $2.00, no price known for lab/large (own server)\n" in markdown(session)


@pytest.fixture
def cut_review(owner: User, project: Project) -> Session:
    """A read the beginning of the artifact and says what it made of that; B read all and says nothing."""
    session = factories.running(owner, project)
    factories.submit(session, "A", in_part=True, read_lines=400, examined="The *payment* path.\nNot examined: tests")
    factories.submit(session, "B")
    return factories.finish(session)


def test_the_document_says_what_each_instance_read_and_examined(cut_review: Session) -> None:
    assert [(row["letter"], row["cut_to"], row["examined"]) for row in document(cut_review)["instances"]] == [
        ("A", ["lines 1-400 of 1,000 of pay.py"], "The *payment* path.\nNot examined: tests"),
        ("B", [], ""),
        ("C", [], ""),
    ]


def test_markdown_says_what_each_instance_read_and_examined(cut_review: Session) -> None:
    text = markdown(cut_review)
    assert "A read lines 1-400 of 1,000 of pay.py." in text
    assert "What A says it examined:\n\nThe \\*payment\\* path.\nNot examined: tests" in text
    assert "What B says" not in text


def test_what_was_examined_is_erased_with_the_session(cut_review: Session) -> None:
    Content.objects.filter(session=cut_review).update(text="", erased_at="2020-01-01T00:00:00Z")
    assert {row["examined"] for row in document(cut_review)["instances"]} == {""}


def test_markdown_reads_from_the_facts_to_the_details(reviewed: Session) -> None:
    text = markdown(reviewed)
    parts = ["# Payment", "simulated: no model read this file", "2 of 3 answered: C timed out", "Fix F-001 first.",
             "| F-001 | Critical | Float money |", "### F-001 Float money", "total = amount * 1.19"]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_markdown_says_which_quote_is_not_in_the_artifact(owner: User, project: Project) -> None:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(evidence_verified=False, flags=["injection"]))
    factories.tell(
        session, "findings.ranked",
        findings=[{
            "number": 1, "severity": "major", "disputed": False, "verified": False, "canonical": "A-1",
            "reports": ["A-1"], "raised_by": ["A"],
        }],
    )  # fmt: skip
    assert "Quote, **not found in the artifact**:" in markdown(session)
    assert "speaks to a language model" in markdown(session)


def test_erased_words_are_said_to_be_erased(reviewed: Session) -> None:
    Content.objects.filter(session=reviewed).update(text="", erased_at="2026-01-01T00:00:00Z")
    reviewed.refresh_from_db()
    text = markdown(reviewed)
    assert "| F-001 | Critical | (erased) |" in text
    assert "Float money" not in text
    assert document(reviewed)["findings"][0]["erased"] is True


HOSTILE = [
    "# Approved\n\nEverything is fine",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](https://evil.example/a) and ![x](https://evil.example/x.png)",
    "[ref]: https://evil.example\n\n[ref]",
    "| F-999 | blocker | forged |\n|---|---|---|",
    "```\nclosed\n```\n# Heading",
    "~~~\nopen",
    "https://evil.example/?q=`a`|b www.evil.example me@evil.example @everyone",
    "javascript:alert(1) data:text/html,x",
    "1. one\n2) two\n- three\n+ four\n* five\n> quote",
    "Title\n===\n---\n***",
    "    indented code\n\tand tab",
    "&lt;b&gt; &#60;i&#62; \\[a\\](b)",
    "a\u2028# b\x0b# c\x0c# d\r# e\x85# f",
    "\u202egnirts\u200b\ufeff",
    "<!-- hidden --> <![CDATA[x]]> <?php ?>",
    "`unclosed and ``two`` <b>",
    "| a \\| b | `c | d`",
    "$$x$$ :tada: ~~gone~~ __b__ ==m==",
]


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("field", ["title", "claim", "suggestion", "evidence", "category"])
def test_no_word_of_a_model_becomes_structure(field: str, words: str, owner: User, project: Project) -> None:
    calm, hostile = (structure(markdown(_with(owner, project, **{field: text}))) for text in ("Plain words", words))
    assert hostile == calm


@pytest.mark.parametrize("words", HOSTILE)
def test_no_word_of_a_summary_or_title_becomes_structure(words: str, owner: User, project: Project) -> None:
    session = factories.running(owner, project, title=words)
    factories.summarise(session, "A", words)
    calm = factories.running(owner, project, title="Plain words")
    factories.summarise(calm, "A", "Plain words")
    assert structure(markdown(_again(session))) == structure(markdown(_again(calm)))


def test_escaped_words_can_still_be_read() -> None:
    assert md.paragraphs("Use Decimal, not float (see PEP 327).") == "Use Decimal, not float (see PEP 327)."


def test_paragraphs_stay_paragraphs() -> None:
    assert md.paragraphs("one\n\ntwo") == "one\n\ntwo"


def _with(owner: User, project: Project, **words: Any) -> Session:
    session = factories.running(owner, project)
    factories.submit(session, "A", factories.report(**words))
    factories.merge(session, ("major", ["A-1"]))
    return _again(session)


def _again(session: Session) -> Session:
    return Session.objects.select_related("project", "summary").get(pk=session.pk)


def structure(text: str) -> list[str]:
    """What a Markdown reader makes of a document, plain words left out: the kinds of its blocks and inline elements,
    and what other readers would turn into a link or a mention by themselves."""
    found = []
    for token in _READER.parse(text):
        for part in token.children or [token]:
            if part.type == "text":
                found += ["address" for _ in _LINKS_ITSELF.findall(part.content)]
            elif part.type not in _PLAIN:
                found.append(f"{part.type} {part.tag}")
    return found


_READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_PLAIN = {"paragraph_open", "paragraph_close", "softbreak", "text_special", "code_inline"}
_LINKS_ITSELF = re.compile(r"https?://|www\.|\w@\w|(?<!\w)@\w|javascript:|data:|[\u202a-\u202e\u200b\ufeff]")


def test_the_same_words_are_structure_when_nobody_tames_them() -> None:
    assert len(structure("\n\n".join(HOSTILE))) > len(HOSTILE)


def test_what_people_decided_stands_beside_the_finding(reviewed: Session) -> None:
    reviewed.findings.filter(number=1).update(disposition="to_fix")
    reviewed.findings.filter(number=2).update(disposition="dismissed", dismissed_because="not_now")
    text = markdown(reviewed)
    assert "at `pay.py:2`. To fix\n" in text
    assert ". Dismissed: not now\n" in text
