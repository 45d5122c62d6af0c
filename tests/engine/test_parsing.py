import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.engine.findings import SEVERITIES
from sessions.engine.lenient_json import read_json
from sessions.engine.parsing import MAX_CHARACTERS, ParsedReview, parse_lead_brief, parse_review, visible_text

FIRST = {
    "title": "Timeout is ignored",
    "claim": "The timeout argument is never passed on, so a request may hang.",
    "evidence": "requests.get(url)",
    "location": {"path": "client.py", "start_line": 12, "end_line": 12, "anchor": None},
    "suggestion": "Pass timeout=timeout.",
    "category": "resource handling",
    "confidence": 0.8,
    "family": "reliability",
    "severity": "major",
}
SECOND = {**FIRST, "title": "Token is logged", "evidence": 'log.info("token %s", token)', "severity": "critical"}
ANSWER = {"analysis": "Read it all.", "findings": [FIRST, SECOND], "coverage": "Everything.", "not_examined": ["tests"]}
GOOD = json.dumps(ANSWER, indent=1)


def with_item(**changes: object) -> str:
    return json.dumps({**ANSWER, "findings": [{**FIRST, **changes}]})


def severities(text: str, finish_reason: str = "stop") -> list[str]:
    return [item.severity for item in parse_review(text, finish_reason).items]


# name: (answer, how many of its two findings must come back)
BROKEN = {
    "fenced": (f"```json\n{GOOD}\n```", 2),
    "fenced without a language": (f"```\n{GOOD}\n```", 2),
    "prose before and after": (f"Here is my review:\n\n{GOOD}\n\nI hope this helps {{a lot}}.", 2),
    "braces in the prose before": (f"I looked at {{x}} and at [1].\n{GOOD}", 2),
    "thinking first": (f"<think>Maybe {{'findings': []}}?</think>\n{GOOD}", 2),
    "thinking opened by the template": (f"Let me see {{}}.\n</think>\n{GOOD}", 2),
    "thinking never closed": (f"<think>I wonder.\n```json\n{GOOD}\n```", 2),
    "a draft block and a final block": (f'```json\n{{"findings": []}}\n```\nBetter:\n```json\n{GOOD}\n```', 2),
    "a template before the answer": ("The form {a}, {b}, {c}, {d}, {e} asks for:\n" + GOOD, 2),
    "quotes and brackets in the prose before": (f'I read [the "fetch" function].\n{GOOD}', 2),
    "an inline answer": (f"Result {{1}}: {json.dumps(ANSWER)}", 2),
    "fence never closed": (f"```json\n{GOOD}", 2),
    "trailing commas": (GOOD.replace('"major"\n', '"major",\n').replace('["tests"]', '["tests",]'), 2),
    "missing commas between fields": (GOOD.replace(',\n   "claim"', '\n   "claim"'), 2),
    "missing comma between items": (GOOD.replace("},\n  {", "}\n  {"), 2),
    "single quotes": (str(ANSWER), 2),
    "Python literals": (GOOD.replace("null", "None"), 2),
    "NaN as a confidence": (GOOD.replace("0.8", "NaN"), 2),
    "unquoted keys": (GOOD.replace('"title"', "title").replace('"severity"', "severity"), 2),
    "comments": (GOOD.replace('"severity"', '// how bad\n"severity"').replace('"title"', '/* name */ "title"'), 2),
    "unescaped quotes in strings": (GOOD.replace('\\"', '"'), 2),
    "raw line ends in strings": (GOOD.replace("passed on, so", "passed on,\nso"), 2),
    "curly quotes": (GOOD.replace('\\"', "'").replace('"', "”"), 2),
    "opening and closing curly quotes": (
        "{“findings”: [{“title”: “T”, “claim”: “C”, “evidence”: “x = y”, “severity”: “minor”}]}",
        1,
    ),
    "last brackets missing": (GOOD.rstrip("}] \n"), 2),
    "a brace missing in the middle": (GOOD.replace('"critical"\n  }', '"critical"\n'), 2),
    "a bare list": (json.dumps([FIRST, SECOND]), 2),
    "one bare finding": (json.dumps(FIRST), 1),
    "a wrapper key": (json.dumps({"review": ANSWER}), 2),
    "two wrapper keys": (json.dumps({"result": {"output": ANSWER}}), 2),
    "a tool call as text": (json.dumps({"name": "review", "arguments": GOOD}), 2),
    "JSON in a JSON string": (json.dumps(GOOD), 2),
    "another name for the list": (GOOD.replace('"findings"', '"issues"'), 2),
    "other names for the fields": (GOOD.replace('"claim"', '"description"').replace('"evidence"', '"quote"'), 2),
    "capitals and spaces in names": (GOOD.replace('"severity"', '"Severity "').replace('"title"', '"TITLE"'), 2),
    "findings by id": (json.dumps({"findings": {"1": FIRST, "2": SECOND}}), 2),
    "other words for severities": (GOOD.replace('"major"', '"HIGH"').replace('"critical"', '"P0 - showstopper"'), 2),
    "one item without a severity": (GOOD.replace('"severity": "major"', '"note": ""'), 1),
    "one item that is a string": (json.dumps({"findings": ["Looks fine.", SECOND]}), 1),
    "places as text": (json.dumps({"findings": [{**FIRST, "location": "client.py:12-14"}, SECOND]}), 2),
    "lines as text": (GOOD.replace('"start_line": 12', '"start_line": "L12"'), 2),
    "cut in the second item": (GOOD[: GOOD.index("token %s")], 1),
    "a byte order mark": ("\ufeff" + GOOD, 2),
    "a markdown heading and bold": (f"# Review\n**Result**\n{GOOD}", 2),
    "ellipsis after the list": (GOOD.replace("}\n ],", "},\n  ...\n ],"), 2),
    "a refusal": ("I am sorry, but I cannot help with that.", 0),
    "nothing": ("", 0),
}


