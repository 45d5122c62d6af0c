"""What the running page shows of an answer: words, out of JSON that is still being written."""

import json
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANSWER = json.dumps({
    "analysis": 'It says "tax"\nand é.',
    "findings": [{
        "title": "Float money", "claim": "Cents get lost.", "evidence": "if (x) { y[0] }",
        "location": {"path": "pay.py", "start_line": 3, "anchor": None}, "family": "other", "severity": "major",
    }],
    "verdict": "cannot_tell",
})  # fmt: skip
WORDS = 'It says "tax" and é. · Float money · Cents get lost. · major · cannot tell'


@pytest.fixture(scope="module")
def spoken(chromium: Browser) -> Any:
    page = chromium.new_page()
    page.add_script_tag(path=ROOT / "static" / "js" / "spoken.js")
    yield lambda texts, whole: page.evaluate("([texts, whole]) => texts.map((t) => Crucible.spoken(t, whole))",
                                             [texts, whole])  # fmt: skip
    page.close()


@pytest.mark.parametrize(
    ("text", "whole", "words"),
    [
        (ANSWER, True, WORDS),
        (f"Here it is:\n```json\n{ANSWER}\n```", True, WORDS),
        (ANSWER[20:], False, WORDS.partition(" · ")[2]),
        ("Nothing of it is wrong", True, "Nothing of it is wrong"),
        ("Here it is:\n```json\n{", True, "Here it is:"),
        ('"start_line": 3}, {"x', False, ""),
    ],
)
def test_the_words_are_read_out_of_the_answer(text: str, whole: bool, words: str, spoken: Any) -> None:
    assert spoken([text], whole) == [words]


def test_wherever_it_is_cut_there_are_only_words(spoken: Any) -> None:
    shown = spoken([ANSWER[:length] for length in range(len(ANSWER))], True)
    assert [text for text in shown if not WORDS.startswith(text.removesuffix("cannot").strip(" ·")[:-1])] == []
    assert [text for text in shown if set(text) & set("{}[]\\:")] == []
