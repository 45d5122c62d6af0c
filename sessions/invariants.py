"""What must hold whatever crashed: the invariants of reliability.md that exist so far, one function each.

Every function yields sentences about what does not hold. They read in a repeatable order and write nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from django.db.models import Count, QuerySet, Sum
from pydantic import ValidationError

from sessions.engine.rounds import reseal
from sessions.events import KINDS, digest_of, link
from sessions.models import (
    Attempt,
    Attestation,
    Certificate,
    Content,
    Event,
    Finding,
    FindingComment,
    Gate,
    Opinion,
    Position,
    Report,
    Round,
    Session,
    Step,
)
from sessions.projections.folding import fold
from sessions.states import AT_REST, ENDED

Sessions = QuerySet[Session]
MOST_TRIES = 3 + 4  # the gateway's tries, and one for each simpler form of a request


def attempts_are_declared(sessions: Sessions) -> Iterator[str]:
    """I1: no more requests than tries, leases lost or given back, and retries allow; never two open attempts of one
    step."""
    steps = Step.objects.filter(session__in=sessions, kind="call")
    interruptions = Event.objects.filter(session__in=sessions, kind__in=("session.recovered", "session.released"))
    interrupted = Counter(interruptions.values_list("session_id", flat=True))
    for step in steps.annotate(made=Count("attempts")):
        if step.made > MOST_TRIES * (1 + interrupted[step.session_id]):
            yield f"step {step.path} of session {step.session_id} has {step.made} attempts"
    open_attempts = Counter(
        Attempt.objects.filter(session__in=sessions, state="running").values_list("step_id", flat=True)
    )
    for step_id, count in open_attempts.items():
        if count > 1:
            yield f"step {step_id} has {count} open attempts"
    for attempt in Attempt.objects.filter(session__in=sessions.filter(status__in=AT_REST), state="running"):
        yield f"attempt {attempt.pk} is open in a session at rest"


def outputs_are_single(sessions: Sessions) -> Iterator[str]:
    """I2, I4: a finished call has one output, and exactly one attempt that delivered it."""
    calls = Step.objects.filter(session__in=sessions, kind="call")
    for step in calls.filter(state="done", output=None):
        yield f"step {step.pk} is done without an output"
    delivered = Counter(
        Attempt.objects.filter(session__in=sessions, state="delivered").values_list("step_id", flat=True)
    )
    done = set(calls.filter(state="done").values_list("pk", flat=True))
    for step_id, count in delivered.items():
        if count > 1 or step_id not in done:
            yield f"step {step_id} has {count} delivered attempts and is {'' if step_id in done else 'not '}done"
    for step_id in done - delivered.keys():
        yield f"step {step_id} is done and no attempt delivered it"


def costs_add_up(sessions: Sessions) -> Iterator[str]:
    """I3: a session's cost is the sum of its attempts, to the micro-credit."""
    spent = Attempt.objects.filter(session__in=sessions).values("session_id").annotate(sum=Sum("cost_microcredits"))
    sums = {row["session_id"]: row["sum"] or 0 for row in spent}
    for session in sessions:
        if session.cost_microcredits != sums.get(session.pk, 0):
            yield f"session {session.code} costs {session.cost_microcredits}, its attempts {sums.get(session.pk, 0)}"


def logs_are_whole(sessions: Sessions) -> Iterator[str]:
    """I6: numbers without gaps, a chain that verifies, and data that keeps to its schema."""
    for session in sessions:
        head, expected = "", 1
        for event in Event.objects.filter(session=session).order_by("seq"):
            if event.seq != expected:
                yield f"session {session.code}: event {expected} is missing"
            head, expected = link(head, event.seq, event.kind, event.at, event.data), event.seq + 1
            if event.digest != head:
                yield f"session {session.code}: the chain breaks at event {event.seq}"
                break
            if not _keeps_to_its_schema(event):
                yield f"session {session.code}: event {event.seq} is no {event.kind}"
        else:
            if (session.chain_head, session.next_seq) != (head, expected):
                yield f"session {session.code}: its row and its log end differently"


