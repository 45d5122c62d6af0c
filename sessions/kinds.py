"""The kinds of session, one row each. Adding a kind is a row here and a pattern file.

A phase is what a session runs in one go: `pattern` is the dotted path of `async def pattern(run, spec)`, `thaw` of the
function that turns the frozen spec (`sessions.specs`) into what that pattern takes. The first phase of a kind makes its
result; later ones are asked for by people and leave the result as it is. `params` is the pydantic model of the
session's parameters; `prepare`, where there is one, writes down what they name in the project when a session is made.
`decides`: its result is a document of its own, which becomes an artifact. `finds`: its instances raise findings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Phase:
    """`background`: whether it always needs what `sessions.background` reads."""

    pattern: str
    thaw: str
    background: bool = False

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
    prepare: str = ""
    decides: bool = False
    finds: bool = True

    @property
    def first_phase(self) -> str:
        return next(iter(self.phases))

    def load_params(self) -> Any:
        return import_string(self.params)

    def load_prepare(self) -> Callable[..., dict[str, Any]]:
        """`prepare(project, params)`: the parameters as the session keeps them. Raises Refused."""
        return import_string(self.prepare) if self.prepare else lambda project, params: params


KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind(
            key="review",
            label="Review",
            description="Several models examine the same artifact on their own; their findings are merged and ranked.",
            phases={
                "review": Phase("sessions.engine.patterns.review.review", "sessions.specs.thaw_review"),
                "opinions": Phase("sessions.engine.patterns.opinions.opinions", "sessions.specs.thaw_opinions", True),
            },
            params="sessions.specs.ReviewParams",
        ),
        Kind(
            key="deliberation",
            label="Deliberation",
            description="Models take positions in rounds, read each other's arguments, and agree or say why not.",
            phases={
                "deliberation": Phase(
                    "sessions.engine.patterns.deliberation.deliberation", "sessions.specs.thaw_deliberation"
                ),
            },
            params="sessions.specs.DeliberationParams",
            decides=True,
        ),
        Kind(
            key="certification",
            label="Certification",
            description="Each model judges every criterion of a standard on its own; the platform counts.",
            phases={
                "certification": Phase(
                    "sessions.engine.patterns.certification.certification", "sessions.specs.thaw_certification", True
                ),
            },
            params="sessions.specs.CertificationParams",
            prepare="sessions.actions.standards.pin_standard",
            finds=False,
        ),
    )
}
FIRST_PHASES = frozenset(kind.first_phase for kind in KINDS.values())
