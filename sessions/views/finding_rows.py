"""The rows of the findings list. Built here and not in a template: there may be 500 of them, and a page has 50 ms."""

from collections.abc import Iterable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sessions.glossary import label
from sessions.queries import FoundFinding, Place
from sessions.templatetags.crucible import icon, monogram, severity

_OPTION = 48  # characters of a title in a list to choose from
_NOTHING = SafeString("")
_ERASED = SafeString('<em class="quiet">erased</em>')


def finding_row(finding: FoundFinding, standing: str, address: str, *, is_open: bool, one_text: bool) -> SafeString:
    """`standing` against the earlier version or empty; `address` leads to the finding; `one_text`: a line says enough
    of a place."""
    return format_html(
        '<li><a class="row finding-row is-{}" id="{}" href="{}" data-f="{}"{}>'
        '<span class="finding-line"><span class="row-title" dir="auto">{}</span><span class="monos">{}</span></span>'
        '<span class="finding-line">{}<span class="id">{}</span><span class="finding-place" dir="ltr">{}</span>'
        '<span class="finding-tags">{}</span></span></a></li>',
        finding.disposition,
        finding.label,
        address,
        finding.label,
        SafeString(' aria-current="true"') if is_open else _NOTHING,
        _ERASED if finding.erased else finding.title,
        _joined([monogram(letter) for letter in finding.raised_by]),
        severity(finding.severity),
        finding.label,
        place_words(finding.place, one_text=one_text),
        _tags(finding, standing),
    )


def merge_options(findings: Iterable[FoundFinding]) -> SafeString:
    """What one can be merged into."""
    words = ((finding.number, finding.label, finding.title[:_OPTION]) for finding in findings)
    return format_html_join("", '<option value="{}">{} {}</option>', words)


def place_words(place: Place, *, one_text: bool) -> str:
    return f"line {place.lines}" if one_text and place.lines else str(place)


def _tags(finding: FoundFinding, standing: str) -> SafeString:
    """What sets the finding apart, in the order of the row; nothing for one that is open, verified and undiscussed."""
    tags: list[SafeString] = []
    if standing:
        tags.append(_tag(label("standing", standing)))
    if not finding.verified:
        tags.append(_tag("", "tone-warn", "alert-triangle", "quote not found"))
    if "injection" in finding.flags:
        tags.append(_tag(label("flag", "injection"), "tone-warn", "flag"))
    if finding.opinions:
        tags.append(_tag(finding.opinion_badge))
    if finding.comments:
        tags.append(_tag(str(len(finding.comments)), "", "message-circle", "comments"))
    if finding.disposition != "open":
        tags.append(_tag(label("disposition", finding.disposition), f"tag-{finding.disposition}"))
    return _joined(tags)


def _tag(words: str, shape: str = "", image: str = "", aloud: str = "") -> SafeString:
    heard = format_html('<span class="visually-hidden"> {}</span>', aloud) if aloud else _NOTHING
    shown = icon(image) if image else _NOTHING
    return format_html('<span class="tag {}" title="{}">{}{}{}</span>', shape, aloud, shown, words, heard)


def _joined(parts: Sequence[SafeString]) -> SafeString:
    return SafeString("".join(parts))
