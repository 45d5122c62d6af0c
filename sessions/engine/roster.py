"""Pure twins of what people set up: the members of a roster and the artifacts they read."""

from dataclasses import dataclass
from typing import Literal

ArtifactKind = Literal["code", "document", "data", "diff"]
ROLES = ("lead", "reviewer", "synthesizer")


@dataclass(frozen=True, slots=True)
class Member:
    """One instance. `letter` (A, B, ...) is its name in keys, events and on screen; `name` is what people call it.
    `route` is what `model_id` stood for when the session was frozen: the same id on another route is another model.
    `fallback` is the same instance on another model, asked when this one does not answer (`engine.fallback`)."""

    letter: str
    name: str
    role: str
    model_id: str
    family: str = ""
    focus: str = ""
    temperature: float | None = None
    context_window: int = 128_000
    simulated: bool = False
    route: str = ""
    fallback: "Member | None" = None


@dataclass(frozen=True, slots=True)
class Source:
    """One artifact as a session reads it, frozen at start.

    `ref` is the artifact version's id (a UUID string), `name` its file name, `text` its whole content with "\\n"
    line ends. A `diff` holds unified-diff text; its anchors are the new file's lines. `context` sources are read
    but not judged.
    """

    ref: str
    name: str
    kind: ArtifactKind
    text: str
    digest: str
    context: bool = False