@pytest.mark.parametrize(("answer", "count"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_gives_what_is_in_it(answer: str, count: int) -> None:
    assert len(parse_review(answer).items) == count


def test_at_least_23_of_26_broken_answers_are_recovered() -> None:
    whole = [name for name, (answer, count) in BROKEN.items() if count and len(parse_review(answer).items) == count]
    assert len(whole) >= len(BROKEN) * 23 / 26, sorted(set(BROKEN) - set(whole))


def test_a_good_answer_comes_through_whole() -> None:
    parsed = parse_review(GOOD)
    assert [item.model_dump()["title"] for item in parsed.items] == ["Timeout is ignored", "Token is logged"]
    assert (parsed.coverage, parsed.not_examined) == ("Everything.", ("tests",))
    assert (parsed.rejected, parsed.partial, parsed.problem) == ((), False, None)


@pytest.mark.parametrize("answer", ['{"findings": []}', "[]", "```json\n[]\n```", '{"review": {"findings": []}}'])
def test_an_explicit_empty_list_is_a_valid_answer(answer: str) -> None:
    assert parse_review(answer) == ParsedReview()


@pytest.mark.parametrize(
    "answer", ["", "{}", "null", '{"findings": null}', "No findings.", '{"not_examined": []}', "{"]
)
def test_an_answer_without_a_list_has_a_problem_to_tell(answer: str) -> None:
    assert parse_review(answer).problem


def test_a_list_inside_of_prose_is_no_empty_review() -> None:
    assert parse_review("I set the options to [] and stopped.").problem


def test_valid_items_are_kept_and_the_others_named() -> None:
    parsed = parse_review(json.dumps({"findings": [FIRST, {**FIRST, "severity": "spicy"}, {**FIRST, "evidence": ""}]}))
    assert len(parsed.items) == 1
    assert [line.split(":")[0] for line in parsed.rejected] == ["finding 2", "finding 3"]


def test_the_problem_quotes_the_validator_when_no_item_is_usable() -> None:
    parsed = parse_review(with_item(severity="spicy"))
    assert "finding 1: severity" in (parsed.problem or "")


def test_a_rejection_does_not_repeat_what_the_model_wrote() -> None:
    assert "spicy" not in parse_review(with_item(severity="spicy")).rejected[0]


def test_a_truncated_answer_is_partial_and_asks_for_the_rest() -> None:
    parsed = parse_review(GOOD[: GOOD.index("token %s")], "length")
    assert parsed.partial
    assert "Timeout is ignored" in (parsed.problem or "")


UNFINISHED = {
    "in a finding": GOOD[: GOOD.index("token %s")],
    "in a string": GOOD[: GOOD.index("never passed") + 5],
    "between two findings": GOOD[: GOOD.index("},\n  {") + 2],
    "before the last brackets": GOOD.rstrip("}] \n"),
    "in an open fence": f"```json\n{GOOD[: GOOD.index('token %s')]}",
}


@pytest.mark.parametrize("answer", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_json_that_stops_in_the_middle_is_partial_although_the_provider_says_stop(answer: str) -> None:
    assert parse_review(answer) == parse_review(answer, "length")
    assert parse_review(answer).partial


WHOLE = [name for name in BROKEN if BROKEN[name][1] and name not in ("cut in the second item", "last brackets missing")]


@pytest.mark.parametrize("name", WHOLE)
def test_json_that_is_only_badly_written_is_whole(name: str) -> None:
    parsed = parse_review(BROKEN[name][0])
    assert (parsed.partial, parsed.problem) == (False, None)


def test_a_finding_cut_in_the_middle_is_not_counted() -> None:
    assert severities(GOOD[: GOOD.index('"severity": "critical"') + 14], "length") == ["major"]


def test_an_answer_that_is_whole_although_it_hit_the_limit_asks_for_nothing() -> None:
    parsed = parse_review(GOOD, "length")
    assert (parsed.partial, parsed.problem) == (True, None)


def test_the_rest_completes_a_truncated_answer() -> None:
    first = parse_review(GOOD[: GOOD.index("token %s")], "length")
    both = first.then(parse_review(json.dumps({"findings": [FIRST, SECOND]})))
    assert [item.severity for item in both.items] == ["major", "critical"]
    assert (both.partial, both.problem) == (False, None)


def test_an_unusable_rest_leaves_the_answer_partial() -> None:
    both = parse_review(GOOD[: GOOD.index("token %s")], "length").then(parse_review("Sorry."))
    assert (len(both.items), both.partial) == (1, True)


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        *((name, name) for name in SEVERITIES),
        ("High", "critical"),
        ("medium", "major"),
        ("LOW", "minor"),
        ("nit", "info"),
        ("warning", "minor"),
        ("Severity: Critical!", "critical"),
        ("P1", "critical"),
        (5, "blocker"),
        ("2", "minor"),
        ("major (data loss)", "major"),
    ],
)
def test_severities_are_understood(said: object, severity: str) -> None:
    assert severities(with_item(severity=said)) == [severity]


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        (0.83, 0.85),
        ("85%", 0.85),
        (85, 0.85),
        ("0.7", 0.7),
        ("high", 0.85),
        (1, 1.0),
        (0, 0.0),
        (-3, 0.0),
        (1e300, 0.5),
        ("0.7 to 0.8", 0.7),
        (5000, 1.0),
        (None, 0.5),
        (True, 0.5),
        ([], 0.5),
        ("sure", 0.5),
    ],
)
def test_confidence_is_a_fraction_in_steps_of_a_twentieth(said: object, confidence: float) -> None:
    assert parse_review(with_item(confidence=said)).items[0].confidence == confidence


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ({"path": "a.py", "start_line": 3, "end_line": 5}, ("a.py", 3, 5, "")),
        ({"file": "a.py", "line": 3}, ("a.py", 3, 3, "")),
        ({"path": "a.py", "start_line": 9, "end_line": 4}, ("a.py", 4, 9, "")),
        ({"start_line": -1, "end_line": 0}, ("", None, None, "")),
        ({"lines": "12-15"}, ("", 12, 15, "")),
        ({"lines": [12, 15]}, ("", 12, 15, "")),
        ({"section": "3.2 Payment"}, ("", None, None, "3.2 Payment")),
        ("src/a.py:12", ("src/a.py", 12, 12, "")),
        ("src/a.py, lines 12-15", ("src/a.py", 12, 15, "")),
        ("a.py#L4-L6", ("a.py", 4, 6, "")),
        ("line 7", ("", 7, 7, "")),
        ("Section 3.2", ("", None, None, "Section 3.2")),
        (None, ("", None, None, "")),
        (7, ("", None, None, "")),
        ({"start_line": 10**30}, ("", None, None, "")),
    ],
)
def test_places_are_understood(location: object, expected: tuple[object, ...]) -> None:
    place = parse_review(with_item(location=location)).items[0].location
    assert (place.path, place.start_line, place.end_line, place.anchor) == expected


