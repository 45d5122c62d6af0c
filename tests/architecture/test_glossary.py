"""One table of words: complete, shared by models and people without mixing them, and the only way onto the screen."""

import re
from pathlib import Path
from typing import get_args

import pytest

from sessions.engine.errors import ERRORS
from sessions.engine.findings import FAMILIES, SEVERITIES
from sessions.engine.roster import ROLES, ArtifactKind
from sessions.glossary import GLOSSARY, label, term
from sessions.models import Role
from sessions.queries.analytics import STAGES
from sessions.states import STATUSES
from sessions.templatetags.crucible import CHIPS
from tools.glossary import PAGE, page

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "templates").rglob("*.html")}
CODES = {
    "status": STATUSES,
    "severity": SEVERITIES,
    "family": FAMILIES,
    "role": ROLES,
    "member": Role.values,
    "artifact": get_args(ArtifactKind),
    "stage": STAGES,
    "error": ERRORS,
}
OF_MODELS, OF_PEOPLE = ("agreement", "opinion"), ("disposition", "dismissal")
# Topics whose words may not be typed into a page: somebody would change them here and not there.
TYPED_NOWHERE = ("status", "outcome", "severity", "seat", "agreement", "opinion", "disposition", "flag", "model")
ON_BUTTONS = {"done", "open"}  # also what one does
CODED = re.compile(
    r"\{\{\s*[\w.]*\b(?:status|outcome|waiting_for|severity|family|role|state|error_code|disposition|"
    r"dismissed_because|verdict|reason|artifact\.kind)\s*(?:\|(?!label:|meaning:|explained)[^}]*)?\}\}"
)
NOT_OURS = re.compile(r"\b(?:accepted|micro-?credits?|credits|participants?|assessor)\b", re.IGNORECASE)


def words_in(template: str) -> list[str]:
    """The texts between tags, with their {{ expressions }}; neither attributes nor what stands in <code>."""
    shown = re.sub(r"\{%.*?%\}|\{#.*?#\}", "", template, flags=re.DOTALL)
    shown = re.sub(r"<code\b[^>]*>.*?</code>", "<>", shown, flags=re.DOTALL)
    return [text for part in re.split(r"<(?:[^<>\"]|\"[^\"]*\")*>", shown) if (text := part.strip())]


@pytest.mark.parametrize("topic", CODES)
def test_every_code_of_the_product_has_its_words(topic: str) -> None:
    assert [code for code in CODES[topic] if not label(topic, code)] == []


def test_a_code_stands_once_in_its_topic() -> None:
    for topic in GLOSSARY.values():
        codes = [found.api for found in topic.terms]
        assert sorted(set(codes)) == sorted(codes)


def test_every_chip_has_words() -> None:
    assert [(topic, code) for topic, codes in CHIPS.items() for code in codes if not term(topic, code)] == []


def test_models_and_people_share_no_word_about_a_finding() -> None:
    models = {found.label.casefold() for topic in OF_MODELS for found in GLOSSARY[topic].terms}
    people = {found.label.casefold() for topic in OF_PEOPLE for found in GLOSSARY[topic].terms}
    assert models & people == set()


def test_nobody_accepts() -> None:
    labels = [found.label for topic in GLOSSARY.values() for found in topic.terms]
    assert [text for text in labels if "accept" in text.casefold() and text not in _sentences_of_errors()] == []


def test_a_code_that_is_not_in_the_glossary_has_no_words() -> None:
    assert (label("status", "exploded"), term("status", "exploded")) == ("", None)


def test_a_topic_that_is_none_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        label("stauts", "draft")


def test_the_page_of_the_docs_is_made_from_the_table() -> None:
    assert PAGE.read_text() == page(), "run `python -m tools.glossary`"


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_shows_a_code(name: str) -> None:
    assert [text for text in words_in(TEMPLATES[name]) if CODED.search(text)] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_types_a_word_of_the_glossary(name: str) -> None:
    taken = {found.label.casefold() for topic in TYPED_NOWHERE for found in GLOSSARY[topic].terms} - ON_BUTTONS
    assert [text for text in words_in(TEMPLATES[name]) if text.casefold() in taken] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_uses_a_word_that_is_not_ours(name: str) -> None:
    assert [text for text in words_in(TEMPLATES[name]) if NOT_OURS.search(text)] == []


def test_every_word_a_template_asks_for_exists() -> None:
    asked = {
        (topic, code)
        for text in TEMPLATES.values()
        for topic, code in re.findall(r"\{% (?:term|chip) \"(\w+)\" \"(\w+)\" %\}", text)
    }
    assert [pair for pair in asked if not term(*pair)] == []


def _sentences_of_errors() -> set[str]:
    return {found.label for found in GLOSSARY["error"].terms}
