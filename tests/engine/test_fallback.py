"""Another model in the place of one that does not answer: only a named one, only where it helps, and once."""

import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sessions.engine.fallback import NOT_THE_MODELS, ask_member, fallback_path
from sessions.engine.patterns.deliberation import deliberation
from sessions.engine.patterns.review import ReviewSpec, review
from sessions.engine.roster import Member, Source
from sessions.engine.run import CallFailed, Message, Prompt, Reply, Run
from tests.engine.test_deliberation import a_final, a_spec, found, said
from tests.fakes import Crashed, MemoryJournal, ScriptedLLM, run_with

OWN = Member("B", "Second", "reviewer", "lab/large", "lab", context_window=32_000)
STAND_IN = replace(OWN, model_id="other/small", family="other", context_window=8_000)
SEATED = replace(OWN, fallback=STAND_IN)


async def asked(run: Run, member: Member, key: str = "review/b") -> tuple[Member, Reply]:
    def ask(path: str, one: Member) -> Any:
        return run.call(path, Prompt(one.letter, one.model_id, (Message("user", "Read."),)))

    return await ask_member(run, key, member, ask)


async def test_its_fallback_answers_where_a_model_fails_and_the_log_says_so() -> None:
    llm, journal = ScriptedLLM({"review/b": CallFailed("provider_auth"), "review/b/fallback": "Here."}), MemoryJournal()
    member, reply = await asked(run_with(llm, journal), SEATED)
    assert (member, reply.text) == (STAND_IN, "Here.")
    assert llm.prompt("review/b/fallback").model_id == "other/small"
    kind, data, _ = journal.notes["replaced/review/b"]
    who = {"letter": "B", "path": "review/b", "model_id": "lab/large", "fallback": "other/small"}
    assert (kind, data) == ("instance.replaced", who | {"code": "provider_auth"})


async def test_nobody_stands_in_for_a_model_that_answers() -> None:
    journal = MemoryJournal()
    member, _ = await asked(run_with(ScriptedLLM({"review/b": "Here."}), journal), SEATED)
    assert (member, journal.notes) == (SEATED, {})


async def test_without_a_named_fallback_nobody_is_asked() -> None:
    llm = ScriptedLLM({"review/b": CallFailed("quota_exceeded")})
    with pytest.raises(CallFailed, match="quota_exceeded"):
        await asked(run_with(llm), OWN)
    assert llm.paths == ["review/b"]


@pytest.mark.parametrize("code", sorted(NOT_THE_MODELS))
async def test_what_is_not_the_models_fault_asks_no_other_model(code: str) -> None:
    llm = ScriptedLLM({"review/b": CallFailed(code)})
    with pytest.raises(CallFailed, match=code):
        await asked(run_with(llm), SEATED)
    assert llm.paths == ["review/b"]


async def test_when_the_fallback_fails_too_its_failure_counts() -> None:
    llm = ScriptedLLM({"review/b": CallFailed("timeout_idle"), "review/b/fallback": CallFailed("no_key")})
    with pytest.raises(CallFailed, match="no_key"):
        await asked(run_with(llm), SEATED)


@pytest.mark.parametrize("crash_after", range(1, 4))
async def test_after_a_crash_neither_is_asked_twice(crash_after: int) -> None:
    llm = ScriptedLLM({"review/b": CallFailed("provider_auth"), "review/b/fallback": "Here."})
    journal = MemoryJournal(crash_after=crash_after)
    with suppress(Crashed):
        await asked(run_with(llm, journal), SEATED)
    journal.crash_after = None
    member, reply = await asked(run_with(llm, journal), SEATED)
    assert (member, reply.text, llm.paths) == (STAND_IN, "Here.", ["review/b", "review/b/fallback"])


def test_a_re_ask_belongs_to_the_call_that_its_fallback_takes_the_place_of() -> None:
    assert [fallback_path(path) for path in ("assess/round-2/b", "assess/round-2/b/reask-1", "review/b/again")] == [
        "assess/round-2/b/fallback",
        "assess/round-2/b/fallback",
        "review/b/again/fallback",
    ]


async def test_an_answer_that_stays_unusable_is_left_to_the_fallback() -> None:
    spec = a_review(SEATED, replace(OWN, letter="A"))
    script: dict[str, Any] = {"review/a": "{}", "review/a/reask-1": "{}", "review/a/reask-2": "{}"}
    script |= {path.replace("/a", "/b"): answer for path, answer in script.items()}
    script |= {"review/b/fallback": found(0), "summary/b": "Fix F-001 first."}
    journal = MemoryJournal()
    result = await review(run_with(ScriptedLLM(script), journal), spec)
    assert (result.answered, result.missing) == (("B",), {"A": "unusable_answer"})
    assert journal.notes["replaced/review/b"][1]["code"] == "unusable_answer"


async def test_what_the_fallback_could_not_read_is_said_of_what_it_read() -> None:
    spec = a_review(replace(SEATED, fallback=replace(STAND_IN, context_window=1_000)))
    llm = ScriptedLLM({"review/b": CallFailed("provider_auth"), "review/b/fallback": found(), "summary/b": "Nothing."})
    journal = MemoryJournal()
    await review(run_with(llm, journal), spec)
    submitted = journal.notes["submitted/b"][1]
    assert (submitted["read_in_part"], len(submitted["cut"])) == (True, 1)


async def test_a_deliberation_goes_on_with_the_fallback_and_counts_its_family() -> None:
    spec = a_spec()
    stand_in = replace(spec.members[1], model_id="demo/A", family="family-A")
    spec = replace(spec, members=(spec.members[0], replace(spec.members[1], fallback=stand_in), spec.members[2]))
    script: dict[str, Any] = {
        "review/a": found(0), "review/b": CallFailed("quota_exceeded"), "review/b/fallback": found(0),
        "review/c": found(0), "synthesis/round-1/a": "All see F-001.", "assess/round-2/a": said("a"),
        "assess/round-2/b": CallFailed("quota_exceeded"), "assess/round-2/b/fallback": said("a"),
        "assess/round-2/c": said("a"), "synthesis/round-2/a": "All agree.", "decision/a": a_final(),
    }  # fmt: skip
    journal = MemoryJournal()
    result = await deliberation(run_with(ScriptedLLM(script), journal), spec)
    assert (result.outcome, [sorted(one.answered) for one in result.rounds]) == ("converged", [["A", "B", "C"]] * 2)
    assert "- B: B, demo/B, answered by demo/A" in result.decision
    alone = await deliberation(run_with(ScriptedLLM(healthy(script))), a_spec())
    assert _votes(result.decision) < _votes(alone.decision)


def healthy(script: dict[str, Any]) -> dict[str, Any]:
    """The same answers, B's from its own model."""
    own = {path.removesuffix("/fallback"): answer for path, answer in script.items() if path.endswith("/fallback")}
    return {path: answer for path, answer in script.items() if not path.endswith("/fallback")} | own


def _votes(decision: str) -> float:
    line = next(line for line in decision.splitlines() if "independent votes" in line)
    return float(line.partition("about ")[2].split()[0])


def a_review(*members: Member) -> ReviewSpec:
    text = "\n".join(f"value_{number} = load({number})" for number in range(400))
    source = Source(ref=str(uuid.UUID(int=1)), name="pipeline.py", kind="code", text=text, digest="")
    return ReviewSpec(
        members=tuple(sorted(members, key=lambda member: member.letter)), sources=(source,), title="Pipeline",
        brief="", focus="", nonce_seed="ab" * 32,
    )  # fmt: skip