def ends_are_recorded(sessions: Sessions) -> Iterator[str]:
    """I7: an ended session ended by an event, and none came after it that began again."""
    ends = {"session.completed": "completed", "session.failed": "failed", "session.cancelled": "cancelled"}
    moves = [*ends, "session.started", "session.retried", "session.answered", "opinions.asked"]
    for session in sessions.filter(status__in=ENDED):
        last = Event.objects.filter(session=session, kind__in=moves).order_by("-seq").first()
        if last is None or ends.get(last.kind) != session.status:
            yield f"session {session.code} is {session.status} and its log says {last.kind if last else 'nothing'}"


def nothing_is_silent(sessions: Sessions) -> Iterator[str]:
    """I9: what is not at an end is due, held under a lease, or waits for a named reason."""
    for session in sessions.filter(status="waiting", waiting_for=""):
        yield f"session {session.code} waits for nothing"
    for session in sessions.filter(status="running", owner=""):
        yield f"session {session.code} runs and nobody has it"
    for session in sessions.filter(status__in=AT_REST).exclude(owner=""):
        yield f"session {session.code} rests and {session.owner} still has it"
    for session in sessions.filter(status="queued", started_at=None):
        yield f"session {session.code} is queued and never due"


def rounds_are_sealed(sessions: Sessions) -> Iterator[str]:
    """Every published round bears the seal of what it says, chained to the one before, and says what was opened."""
    told = Event.objects.filter(session__in=sessions, kind__in=("round.opened", "round.published"))
    opened: set[str] = set()
    seals: dict[tuple[int, int], str] = {}
    for event in told.order_by("session", "seq"):
        data, where = event.data, f"session {event.session_id}: round {event.data['round']}"
        if event.kind == "round.opened":
            opened.add(data["definition"])
            continue
        chain = (event.session_id, data["generation"])
        if data["previous"] != seals.get(chain, "") or data["seal"] != reseal(data["previous"], data):
            yield f"{where} does not bear its seal"
        if data["definition"] not in opened:
            yield f"{where} is not what was opened"
        seals[chain] = data["seal"]


def words_match_their_digests(sessions: Sessions) -> Iterator[str]:
    """Text is what its digest says, and erased text is gone."""
    projects = sessions.values("project")
    for content in Content.objects.filter(project__in=projects).iterator(200):
        if content.erased_at is None and digest_of(content.text) != content.digest:
            yield f"content {content.pk} does not match its digest"
        if content.erased_at is not None and content.text:
            yield f"content {content.pk} is erased and still there"


def rows_follow_from_the_log(sessions: Sessions) -> Iterator[str]:
    """Folding the log again gives the rows there are (`verify_timeline`)."""
    for session in sessions:
        try:
            yield from verify_timeline(session)
        except (KeyError, TypeError, ValueError):  # `logs_are_whole` says which event
            yield f"session {session.code}: its log cannot be replayed"


INVARIANTS: tuple[Callable[[Sessions], Iterator[str]], ...] = (
    attempts_are_declared,
    outputs_are_single,
    costs_add_up,
    logs_are_whole,
    ends_are_recorded,
    nothing_is_silent,
    rounds_are_sealed,
    words_match_their_digests,
    rows_follow_from_the_log,
)


def violations(sessions: Sessions | None = None) -> list[str]:
    """Everything that does not hold, over all sessions or the given ones."""
    scope = (Session.objects.all() if sessions is None else sessions).order_by("pk")
    return [sentence for invariant in INVARIANTS for sentence in invariant(scope)]


def verify_timeline(session: Session) -> Iterator[str]:
    """Replay the log of one session into empty tables and compare with the rows."""
    folded = fold(session.pk, session.code, Event.objects.filter(session=session).order_by("seq"))
    for (model, *by), fields in folded.items():
        row = model.objects.filter(**dict(by)).values(*fields).first()
        if row != fields:
            wrong = sorted(name for name in fields if row is None or row[name] != fields[name])
            yield f"session {session.code}: {model.__name__} {by} differs from the log in {', '.join(wrong)}"
    for model in (Report, Finding, Opinion, FindingComment, Attestation, Certificate, Gate, Round, Position):
        rows = set(model.objects.filter(session=session).values_list("pk", flat=True))
        extra = rows - {by[0][1] for (kind, *by) in folded if kind is model}
        if extra:
            yield f"session {session.code}: {len(extra)} rows of {model.__name__} are not in the log"


def _keeps_to_its_schema(event: Event) -> bool:
    try:
        KINDS[event.kind].model_validate(event.data)
    except (KeyError, ValidationError):
        return False
    return True
