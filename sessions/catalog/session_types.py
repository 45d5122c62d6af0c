"""The types of session as the start page offers them, those that are not built yet among them."""

from dataclasses import dataclass

# Those that can be started.
WITH_FORM = frozenset({"review", "deliberation", "certification"})


@dataclass(frozen=True, slots=True)
class SessionType:
    """`static/img/flow-<key>.svg` is its drawing; `gives` is what somebody has in the end, `goes` how it goes."""

    key: str
    label: str
    sentence: str
    gives: str
    goes: str = ""

    @property
    def built(self) -> bool:
        return self.key in WITH_FORM


SESSION_TYPES = (
    SessionType(
        "review",
        "Review",
        "Several models read the same thing without seeing each other.",
        "Ranked findings with quotes, in minutes",
        "Every instance reads it on its own; what they quote is checked, what they share is merged.",
    ),
    SessionType(
        "deliberation",
        "Deliberation",
        "They take positions, read each other's, and change their minds or not.",
        "An agreement with its dissent, or an honest disagreement",
        "Every instance reads it on its own first. Then all see the arguments of all, unnamed, and take positions round"
        " by round until they agree or say why not.",
    ),
    SessionType(
        "chat",
        "Chat",
        "People and models talk in one room, with turns you approve.",
        "A conversation with decisions you can point to",
    ),
    SessionType(
        "workflow",
        "Workflow",
        "Tasks that wait for each other, drawn as a graph.",
        "Outputs of every task, and a run to repeat",
    ),
    SessionType(
        "certification",
        "Certification",
        "Each model judges every criterion of a standard on its own.",
        "A certificate anybody can check",
        "Every instance answers every criterion on its own, with a quote. The platform counts; nobody sees another's"
        " answers.",
    ),
)
