"""What every page writes the same way: icons, states, severities, money, time."""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from billing import pricing
from sessions import glossary, people
from sessions.engine.errors import explain
from sessions.engine.findings import SEVERITIES
from sessions.kinds import KINDS
from sessions.models import SessionSource
from sessions.queries import FoundFinding, estimate
from sessions.queries.inbox import waiting_count
from sessions.queries.lists import ListedSeat
from sessions.queries.search import Snippet
from sessions.reports.tables import Cell, Column, Kind

register = template.Library()

_FINDING_LABEL = re.compile(r"\bF-[0-9]{3,9}\b")
SPRITE = "vendor/icons-3.51.0/sprite.svg"

# topic of the glossary -> code -> (icon, tone). A tone is a class; the icon and the words say the same without colour.
CHIPS = {
    "status": {
        "draft": ("circle", "quiet"),
        "queued": ("circle-dashed", "busy"),
        "running": ("progress", "busy"),
        "waiting": ("player-pause", "warn"),
        "completed": ("circle-check", "good"),
        "failed": ("circle-x", "bad"),
        "cancelled": ("ban", "quiet"),
        "needs_attention": ("alert-triangle", "warn"),
    },
    "outcome": {
        "converged": ("circle-check", "good"),
        "diverged": ("alert-triangle", "warn"),
        "quorum_lost": ("circle-x", "bad"),
        "single_assessor": ("user", "warn"),
        "certified": ("circle-check", "good"),
        "not_certified": ("circle-x", "bad"),
        "inconclusive": ("alert-triangle", "warn"),
    },
    "criterion": {
        "met": ("check", "good"),
        "not_met": ("x", "bad"),
        "not_applicable": ("circle", "quiet"),
        "cannot_determine": ("circle-dashed", "warn"),
    },
    "instance_verdict": {
        "certify": ("circle-check", "good"),
        "refuse": ("circle-x", "bad"),
        "abstain": ("circle-dashed", "warn"),
    },
    "certificate": {"valid": ("circle-check", "good"), "superseded": ("alert-triangle", "warn")},
    "seat": {
        "waiting": ("clock", "quiet"),
        "thinking": ("progress", "busy"),
        "retrying": ("refresh", "warn"),
        "answered": ("check", "good"),
        "summing_up": ("pencil", "busy"),
        "judging": ("gavel", "busy"),
        "done": ("circle-check", "good"),
        "missing": ("circle-x", "bad"),
        "stopped": ("ban", "quiet"),
    },
    "gate_state": {
        "withheld": ("circle-dashed", "quiet"),
        "pending": ("clock", "warn"),
        "second_person": ("users-group", "warn"),
        "decided": ("progress", "busy"),
        "effective": ("lock", "quiet"),
        "expired": ("clock", "bad"),
    },
    "gate_outcome": {"pass": ("circle-check", "good"), "fail": ("circle-x", "bad")},
    "flag": {"injection": ("alert-triangle", "warn"), "simulated": ("robot", "quiet")},
    "model": {
        "works": ("circle-check", "good"),
        "untested": ("circle-dashed", "quiet"),
        "failed": ("circle-x", "bad"),
        "no_key": ("key", "quiet"),
        "disabled": ("ban", "quiet"),
        "simulated": ("robot", "quiet"),
    },
}


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str) -> SafeString:
    """An icon of the sprite, silent to screen readers: words stand beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static(SPRITE), name)


@register.simple_tag
@cache  # lists show hundreds of a few; the sprite's address is fixed once files are collected
def chip(topic: str, code: str) -> SafeString:
    """Icon and word of a code; nothing for one that is not in the glossary."""
    found = glossary.term(topic, code)
    if found is None:
        return SafeString("")
    name, tone = CHIPS.get(topic, {}).get(code, ("circle", "quiet"))
    html = '<span class="chip tone-{}" title="{}">{}{}</span>'
    return format_html(html, tone, found.sentence, icon(name), found.label)


@register.simple_tag
def status_chip(status: str) -> SafeString:
    return chip("status", status)


@register.simple_tag
def outcome_chip(outcome: str) -> SafeString:
    return chip("outcome", outcome)


@register.simple_tag
def seat_chip(state: str) -> SafeString:
    return chip("seat", state)


@register.simple_tag
def term(topic: str, code: str) -> SafeString:
    """The word for a code, its sentence in the title; nothing for one that is not in the glossary."""
    found = glossary.term(topic, code)
    return format_html('<span title="{}">{}</span>', found.sentence, found.label) if found else SafeString("")


@register.filter
def kind_label(kind: str) -> str:
    """What a session of that kind is called, at the beginning of a sentence."""
    return KINDS[kind].label


@register.filter
def kind_word(kind: str) -> str:
    """As `kind_label`, within a sentence."""
    return KINDS[kind].label.lower()


@register.filter
def label(code: str, topic: str) -> str:
    """The word for a code as plain text, for attributes and sentences."""
    return glossary.label(topic, code)


@register.filter
def meaning(code: str, topic: str) -> str:
    """The glossary's sentence for a code."""
    return glossary.meaning(topic, code)


@register.simple_tag
@lru_cache(maxsize=1_024)
def monogram(letter: str, name: str = "") -> SafeString:
    """The instance's letter in its colour; eight colours go round, the letter tells them apart."""
    colour = "ABCDEFGH"[(ord(letter[-1:] or "A") - ord("A")) % 8]
    title = f"Instance {letter}: {name}" if name else f"Instance {letter}"
    return format_html('<span class="mono mono-{}" title="{}">{}</span>', colour, title, letter)


