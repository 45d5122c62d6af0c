"""What instances must answer: models that validate one item, and the JSON Schemas providers enforce.

Fields stand in the order a model writes them: reasoning before verdict, enums last, because a verdict written first
lowers the quality of its reasons. The JSON Schemas stay inside what strict modes accept: every property required,
no extra ones, "may be absent" said as null, no length or range keywords. Ranges are checked here, after parsing.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sessions.engine.findings import FAMILIES, SEVERITIES
from sessions.engine.run import OutputSchema

MAX_TITLE = 160
MAX_CLAIM = 600
MAX_EVIDENCE = 300
MAX_SUGGESTION = 1_000
MAX_NOTE = 2_000
MAX_CHECKS = 8

Severity = Literal["info", "minor", "major", "critical", "blocker"]
Family = Literal[
    "security", "correctness", "performance", "reliability", "consistency", "completeness", "clarity", "legal", "data",
    "style", "other",
]  # fmt: skip


def _text(limit: int) -> Any:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=limit)


class Output(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class OutputLocation(Output):
    """Where the instance says the defect stands; `evidence.py` corrects it."""

    path: str = Field(default="", max_length=400)
    start_line: int | None = Field(default=None, ge=1)
    end_line: int | None = Field(default=None, ge=1)
    anchor: str = Field(default="", max_length=200)


class OutputFinding(Output):
    """One defect. Evidence should be 8 to 300 characters; a shorter quote stays but can never be verified."""

    title: Annotated[str, _text(MAX_TITLE)]
    claim: Annotated[str, _text(MAX_CLAIM)]
    evidence: Annotated[str, _text(MAX_EVIDENCE)]
    location: OutputLocation = OutputLocation()
    suggestion: str = Field(default="", max_length=MAX_SUGGESTION)
    category: str = Field(default="", max_length=80)
    confidence: float = Field(default=0.5, ge=0, le=1)
    family: Family = "other"
    severity: Severity


class ReviewOutput(Output):
    """A whole review. An explicit empty list of findings is an answer: nothing was found."""

    analysis: str = ""
    findings: tuple[OutputFinding, ...]
    coverage: str = ""
    not_examined: tuple[str, ...] = ()


class LeadBriefOutput(Output):
    """What the lead asks everybody to look at. It holds no findings, so that the reviews stay independent."""

    scope: Annotated[str, _text(MAX_NOTE)]
    checks: tuple[Annotated[str, _text(200)], ...] = Field(default=(), max_length=MAX_CHECKS)


def object_schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING}
_STRING_OR_NULL = {"type": ["string", "null"]}
_LINE_OR_NULL = {"type": ["integer", "null"]}

REVIEW = OutputSchema(
    "review",
    object_schema(
        analysis=_STRING,
        findings={
            "type": "array",
            "items": object_schema(
                title=_STRING,
                claim=_STRING,
                evidence=_STRING,
                location=object_schema(
                    path=_STRING_OR_NULL, start_line=_LINE_OR_NULL, end_line=_LINE_OR_NULL, anchor=_STRING_OR_NULL
                ),
                suggestion=_STRING,
                category=_STRING,
                confidence={"type": "number"},
                family={"type": "string", "enum": list(FAMILIES)},
                severity={"type": "string", "enum": list(SEVERITIES)},
            ),
        },
        coverage=_STRING,
        not_examined=_STRINGS,
    ),
)

LEAD_BRIEF = OutputSchema("lead_brief", object_schema(scope=_STRING, checks=_STRINGS))