def test_long_texts_are_cut_and_not_refused() -> None:
    item = parse_review(with_item(title="t" * 999, claim="c" * 999, evidence="e" * 999, suggestion="s" * 9999)).items[0]
    assert (len(item.title), len(item.claim), item.evidence, len(item.suggestion)) == (160, 600, "e" * 300, 1000)


def test_an_unknown_family_is_other() -> None:
    assert parse_review(with_item(family="astrology")).items[0].family == "other"


def test_a_missing_title_is_the_first_sentence_of_the_claim() -> None:
    assert parse_review(with_item(title="", claim="It leaks. Always.")).items[0].title == "It leaks"


def test_controls_and_lone_surrogates_do_not_pass() -> None:
    item = parse_review(with_item(claim="a\x00b\ud800c \U0001f600")).items[0]
    assert item.claim == "abc \U0001f600"


def test_surrogate_pairs_read_leniently_are_one_character() -> None:
    assert (
        parse_review('{findings: [{"title": "\\ud83d\\ude00", "evidence": "x", "severity": "info"}]}').items[0].title
        == "\U0001f600"
    )


def test_a_pattern_with_single_backslashes_is_kept() -> None:
    assert read_json(r'{"evidence": "re.match(\d+, C:\Work\x)"}')[0] == {"evidence": r"re.match(\d+, C:\Work\x)"}