@register.simple_tag
def monograms(seats: Iterable[ListedSeat]) -> SafeString:
    """The instances of a review, faint without an answer. In one tag, because a list has hundreds of them."""
    return SafeString("".join((monogram if seat.answered else _silent)(seat.letter, seat.name) for seat in seats))


@lru_cache(maxsize=1_024)
def _silent(letter: str, name: str) -> SafeString:
    return format_html('<span class="mono mono-off" title="Instance {0}: {1}, no answer">{0}</span>', letter, name)


@register.simple_tag
@lru_cache(maxsize=64)
def severity(word: str, disputed: bool = False) -> SafeString:
    """The word and a glyph of five steps; rendered once, because a list has hundreds of them."""
    level = SEVERITIES.get(word, 1)
    bars = [{"x": 5 * step, "y": 8 - 2 * step, "height": 4 + 2 * step, "lit": step < level} for step in range(5)]
    words = {"word": word, "label": glossary.label("severity", word), "disputed": disputed, "bars": bars}
    return render_to_string("sessions/_severity.html", words)


register.filter("dollars", pricing.dollars)


@register.filter
def called(person: people.User) -> str:
    """The name, never the whole address."""
    return people.called(person.name, person.email)


@register.filter
def dedent(text: str) -> str:
    """Quoted lines without the indentation that all of them share."""
    return textwrap.dedent(text).strip("\n")


@register.filter
def about_dollars(microcredits: int | None) -> str:
    """For estimates: two digits."""
    return pricing.dollars(microcredits, about=True)


@register.filter
def explained(code: str) -> str:
    """What an error code means and what to do next."""
    return explain(code)


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """`2 m 14 s`; below ten seconds one decimal."""
    if seconds is None:
        return ""
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {rest} s" if minutes else f"{rest} s"


@register.filter
def milliseconds(value: int | None) -> str:
    return "" if value is None else duration(value / 1000)


@register.simple_tag
def cell(columns: Sequence[Column], index: int, value: Cell) -> SafeString:
    """A cell of a table in the words of its column; the first one heads its row."""
    column = columns[index]
    shown = _CELLS[column.kind](value) if value is not None else "–"
    if index == 0:
        return format_html('<th scope="row">{}</th>', shown)
    return format_html('<td class="{}">{}</td>', "number" if column.is_number else "wraps", shown)


def _instance_cell(value: Cell) -> SafeString:
    letter, _, name = str(value).partition(" ")
    return format_html("{} {}", monogram(letter), name)


@register.filter
def about_time(seconds: int) -> str:
    """For estimates: no more exact than it is known."""
    return estimate.about_time(seconds)


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.filter
def place_url(finding: FoundFinding, sources: Mapping[UUID, SessionSource]) -> str:
    """The finding's lines on the page of its artifact; empty when that cannot be read any more."""
    words = finding.wordings[0]
    row = sources.get(words.source) if words.source else None
    if row is None or row.version.artifact.deleted_at:
        return ""
    artifact, lines = row.version.artifact, words.place.lines
    url = f"{reverse('sessions:artifact', args=[artifact.code])}?version={row.version.number}"
    if not lines:
        return url
    return f"{url}&at={quote(f'{words.place.path}:{lines}' if artifact.kind == 'diff' else lines)}#at"


@register.filter
def finding_links(text: str, base: str) -> SafeString:
    """Plain text in which `F-001` leads to the finding at `base` and its label. Everything else in it stays text."""
    address = escape(base)

    def link(found: re.Match[str]) -> str:
        return f'<a href="{address}{found[0]}" data-f="{found[0]}">{found[0]}</a>'

    return SafeString(_FINDING_LABEL.sub(link, escape(text)))  # escaped on this line


@register.filter
def marked(found: Snippet) -> SafeString:
    """A piece of a text with what was looked for in it marked. Everything in it stays text."""
    parts = format_html_join(
        "", "{}", ((format_html("<mark>{}</mark>", words) if hit else words,) for words, hit in found.parts)
    )
    begin, end = ("…" if cut else "" for cut in found.cut)
    return format_html("{}{}{}", begin, parts, end)


@register.filter
def moment(at: datetime | None) -> SafeString:
    """A time as people say it, the exact one in its title."""
    if at is None:
        return SafeString("")
    exact = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, _ago(timezone.now() - at, at))


def _ago(age: timedelta, at: datetime) -> str:
    seconds = int(age.total_seconds())
    if seconds < 45:
        return "just now"
    for limit, size, unit in ((3_600, 60, "min"), (86_400, 3_600, "h"), (7 * 86_400, 86_400, "d")):
        if seconds < limit:
            return f"{max(seconds // size, 1)} {unit} ago"
    return f"{at:%d %b %Y}"


@register.simple_tag
def signup_is_open() -> bool:
    return bool(settings.CRUCIBLE_SIGNUP)


_CELLS: dict[Kind, Callable[[Any], str]] = {
    "text": str,
    "instance": _instance_cell,
    "count": thousands,
    "dollars": pricing.dollars,
    "time": milliseconds,
}


@register.simple_tag(takes_context=True)
def waiting_gates(context: Mapping[str, Any]) -> int:
    """How many gates wait for whoever is signed in."""
    user = context.get("user")
    return waiting_count(user.pk) if user is not None and user.is_authenticated else 0
