"""Who held what in which round as a table: a row for each finding, a column for each instance in each round."""

from collections.abc import Iterable, Mapping, Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sessions.engine.agreement import FIRST_JUDGED, NOBODY_JUDGED, FindingFigures
from sessions.engine.convergence import Flip
from sessions.engine.positions import Standing
from sessions.glossary import label
from sessions.templatetags.crucible import icon, severity

ICONS = {
    "agree": "check",
    "amend": "pencil",
    "disagree": "x",
    "abstain": "circle-minus",
    "missing": "ban",
    "omitted": "circle-dashed",
}
"""Of a stance; what was not asked stays empty."""
_CELL = '<td class="stance stance-{}{}{}" data-letter="{}">{}<span class="visually-hidden">{}</span>{}</td>'
_ROW = (
    '<tr class="stance-{}"><th scope="row"><a href="{}{}">{}<span class="id">{}</span>'
    '<span class="stance-title" dir="auto">{}</span></a></th>{}<td class="stance-together">{}{}</td></tr>'
)
_ROUND = '<td class="stance-name" aria-hidden="true">Round {}</td>'


def stance_rows(
    held: Sequence[Standing],
    letters: Sequence[str],
    figures: Iterable[FindingFigures],
    titles: Mapping[int, str],
    flips: Iterable[Flip],
    base: str,
) -> list[SafeString]:
    """Findings that are open to question first, then the other key ones, then the rest, each by number. `held` is by
    round, `base` the address of a finding up to its label."""
    changed = {(flip.round, flip.number, flip.letter): flip for flip in flips}
    made: dict[tuple[str, str, str, bool], SafeString] = {}
    names = [format_html(_ROUND, at) for at in range(1, len(held) + 1)]

    def cell(at: int, number: int, letter: str) -> SafeString:
        position = held[at - 1].get(number, {}).get(letter)
        flip = changed.get((at, number, letter))
        turned = "" if flip is None else "?" if flip.is_unexplained else "reason"
        key = (letter, "not_shown" if position is None else position.stance, turned, at == len(held))
        if key not in made:
            made[key] = _cell(*key)
        return made[key]

    def cells(number: int) -> SafeString:
        by_round = (name + SafeString("").join(cell(at, number, letter) for letter in letters)
                    for at, name in enumerate(names, 1))  # fmt: skip
        return mark_safe("".join(by_round))  # noqa: S308 - joined from cells that are safe

    ordered = sorted(figures, key=lambda one: (not _is_open(one), not one.is_key, one.number))
    judged = len(held) >= FIRST_JUDGED
    return [_row(one, titles.get(one.number, ""), cells(one.number), base, judged=judged) for one in ordered]


def _is_open(one: FindingFigures) -> bool:
    """Whether people have to look at it."""
    return one.is_key and one.status in ("contested", "undecided")


def _row(one: FindingFigures, title: str, cells: SafeString, base: str, *, judged: bool) -> SafeString:
    name, kind = f"F-{one.number:03d}", "open" if _is_open(one) else "key" if one.is_key else "aside"
    return format_html(
        _ROW,
        kind,
        base,
        name,
        severity(one.severity, one.severity_disputed),
        name,
        title,
        cells,
        label("agreement", one.status) if judged else NOBODY_JUDGED,
        "" if one.is_key else ", not counted",
    )


def _cell(letter: str, stance: str, flip: str, is_last: bool) -> SafeString:
    turned = {"": "", "reason": "changed side", "?": label("confidence_cap", "conformity").lower()}[flip]
    mark = format_html('<span class="turned">{}</span>', icon("repeat")) if turned else ""
    return format_html(
        _CELL,
        stance,
        " stance-last" if is_last else "",
        " stance-unexplained" if flip == "?" else "",
        letter,
        icon(ICONS[stance]) if stance in ICONS else "",
        label("stance", stance) + (f", {turned}" if turned else ""),
        mark,
    )
