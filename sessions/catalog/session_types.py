"""The types of session as the start page offers them, those that are not built yet among them."""

from dataclasses import dataclass

# Those that the start page can start; the others are started by the API and `run_session`.
WITH_FORM = frozenset({"review", "deliberation"})


@dataclass(frozen=True, slots=True)
class SessionType:
    """`flow` names its drawing, `static/img/flow-<key>.svg`; `gives` is what somebody has in the end."""

    key: str
    label: str
    sentence: str
    gives: str

    @property
    def built(self) -> bool:
        return self.key in WITH_FORM


SESSION_TYPES = (
    SessionType(
        "review",
        "Review",
        "Several models read the same thing without seeing each other.",
        "Ranked findings with quotes, in minutes",
    ),
    SessionType(
        "deliberation",
        "Deliberation",
        "They take positions, read each other's, and change their minds or not.",
        "An agreement with its dissent, or an honest disagreement",
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
    ),
)
