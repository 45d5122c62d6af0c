"""Pull requests: fetching one as artifacts, and telling it what was found. Both may be done again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction
from django.urls import reverse
from django.utils.crypto import salted_hmac

from sessions.access import Actor
from sessions.actions.artifacts import add_artifact
from sessions.actions.errors import Refused
from sessions.actions.repositories import code_host
from sessions.db import db
from sessions.engine.errors import explain
from sessions.kinds import KINDS
from sessions.models import ArtifactVersion, Project, PullRequest, PullRequestHead, Repository, Session, SessionSource
from sessions.pullrequests import words
from sessions.pullrequests.client import CodeHost, HostError, ask_host
from sessions.pullrequests.download import download
from sessions.pullrequests.reference import BadReference, pull_request_number, web_url
from sessions.queries import findings_of, seats_of, simulated_notice, text_of, who_answered
from sessions.reports import letters
from sessions.reports.export import cost_words

SENT = "sent"
TELLING_SECONDS = 45  # less than a delivery is claimed for
# Codes of a HostError that telling again would not change.
FINAL = frozenset({"unauthorised", "not_found", "moved", "too_large", "address_blocked"})
# What a HostError says to the person who asked, and the HTTP status it is answered with.
_PROBLEMS: dict[str, tuple[str, int]] = {
    "unauthorised": ("{host} does not accept the token, or it may not read {name}. Enter another one in the project's"
                     " settings.", 422),
    "not_found": ("{host} knows no such pull request in {name}, or the token may not see it.", 404),
    "moved": ("{name} has another name or address now. Enter it in the project's settings.", 409),
    "rate_limited": ("{host} asks for a pause. Try again in some minutes.", 503),
    "too_large": ("The diff is larger than can be reviewed at once. Bring a part of it as a file.", 413),
    "moving": ("Somebody keeps pushing to this pull request. Try again in a minute.", 409),
    "address_blocked": ("{host} may not be reached from here. An operator can list it in CRUCIBLE_LOCAL_PROVIDERS.",
                        422),
}  # fmt: skip
_UNREACHABLE = ("{host} could not be asked. Try again, or bring the diff as a file.", 503)


@dataclass(frozen=True, slots=True)
class FetchedPullRequest:
    """`version` is the diff, to be judged; `context` the changed files as they are at commit `sha`, to be read.
    `left_out` names changed files that are in the diff only."""

    version: ArtifactVersion
    context: list[ArtifactVersion]
    number: int
    title: str
    sha: str
    left_out: list[str] = field(default_factory=list)


def fetch_pull_request(actor: Actor, project: Project, typed: str) -> FetchedPullRequest:
    """The pull request that `typed` names (`12`, `#12`, or its address) as artifacts of the project. It asks the code
    host and waits for it: not for an event loop. Raises Refused."""
    repository = Repository.objects.filter(project=project).first()
    if repository is None:
        raise Refused("no_repository", "This project has no repository yet. Enter it in the project's settings.", 409)
    try:
        number = pull_request_number(typed, repository.api_url, repository.name)
    except BadReference as bad:
        sentence = f"This is a pull request of another repository than {repository.name}."
        if bad.code == "unreadable":
            sentence = f"Write the number of a pull request of {repository.name}, or its address."
        raise Refused(f"reference_{bad.code}", sentence, 422) from None
    try:
        got = ask_host(partial(download, code_host(repository), number))
    except HostError as failure:
        raise _refusal(failure, repository) from None
    version = add_artifact(actor, project, f"{repository.name}#{number}.diff", got.diff)
    context, left_out = [], list(got.left_out)
    for path, content in got.files:
        try:
            context.append(add_artifact(actor, project, path, content))
        except Refused:
            left_out.append(path)
    _remember(project, repository, number, version, got.head.sha)
    return FetchedPullRequest(version, context, number, got.head.title, got.head.sha, left_out)


def reviewed_head(session: Session) -> PullRequestHead | None:
    """The commit of the pull request that the session judges, as it was fetched last before the session was made."""
    judged = session.sources.filter(context=False).values("version")
    heads = PullRequestHead.objects.filter(version__in=judged).select_related("pull_request")
    return heads.filter(fetched_at__lte=session.created_at).first() or heads.last()


def told_among(sessions: Sequence[Session]) -> set[int]:
    """The ids of those sessions that review a pull request that can be told the result."""
    keys = [session.pk for session in sessions]
    judged = SessionSource.objects.filter(session__in=keys, context=False, version__pull_request_heads__isnull=False)
    of_pull_requests = set(judged.values_list("session", flat=True))
    return {session.pk for session in sessions if session.pk in of_pull_requests and _told(session) is not None}


def prepare_telling(session: Session) -> Callable[[], Awaitable[str]] | None:
    """How to tell the pull request what the session found, None when there is none to tell. What is awaited answers
    `sent` or the code of a HostError; doing it again changes nothing. Raises Refused when its token is lost."""
    told = _told(session)
    if told is None:
        return None
    head, repository = told
    pull_request = head.pull_request
    return partial(_tell, code_host(repository), pull_request.pk, pull_request.number, _result(session, head.sha))


def _told(session: Session) -> tuple[PullRequestHead, Repository] | None:
    head = reviewed_head(session)
    repository = Repository.objects.filter(project=session.project).exclude(sealed_token=None).first()
    if head is None or repository is None:
        return None
    known = (head.pull_request.api_url, head.pull_request.repository)
    return (head, repository) if known == (repository.api_url, repository.name) else None


async def _tell(host: CodeHost, pull_request_id: int, number: int, result: words.Result) -> str:
    try:
        async with asyncio.timeout(TELLING_SECONDS):
            newest = await host.head(number)
            await host.set_status(result.sha, words.status(result))
            body = words.comment(result, _marker(pull_request_id), newest.sha)
            await _comment(host, pull_request_id, number, body)
    except HostError as failure:
        return failure.code
    except TimeoutError:
        return "timeout_wall"
    return SENT


async def _comment(host: CodeHost, pull_request_id: int, number: int, body: str) -> None:
    """Our one comment, changed in place. One that was lost before its id was kept is found by its marker; one that
    somebody deleted is written anew."""
    known = await db(_comment_id, pull_request_id) or await host.find_comment(number, _marker(pull_request_id))
    if known is not None:
        try:
            await host.change_comment(known, body)
        except HostError as failure:
            if failure.code != "not_found":
                raise
            await db(_keep_comment, pull_request_id, known, None)
        else:
            await db(_keep_comment, pull_request_id, None, known)
            return
    made = await host.add_comment(number, body)
    if not await db(_keep_comment, pull_request_id, None, made):
        await host.delete_comment(made)  # another session's result was quicker with the first comment


def _comment_id(pull_request_id: int) -> int | None:
    return PullRequest.objects.values_list("comment_id", flat=True).get(pk=pull_request_id)


def _keep_comment(pull_request_id: int, before: int | None, comment: int | None) -> bool:
    """Compare and swap. Whether `comment` is the one that is kept now."""
    rows = PullRequest.objects.filter(pk=pull_request_id)
    return bool(rows.filter(comment_id=before).update(comment_id=comment) or rows.filter(comment_id=comment).exists())


def _marker(pull_request_id: int) -> str:
    """What nobody sees in the comment and nobody else can guess before the first one."""
    return f"<!-- crucible {salted_hmac('crucible.pull-request', str(pull_request_id)).hexdigest()} -->"


def _result(session: Session, sha: str) -> words.Result:
    seats = seats_of(session)
    rows = [
        words.Row(row.label, row.severity, row.title, str(row.place), row.raised_by, row.disposition == "dismissed")
        for row in findings_of(session)
    ]
    return words.Result(
        sha=sha,
        rows=rows,
        summary=text_of(session.summary),
        who_answered=who_answered(session).sentence,
        cost=cost_words(session, seats),
        notice=simulated_notice(seats),
        failure=explain(session.reason) if session.status == "failed" else "",
        stopped=session.status == "cancelled",
        link=letters.absolute(reverse("sessions:detail", args=[session.code])),
        kind=KINDS[session.kind].label.lower(),
    )


def _remember(project: Project, repository: Repository, number: int, version: ArtifactVersion, sha: str) -> None:
    with transaction.atomic():
        pull_request, _ = PullRequest.objects.get_or_create(
            project=project, api_url=repository.api_url, repository=repository.name, number=number
        )
        PullRequestHead.objects.update_or_create(version=version, sha=sha, defaults={"pull_request": pull_request})


def _refusal(failure: HostError, repository: Repository) -> Refused:
    sentence, status = _PROBLEMS.get(failure.code, _UNREACHABLE)
    host = web_url(repository.api_url).partition("://")[2]
    return Refused(f"pull_request_{failure.code}", sentence.format(host=host, name=repository.name), status)
