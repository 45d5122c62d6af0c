import asyncio
import hashlib
import json
from typing import Any

import pytest

from sessions.engine.run import CallFailed, JournalMismatch, Message, OutputSchema, Prompt, Reply, Run, WaitingForHuman
from sessions.engine.schemas import REVIEW
from tests.fakes import Answer, Crashed, MemoryJournal, ScriptedLLM, run_with


def a_prompt(words: str = "hello", member: str = "A", **changes: Any) -> Prompt:
    return Prompt(member=member, model_id="demo/one", messages=(Message("user", words),), **changes)


async def test_a_recorded_reply_is_returned_and_not_paid_again() -> None:
    journal, llm = MemoryJournal(), ScriptedLLM({"step": ["first", "second"]})
    await run_with(llm, journal).call("step", a_prompt())
    reply = await run_with(llm, journal).call("step", a_prompt())
    assert (reply.text, llm.paths) == ("first", ["step"])


async def test_a_recorded_failure_is_raised_and_not_paid_again() -> None:
    journal = MemoryJournal()
    llm = ScriptedLLM({"step": [CallFailed("timeout_wall"), "too late"]})
    with pytest.raises(CallFailed):
        await run_with(llm, journal).call("step", a_prompt())
    with pytest.raises(CallFailed, match="timeout_wall"):
        await run_with(llm, journal).call("step", a_prompt())
    assert llm.paths == ["step"]


async def test_a_failure_names_the_member_and_the_path() -> None:
    run = run_with(ScriptedLLM({"round/a": CallFailed("refused")})).child("round")
    with pytest.raises(CallFailed) as raised:
        await run.call("a", a_prompt(member="C"))
    assert (raised.value.code, raised.value.member, raised.value.path) == ("refused", "C", "round/a")


async def test_a_finished_step_met_with_another_prompt_is_refused() -> None:
    journal, llm = MemoryJournal(), ScriptedLLM({"step": "answer"})
    await run_with(llm, journal).call("step", a_prompt("one question"))
    with pytest.raises(JournalMismatch):
        await run_with(llm, journal).call("step", a_prompt("another question"))


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.5},
        {"max_output_tokens": 5},
        {"schema": OutputSchema("review", {"type": "object"})},
    ],
)
def test_everything_that_decides_the_answer_is_in_the_fingerprint(changes: dict[str, Any]) -> None:
    assert a_prompt(**changes).fingerprint() != a_prompt().fingerprint()


def test_recorded_fingerprints_stay_those_of_the_whole_request() -> None:
    prompt = a_prompt(schema=REVIEW)
    said = [[message.role, message.content] for message in prompt.messages]
    shape = [prompt.model_id, said, REVIEW.schema, prompt.temperature, prompt.max_output_tokens]
    text = json.dumps(shape, sort_keys=True, ensure_ascii=False)
    assert prompt.fingerprint() == hashlib.sha256(text.encode()).hexdigest()


def test_who_asks_is_not_in_the_fingerprint() -> None:
    assert a_prompt(member="A").fingerprint() == a_prompt(member="B").fingerprint()


async def test_children_of_one_run_do_not_share_keys() -> None:
    llm = ScriptedLLM({"left/step": "L", "right/step": "R"})
    run = run_with(llm)
    replies = [await run.child(name).call("step", a_prompt()) for name in ("left", "right")]
    assert [reply.text for reply in replies] == ["L", "R"]


async def call_all(run: Run, letters: str = "abc") -> list[Reply]:
    return await run.each(letters, lambda letter: run.call(letter, a_prompt(letter)))


async def test_each_returns_results_in_item_order_whoever_answers_first() -> None:
    llm = ScriptedLLM({letter: letter.upper() for letter in "abc"}, delays={"a": 9, "b": 4})
    assert [reply.text for reply in await call_all(run_with(llm))] == ["A", "B", "C"]


