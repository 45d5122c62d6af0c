"""What starting a review would do, as its page says it before anybody clicks: who reads what, where it is sent, what it
costs, and what somebody should know first."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from sessions.actions.errors import Refused
from sessions.actions.new_session import NewSession
from sessions.actions.recorded import recorded_answer
from sessions.catalog.best import SeatState, seat_states
from sessions.models import Artifact, ArtifactVersion, Project, Session
from sessions.queries.estimate import Estimate, Sent, estimate, start_line
from sessions.queries.suspects import secrecy, suspects_in
from sessions.reading.secrets_scan import Suspect
from sessions.seats import restriction_of
from sessions.views.drafting import CONTEXT, REVIEW, ReviewDraft, as_code, makers_of

ARTIFACTS_OFFERED = 100


@dataclass(frozen=True, slots=True)
class Chosen:
    """An artifact of the project and what it is for. `sent` is None while nobody can say who reads it."""

    artifact: Artifact
    version: ArtifactVersion
    use: str
    sent: Sent | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """`line` is what stands beside Start, empty while something is missing. `recorded` is a finished review of the very
    same input, `takes_recorded` whether its result will be taken. `suspects` are likely secrets that would leave this
    machine, `suspects_key` names that list."""

    chosen: list[Chosen] = field(default_factory=list)
    states: list[SeatState] = field(default_factory=list)
    makers: list[str] = field(default_factory=list)
    estimate: Estimate | None = None
    line: str = ""
    recorded: Session | None = None
    takes_recorded: bool = False
    suspects: list[Suspect] = field(default_factory=list)
    suspects_key: str = ""
    warnings: list[str] = field(default_factory=list)
    restriction: str = ""

    @property
    def blocked(self) -> list[tuple[int, SeatState]]:
        """Seats that cannot answer, with their places in the roster."""
        return [(place, state) for place, state in enumerate(self.states) if state.code]


def outlook(project: Project, draft: ReviewDraft) -> Outlook:
    """Everything that can be said of the draft as it stands, however unfinished. Reads, sends and makes nothing."""
    seats = [seat for row in draft.rows if row.model_id and (seat := row.seat())]
    states = seat_states(project, seats, draft.models)
    new = _new_session(project, draft)
    found = _estimate(project, new) if new else None
    recorded = recorded_answer(project, new) if new and found else None
    versions = [*new.versions, *new.context] if new else []
    leaves = any(state.model and not state.model.simulated for state in states)
    taken = bool(recorded) and not draft.fresh
    suspects = suspects_in(versions) if leaves and not taken else []
    makers = makers_of(states)
    return Outlook(
        chosen=_chosen(project, draft, versions, found),
        states=states,
        makers=makers,
        estimate=found,
        line=_line(found, recorded if taken else None),
        recorded=recorded,
        takes_recorded=taken,
        suspects=suspects,
        suspects_key=key_of(suspects),
        warnings=[*_warnings(states, makers), *(found.notes if found else ())],
        restriction=restriction_of(project),
    )


def key_of(suspects: Iterable[Suspect]) -> str:
    """Names a list of likely secrets; another list has another name, so nobody agrees to what they have not seen."""
    return hashlib.sha256(repr([tuple(one) for one in suspects]).encode()).hexdigest()[:16]


def offered_artifacts(project: Project, draft: ReviewDraft) -> list[tuple[Artifact, str]]:
    """Those of the project that can be chosen, with what they are used for: the chosen ones first."""
    chosen = [code for text in draft.uses if (code := as_code(text))]
    rows = Artifact.objects.filter(project=project, deleted_at=None)
    offered = [*rows.filter(code__in=chosen), *rows.filter(~Q(code__in=chosen))[:ARTIFACTS_OFFERED]]
    return [(artifact, draft.uses.get(str(artifact.code), "")) for artifact in offered]


def _new_session(project: Project, draft: ReviewDraft) -> NewSession | None:
    try:
        new = draft.new_session(project)
    except Refused:
        return None
    return new if new and new.versions and new.seats else None


def _estimate(project: Project, new: NewSession) -> Estimate | None:
    try:
        return estimate(
            project, new.seats, new.versions, new.params, kind=new.kind, context=new.context, brief=new.brief
        )
    except Refused:
        return None


def _chosen(
    project: Project, draft: ReviewDraft, versions: list[ArtifactVersion], found: Estimate | None
) -> list[Chosen]:
    """Those that hold likely secrets first, else in the order they are read. Without a valid form they are looked up
    by themselves."""
    if not versions:
        codes = [*draft.codes(REVIEW), *draft.codes(CONTEXT)]
        newest: dict[UUID, ArtifactVersion] = {}
        rows = ArtifactVersion.objects.filter(artifact__project=project, artifact__code__in=codes)
        for row in rows.filter(artifact__deleted_at=None).select_related("artifact", "content").order_by("number"):
            newest[row.artifact.code] = row
        versions = [newest[code] for code in codes if code in newest]
    sent = found.sent if found and len(found.sent) == len(versions) else [None] * len(versions)
    chosen = [
        Chosen(version.artifact, version, draft.uses.get(str(version.artifact.code), REVIEW), told)
        for version, told in zip(versions, sent, strict=True)
    ]
    return sorted(chosen, key=lambda one: secrecy(one.version))


def _line(found: Estimate | None, recorded: Session | None) -> str:
    if recorded and recorded.finished_at:
        return f"Takes the recorded result of {recorded.finished_at:%d %b %Y}: nothing is sent, nothing is paid"
    return start_line(found) if found else ""


def _warnings(states: list[SeatState], makers: list[str]) -> list[str]:
    real = [state for state in states if state.model and not state.model.simulated]
    if len(real) > 1 and len(makers) == 1:
        return [f"All {len(states)} instances are of one maker: they tend to miss the same things."]
    if len(states) == 1:
        return ["One instance alone: nobody checks what it says, and nobody sees what it misses."]
    return []
