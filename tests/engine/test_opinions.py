"""Second opinions: who is asked, what they see, what counts as an answer."""

import json
from typing import Any

import pytest

from sessions.engine.evidence import Evidence
from sessions.engine.findings import Location, Report
from sessions.engine.opinions import Asked, OpinionOutput, ask_opinions, opinion_prompt, parse_opinion
from sessions.engine.run import CallFailed
from sessions.events import checked
from tests.engine.test_review import SOURCE, TIMEOUT, TOKEN, a_script, a_spec, an_answer, noted, run_review
from tests.fakes import MemoryJournal, ScriptedLLM, run_with

WORDS = Report(
    id="A-1", artifact=SOURCE.ref, kind="code", raised_by="A", severity="critical", category="", family="security",
    title="Token is logged", claim="The token stands in the log.", evidence='log.info("token %s", token)',
    suggestion="", confidence=0.9, location=Location("client.py", 3, 3), evidence_verified=True,
)  # fmt: skip
FINDING = Asked(4, WORDS, ("A",))


def an_opinion(verdict: str = "confirmed", **fields: Any) -> str:
    words = {"analysis": "It does.", "evidence": 'log.info("token %s", token)', "confidence": 0.9, "verdict": verdict}
    return json.dumps({**words, **fields})


async def ask(script: dict[str, Any], *findings: Asked) -> tuple[MemoryJournal, ScriptedLLM]:
    spec, journal, llm = a_spec(), MemoryJournal(), ScriptedLLM(script)
    await ask_opinions(run_with(llm, journal), spec, spec.members, findings or [FINDING], [Evidence(SOURCE)])
    return journal, llm


async def test_only_those_who_did_not_raise_it_are_asked() -> None:
    journal, llm = await ask({"opinion/F-004/b": an_opinion(), "opinion/F-004/c": an_opinion("refuted")})
    assert sorted(llm.paths) == ["opinion/F-004/b", "opinion/F-004/c"]
    given = noted(journal, "opinion.given")
    assert [(one["letter"], one["verdict"], one["verified"]) for one in given] == [
        ("B", "confirmed", True), ("C", "refuted", True),
    ]  # fmt: skip
    for data in given:
        checked("opinion.given", {**data, "words": {"id": SOURCE.ref, "digest": ""}})


def test_the_prompt_shows_claim_and_quote_and_not_who_raised_it() -> None:
    spec = a_spec()
    user = opinion_prompt(spec, spec.members[1], FINDING).messages[1].content
    assert "The token stands in the log." in user
    assert "quote: log.info" in user
    assert "raised by" not in user
    assert "A-1" not in user


async def test_a_quote_that_stands_nowhere_proves_nothing() -> None:
    journal, _ = await ask({
        "opinion/F-004/b": an_opinion(evidence="logger.debug(secret)"), "opinion/F-004/c": an_opinion(evidence=""),
    })  # fmt: skip
    assert [one["verified"] for one in noted(journal, "opinion.given")] == [False, False]


async def test_an_unusable_answer_is_asked_once_more_and_then_missing() -> None:
    journal, llm = await ask({
        "opinion/F-004/b": "I agree.", "opinion/F-004/b/reask-1": an_opinion("cannot_tell"),
        "opinion/F-004/c": "No.", "opinion/F-004/c/reask-1": "Still no.",
    })  # fmt: skip
    assert [one["verdict"] for one in noted(journal, "opinion.given")] == ["cannot_tell"]
    missing = noted(journal, "opinion.missing")
    assert [(one["number"], one["letter"], one["code"]) for one in missing] == [(4, "C", "unusable_answer")]
    assert len(llm.paths) == 4


async def test_whoever_cannot_be_reached_is_missing_and_the_others_count() -> None:
    journal, _ = await ask({"opinion/F-004/b": CallFailed("timeout_wall"), "opinion/F-004/c": an_opinion()})
    assert [one["code"] for one in noted(journal, "opinion.missing")] == ["timeout_wall"]
    assert len(noted(journal, "opinion.given")) == 1


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("Confirmed", "confirmed"), ("REFUTED", "refuted"), ("disagree", "refuted"), ("unclear", "cannot_tell")],
)
def test_other_words_for_a_verdict_are_understood(said: str, verdict: str) -> None:
    assert parse_opinion(an_opinion(said)) == OpinionOutput.model_validate(json.loads(an_opinion(verdict)))


@pytest.mark.parametrize(
    "text", ["", "yes", "{}", '{"verdict": ""}', '{"verdict": "perhaps"}', '{"verdict": {"a": 1}}']
)
def test_without_a_verdict_there_is_no_opinion(text: str) -> None:
    assert parse_opinion(text) is None


async def test_a_review_asks_about_critical_findings_of_one_alone_when_told_to() -> None:
    script = a_script(opinion__F_002__b=an_opinion()) | {"review/a": an_answer(TIMEOUT), "review/b": an_answer(TIMEOUT)}
    script |= {"opinion/F-001/a": an_opinion(), "opinion/F-001/b": an_opinion("refuted")}
    result, journal, _ = await run_review(
        {**script, "review/c": an_answer(TOKEN)}, a_spec(second_opinion="lone_critical")
    )
    assert result.findings[0].raised_by == ("C",)
    assert [one["number"] for one in noted(journal, "opinion.given")] == [1, 1]
    assert journal.kinds().index("summary.written") > journal.kinds().index("opinion.given")


async def test_a_review_asks_nobody_unless_told_to() -> None:
    _, journal, llm = await run_review()
    assert not [path for path in llm.paths if path.startswith("opinion")]
    assert not noted(journal, "opinion.given")