async def test_each_raises_the_first_failure_in_item_order_not_in_time() -> None:
    script: dict[str, Answer | list[Answer]] = {
        "a": "fine",
        "b": CallFailed("rate_limited"),
        "c": CallFailed("refused"),
    }
    with pytest.raises(CallFailed, match="rate_limited"):
        await call_all(run_with(ScriptedLLM(script, delays={"b": 9})))


async def test_siblings_of_a_failed_call_finish_and_are_recorded() -> None:
    journal, llm = (
        MemoryJournal(),
        ScriptedLLM({"a": CallFailed("refused"), "b": "B", "c": "C"}, delays={"b": 5, "c": 9}),
    )
    with pytest.raises(CallFailed):
        await call_all(run_with(llm, journal))
    assert set(journal.steps) == {"a", "b", "c"}


async def test_each_raises_a_failed_call_before_a_wait() -> None:
    run = run_with(ScriptedLLM({"b": CallFailed("refused")}))

    async def step(key: str) -> Any:
        return await (run.ask("gate", {}) if key == "a" else run.call(key, a_prompt()))

    with pytest.raises(CallFailed):
        await run.each("ab", step)


async def test_each_of_nothing_is_nothing() -> None:
    assert await call_all(run_with(ScriptedLLM({})), "") == []


async def test_each_keeps_to_its_limit() -> None:
    running = highest = 0

    async def step(_: str) -> None:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        await asyncio.sleep(0)
        running -= 1

    await run_with(ScriptedLLM({}), limit=2).each("abcdef", step)
    assert highest == 2


async def test_a_cancelled_fan_out_cancels_its_steps() -> None:
    cancelled = []

    async def step(key: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(key)
            raise

    fan_out = asyncio.ensure_future(run_with(ScriptedLLM({})).each("ab", step))
    await asyncio.sleep(0.01)
    fan_out.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fan_out
    assert cancelled == ["a", "b"]


async def test_a_note_is_taken_once() -> None:
    journal = MemoryJournal()
    for _ in range(2):
        await run_with(ScriptedLLM({}), journal).note("closed", "round.closed", number=1)
    assert journal.notes == {"closed": ("round.closed", {"number": 1}, {})}


async def test_words_of_a_note_are_kept_apart_from_its_data() -> None:
    journal = MemoryJournal()
    await run_with(ScriptedLLM({}), journal).note("s", "summary.written", letter="A", texts={"summary": "All is well."})
    assert journal.notes["s"] == ("summary.written", {"letter": "A"}, {"summary": "All is well."})


async def test_an_observation_is_made_once() -> None:
    journal = MemoryJournal()
    journal.world["credits"] = 5
    first = await run_with(ScriptedLLM({}), journal).observe("credits", "credits")
    journal.world["credits"] = 3
    assert [first, await run_with(ScriptedLLM({}), journal).observe("credits", "credits")] == [5, 5]


async def test_a_question_without_an_answer_parks_the_run() -> None:
    with pytest.raises(WaitingForHuman):
        await run_with(ScriptedLLM({})).ask("gate", {"kind": "gate"})


async def test_a_question_with_an_answer_goes_on() -> None:
    assert await run_with(ScriptedLLM({}), MemoryJournal(answers={"gate": "yes"})).ask("gate", {}) == "yes"


@pytest.mark.parametrize("crash_after", [0, 1, 2])
async def test_after_a_crash_only_unrecorded_steps_are_paid(crash_after: int) -> None:
    journal = MemoryJournal(crash_after=crash_after)
    script = {letter: letter.upper() for letter in "abc"}
    with pytest.raises(Crashed):
        await call_all(run_with(ScriptedLLM(script), journal))
    kept, journal.crash_after, second = set(journal.steps), None, ScriptedLLM(script)
    replies = await call_all(run_with(second, journal))
    assert [reply.text for reply in replies] == ["A", "B", "C"]
    assert set(second.paths) == set("abc") - kept
