"""What every page writes the same way: icons, states, severities, money, time."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from billing import pricing
from sessions.engine.errors import explain
from sessions.engine.findings import SEVERITIES
from sessions.models import SessionSource
from sessions.queries import FoundFinding

register = template.Library()

_FINDING_LABEL = re.compile(r"\bF-[0-9]{3,9}\b")
SPRITE = "vendor/icons-3.51.0/sprite.svg"

# status or outcome -> (icon, words, tone). A tone is a class; the icon and the words say the same without colour.
STATUSES = {
    "draft": ("circle", "Draft", "quiet"),
    "queued": ("circle-dashed", "Queued", "busy"),
    "running": ("progress", "Running", "busy"),
    "waiting": ("player-pause", "Waiting for you", "warn"),
    "completed": ("circle-check", "Completed", "good"),
    "failed": ("circle-x", "Failed", "bad"),
    "cancelled": ("ban", "Stopped", "quiet"),
    "needs_attention": ("alert-triangle", "Needs attention", "warn"),
}
OUTCOMES = {"single_assessor": ("user", "One instance only", "warn")}
SEAT_STATES = {
    "waiting": ("clock", "waiting", "quiet"),
    "thinking": ("progress", "thinking", "busy"),
    "retrying": ("refresh", "asking again", "warn"),
    "answered": ("check", "answered", "good"),
    "summing_up": ("pencil", "summing up", "busy"),
    "done": ("circle-check", "done", "good"),
    "missing": ("circle-x", "missing", "bad"),
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite, silent to screen readers: words stand beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static(SPRITE), name)


def _chip(table: dict[str, tuple[str, str, str]], key: str) -> SafeString:
    name, words, tone = table.get(key, ("circle", key.replace("_", " "), "quiet"))
    return format_html('<span class="chip tone-{}">{}{}</span>', tone, icon(name), words)


@register.simple_tag
def status_chip(status: str) -> SafeString:
    return _chip(STATUSES, status)


@register.simple_tag
def outcome_chip(outcome: str) -> SafeString:
    return _chip(OUTCOMES, outcome) if outcome else SafeString("")


@register.simple_tag
def seat_chip(state: str) -> SafeString:
    return _chip(SEAT_STATES, state)


@register.simple_tag
def monogram(letter: str, name: str = "") -> SafeString:
    """The instance's letter in its colour; eight colours go round, the letter tells them apart."""
    colour = (ord(letter[-1:] or "A") - ord("A")) % 8
    title = f"Instance {letter}: {name}" if name else f"Instance {letter}"
    return format_html('<span class="monogram seat-{}" title="{}">{}</span>', colour, title, letter)


@register.inclusion_tag("sessions/_severity.html")
def severity(word: str, disputed: bool = False) -> dict[str, Any]:
    """The word and a glyph of five steps."""
    level = SEVERITIES.get(word, 1)
    bars = [{"x": 5 * step, "y": 8 - 2 * step, "height": 4 + 2 * step, "lit": step < level} for step in range(5)]
    return {"word": word, "disputed": disputed, "bars": bars}


@register.filter
def dollars(microcredits: int | None) -> str:
    return "unknown" if microcredits is None else pricing.dollars(microcredits)


@register.filter
def dollars_per_million(microcredits: int) -> str:
    return f"${microcredits / pricing.MICROCREDITS_PER_DOLLAR:g}"


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


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.filter
def place_url(finding: FoundFinding, sources: Mapping[UUID, SessionSource]) -> str:
    """The finding's line on the page of its artifact; empty when that cannot be read any more."""
    words = finding.wordings[0]
    row = sources.get(words.source) if words.source else None
    if row is None or row.version.artifact.deleted_at:
        return ""
    artifact, line = row.version.artifact, words.place.start_line
    url = f"{reverse('sessions:artifact', args=[artifact.code])}?version={row.version.number}"
    if line is None:
        return url
    return f"{url}&at={quote(f'{words.place.path}:{line}' if artifact.kind == 'diff' else str(line))}#at"


@register.filter
def finding_links(text: str) -> SafeString:
    """Plain text in which `F-001` leads to the finding. Everything else in it stays text."""
    return SafeString(_FINDING_LABEL.sub(r'<a href="#\g<0>">\g<0></a>', escape(text)))  # escaped on this line


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