@pytest.mark.parametrize(
    ("answer", "brief"),
    [
        ('{"scope": "All of it.", "checks": ["locks", "errors"]}', "All of it.\n- locks\n- errors"),
        ('```json\n{"scope": "All of it.", "checks": []}\n```', "All of it."),
        (
            '{"scope": "S", "checks": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]}',
            "S\n- a\n- b\n- c\n- d\n- e\n- f\n- g\n- h",
        ),
        ('{"checks": ["locks"]}', None),
        ("Look at everything.", None),
        ("", None),
    ],
)
def test_a_lead_brief_is_a_scope_and_at_most_eight_checks(answer: str, brief: str | None) -> None:
    assert parse_lead_brief(answer) == brief


def test_a_summary_is_shown_without_thinking() -> None:
    assert visible_text("<think>Hm.</think>\n\nFix F-001 first.\x07 ") == "Fix F-001 first."


HOSTILE = {
    "brackets": "[" * 200_000,
    "braces": "{" * 200_000,
    "nested mappings": '{"a":' * 50_000,
    "stray quotes": '{"findings": ["' + 'a" b" ' * 40_000,
    "open single quotes": "{'" * 100_000,
    "backslashes": '{"' + "\\" * 200_000,
    "fences": "```json\n" * 30_000,
    "thinking tags": "<think>" * 30_000,
    "commas": "[" + "," * 200_000,
    "comments": "{" + "/*" * 100_000,
    "spaces": '{"a": "b' + " " * 200_000,
    "line ends": '{"a": "b' + "\n" * 200_000,
    "colons": "{" + ":" * 200_000,
    "digits": '{"findings": ' + "9" * 200_000,
    "curly quotes": "{“a" * 60_000,
    "lines that might be keys": '{"a": "' + '\n "b"' * 40_000,
    "ten megabytes": '{"findings": [' + (json.dumps(FIRST) + ",") * 25_000,
    "many items": json.dumps({"findings": [FIRST] * 400}),
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_answers_are_read_in_bounded_time(answer: str) -> None:
    began = time.process_time()
    parse_review(answer)
    assert time.process_time() - began < 2


def test_an_answer_above_the_cap_is_partial() -> None:
    assert parse_review(GOOD + " " * MAX_CHARACTERS).partial


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*FIRST, *ANSWER, "x"]), inner, max_size=6)
    ),
    max_leaves=25,
)
pieces = st.sampled_from(
    ["", '"', "'", "“", "{", "}", "[", "]", ",", ":", "\\", "\n", "```", "null", "\x00", "</think>"]
)


def is_sound(parsed: ParsedReview) -> bool:
    return all(item.severity in SEVERITIES and item.evidence and 0 <= item.confidence <= 1 for item in parsed.items)


@settings(max_examples=300)
@given(st.text(max_size=300), st.sampled_from(["stop", "length"]))
def test_no_text_makes_it_raise(text: str, finish_reason: str) -> None:
    assert is_sound(parse_review(text, finish_reason))


@settings(max_examples=300)
@given(json_values)
def test_no_json_value_makes_it_raise(value: object) -> None:
    assert is_sound(parse_review(json.dumps(value)))


@pytest.mark.slow
@settings(max_examples=5_000)
@given(st.integers(0, len(GOOD)), st.integers(0, 40), pieces, st.integers(0, len(GOOD)), pieces)
def test_no_mutation_of_a_valid_answer_makes_it_raise(at: int, drop: int, put: str, also_at: int, also: str) -> None:
    once = GOOD[:at] + put + GOOD[at + drop :]
    assert is_sound(parse_review(once[:also_at] + also + once[also_at:]))


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-999, 999)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex("[a-z]{1,9}", fullmatch=True), inner),
    max_leaves=20,
)


@settings(max_examples=300)
@given(plain_values, st.sampled_from([None, 1]))
def test_the_lenient_reader_reads_plain_json_as_the_strict_one_does(value: object, indent: int | None) -> None:
    assert read_json(json.dumps({"value": value}, indent=indent))[0] == {"value": value}
