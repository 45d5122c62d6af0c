"""Second opinions on findings of a finished review that people ask for. The review itself is not touched."""

from dataclasses import dataclass

from sessions.engine.evidence import Evidence
from sessions.engine.opinions import Asked, ask_opinions
from sessions.engine.patterns.review import ReviewSpec
from sessions.engine.roster import Member
from sessions.engine.run import Run


@dataclass(frozen=True, slots=True)
class OpinionsSpec:
    """The review's own spec, the members that answered in it, and the findings they are asked about."""

    review: ReviewSpec
    members: tuple[Member, ...]
    asked: tuple[Asked, ...]


async def opinions(run: Run, spec: OpinionsSpec) -> None:
    judged = [Evidence(source) for source in spec.review.sources if not source.context]
    await ask_opinions(run, spec.review, spec.members, spec.asked, judged)
