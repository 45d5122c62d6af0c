"""The rows of the findings list. Built here and not in a template: there may be 500 of them, and a page has 50 ms."""

from collections.abc import Iterable, Sequence

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from sessions.glossary import label
from sessions.queries import FoundFinding, Place
from sessions.templatetags.crucible import icon, monogram, severity

_OPTION = 48  # characters of a title in a list to choose from
_NOTHING = SafeString("")
_NO_MONOGRAM = SafeString('<span class="mono-none"></span>')
_COLUMNS = 5  # of letters; of more instances those who raised it stand beside each other
_ERASED = SafeString('<em class="quiet">erased</em>')


def finding_row(
    finding: FoundFinding, standing: str, address: str, letters: Sequence[str], *, is_open: bool, one_text: bool
) -> SafeString:
    """`standing` against the earlier version or empty; `address` leads to the finding; `letters` are those of all
    instances, so that each stands in its own column; `one_text`: a line says enough of a place."""
    title = _ERASED if finding.erased else escape(finding.title)
    here = ' aria-current="true"' if is_open else ""
    return SafeString(  # what people or models wrote is escaped; the rest are our own codes
        f'<li><a class="row finding-row is-{finding.disposition}" id="{finding.label}" href="{escape(address)}"'
        f' data-f="{finding.label}"{here}>'
        f'<span class="finding-line"><span class="row-title" dir="auto">{title}</span>'
        f'<span class="monos">{_monograms(finding.raised_by, letters)}</span></span>'
        f'<span class="finding-line">{severity(finding.severity)}<span class="id">{finding.label}</span>'
        f'<span class="finding-place" dir="ltr">{escape(place_words(finding.place, one_text=one_text))}</span>'
        f'<span class="finding-tags">{_tags(finding, standing)}</span></span></a></li>'
    )


def _monograms(raised_by: Sequence[str], letters: Sequence[str]) -> SafeString:
    every = letters if len(letters) <= _COLUMNS else raised_by
    return _joined([monogram(letter) if letter in raised_by else _NO_MONOGRAM for letter in every])


def merge_options(findings: Iterable[FoundFinding]) -> SafeString:
    """What one can be merged into."""
    return SafeString(
        "".join(f'<option value="{one.number}">{one.label} {escape(one.title[:_OPTION])}</option>' for one in findings)
    )


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
