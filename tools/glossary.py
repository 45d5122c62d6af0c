"""`python -m tools.glossary` writes docs/glossary.md out of sessions/glossary.py; a test compares the two."""

from collections.abc import Iterator
from pathlib import Path

from sessions.glossary import GLOSSARY, Topic

PAGE = Path(__file__).resolve().parent.parent / "docs" / "glossary.md"
HEAD = """\
# Glossary

Every code of the API, the exports and the events, with its words on screen. Pages and exports take their words from the
same table, `sessions/glossary.py`; this page is made from it by `python -m tools.glossary`.

Models and people never share a word about a finding: models agree or reject, people fix or dismiss.
"""


def page() -> str:
    """The page as it has to be."""
    return "\n".join([HEAD, *(line for topic in GLOSSARY.values() for line in _section(topic))])


def _section(topic: Topic) -> Iterator[str]:
    yield f"## {topic.heading}"
    yield "| on screen | meaning | code |"
    yield "|---|---|---|"
    for term in topic.terms:
        yield f"| {term.label} | {term.sentence} | `{term.api}` |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
