"""The kinds of session, one row each. Adding a kind is a row here and a pattern file.

A phase is what a session runs in one go: `pattern` is the dotted path of `async def pattern(run, spec)`, `thaw` of the
function that turns the frozen spec (`sessions.specs`) into what that pattern takes. The first phase of a kind makes its
result; later ones are asked for by people and leave the result as it is. `params` is the pydantic model of the
session's parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Phase:
    pattern: str
    thaw: str

    def load_pattern(self) -> Callable[..., Any]:
        return import_string(self.pattern)  # type: ignore[no-any-return]

    def load_thaw(self) -> Callable[..., Any]:
        return import_string(self.thaw)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Kind:
    key: str
    label: str
    description: str
    phases: dict[str, Phase]
    params: str

    def load_params(self) -> Any:
        return import_string(self.params)


KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind(
            key="review",
            label="Review",
            description="Several models examine the same artifact on their own; their findings are merged and ranked.",
            phases={
                "review": Phase("sessions.engine.patterns.review.review", "sessions.specs.thaw_review"),
                "opinions": Phase("sessions.engine.patterns.opinions.opinions", "sessions.specs.thaw_opinions"),
            },
            params="sessions.specs.ReviewParams",
        ),
    )
}
FIRST_PHASES = frozenset(next(iter(kind.phases)) for kind in KINDS.values())
