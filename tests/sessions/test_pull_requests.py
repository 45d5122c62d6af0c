"""Pull requests: fetched as artifacts, told the result, against a server that speaks GitHub's API."""

import asyncio
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from crucible_site.models import User
from sessions.access import Actor
from sessions.actions import pull_requests
from sessions.actions.errors import Refused
from sessions.actions.lifecycle import stop_session
from sessions.actions.notifications import announce, set_webhook
from sessions.actions.pull_requests import FetchedPullRequest, fetch_pull_request, prepare_telling
from sessions.actions.repositories import set_repository
from sessions.deliveries import deliver_due
from sessions.models import Delivery, Finding, Project, PullRequest, PullRequestHead, Repository, Session
from sessions.models.ids import uuid7
from sessions.providers.egress import close_sessions
from sessions.pullrequests.reference import BadReference, pull_request_number
from tests import factories
from tests.code_host import DIFF, FIRST, REPOSITORY, SECOND, TOKEN, CodeHostServer

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = "/pulls/12$"


@pytest.fixture
def host() -> Iterator[CodeHostServer]:
    state = CodeHostServer()
    server = state.start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def repository(owner: User, project: Project, host: CodeHostServer) -> Repository:
    return set_repository(Actor(owner), project, REPOSITORY, host.url, TOKEN)


@pytest.fixture
def fetched(owner: User, project: Project, repository: Repository) -> FetchedPullRequest:
    return fetch_pull_request(Actor(owner), project, "12")


@pytest.fixture
def reviewed(owner: User, project: Project, fetched: FetchedPullRequest) -> Session:
    session = factories.running(owner, project, fetched.version, context=fetched.context)
    factories.submit(session, "A", factories.report(title="Float | money", severity="critical"))
    factories.merge(session, ("critical", ["A-1"]))
    factories.summarise(session, "A", "Use whole cents, @everyone.")
    return factories.finish(session)


def refused(owner: User, project: Project, typed: str = "12") -> str:
    with pytest.raises(Refused) as caught:
        fetch_pull_request(Actor(owner), project, typed)
    return caught.value.code


async def delivered() -> None:
    try:
        await deliver_due()
    finally:
        await close_sessions()


def tell(session: Session) -> str:
    telling = prepare_telling(session)
    assert telling is not None

    async def whole() -> str:
        try:
            return await telling()
        finally:
            await close_sessions()

    return asyncio.run(whole())


# --- naming one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["12", "#12", " 12 ", "https://github.com/acme/shop/pull/12", "https://github.com/Acme/Shop/pull/12/files"]
)
def test_a_pull_request_is_named_by_number_or_address(typed: str) -> None:
    assert pull_request_number(typed, "https://api.github.com", "acme/shop") == 12


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "unreadable"),
        ("0", "unreadable"),
        ("twelve", "unreadable"),
        ("https://github.com/acme/shop/issues/12", "unreadable"),
        ("https://github.com/acme/other/pull/12", "other_repository"),
        ("https://evil.example/acme/shop/pull/12", "other_repository"),
        ("http://[", "unreadable"),
    ],
)
def test_what_names_none_is_said(typed: str, code: str) -> None:
    with pytest.raises(BadReference) as caught:
        pull_request_number(typed, "https://api.github.com", "acme/shop")
    assert caught.value.code == code


# --- fetching ------------------------------------------------------------------------------------------------------


def test_a_pull_request_becomes_its_diff_with_the_changed_files_beside(fetched: FetchedPullRequest) -> None:
    assert (fetched.version.artifact.name, fetched.version.artifact.kind) == ("acme/shop#12.diff", "diff")
    assert fetched.version.content.text == DIFF
    assert [(version.artifact.name, version.artifact.kind) for version in fetched.context] == [("pay.py", "code")]
    assert (fetched.number, fetched.title, fetched.sha, fetched.left_out) == (12, "Charge tax", FIRST, [])


def test_the_reviewed_commit_is_remembered(reviewed: Session) -> None:
    head = pull_requests.reviewed_head(reviewed)
    assert head is not None
    assert (head.sha, head.pull_request.number) == (FIRST, 12)


def test_a_changed_file_that_is_not_there_is_named(owner: User, project: Project, host: CodeHostServer,
                                                   repository: Repository) -> None:  # fmt: skip
    host.files.clear()
    assert fetch_pull_request(Actor(owner), project, "12").left_out == ["pay.py"]


def test_a_push_in_between_is_noticed(owner: User, project: Project, host: CodeHostServer,
                                      repository: Repository) -> None:  # fmt: skip
    host.pushes = [FIRST, SECOND]
    assert fetch_pull_request(Actor(owner), project, "12").sha == SECOND


def test_somebody_who_keeps_pushing_is_waited_for_in_vain(owner: User, project: Project, host: CodeHostServer,
                                                          repository: Repository) -> None:  # fmt: skip
    host.pushes = [character * 40 for character in "0123456789"]
    assert refused(owner, project) == "pull_request_moving"


def test_the_same_diff_may_belong_to_another_commit(owner: User, project: Project, host: CodeHostServer,
                                                    fetched: FetchedPullRequest) -> None:  # fmt: skip
    host.sha = SECOND
    again = fetch_pull_request(Actor(owner), project, "12")
    session = factories.running(owner, project, again.version)
    head = pull_requests.reviewed_head(session)
    assert (again.version, head and head.sha) == (fetched.version, SECOND)


def test_without_a_repository_it_says_where_to_set_one(owner: User, project: Project) -> None:
    assert refused(owner, project) == "no_repository"


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (401, {}, "pull_request_unauthorised"),
        (403, {}, "pull_request_unauthorised"),
        (403, {"X-RateLimit-Remaining": "0"}, "pull_request_rate_limited"),
        (404, {}, "pull_request_not_found"),
        (429, {}, "pull_request_rate_limited"),
        (301, {"Location": "http://127.0.0.1:9/elsewhere"}, "pull_request_moved"),
        (406, {}, "pull_request_too_large"),
        (500, {}, "pull_request_http_500"),
    ],
)
def test_a_host_that_does_not_answer_is_explained(status: int, headers: dict[str, str], code: str, owner: User,
                                                  project: Project, host: CodeHostServer,
                                                  repository: Repository) -> None:  # fmt: skip
    host.answers[HEAD] = (status, headers)
    with pytest.raises(Refused) as caught:
        fetch_pull_request(Actor(owner), project, "12")
    assert (caught.value.code, TOKEN in caught.value.sentence) == (code, False)


def test_a_redirect_is_never_followed(owner: User, project: Project, host: CodeHostServer,
                                      repository: Repository) -> None:  # fmt: skip
    host.answers[HEAD] = (302, {"Location": f"{host.url}/repos/{REPOSITORY}/contents/pay.py?ref={FIRST}"})
    refused(owner, project)
    assert host.asked == [f"GET /repos/{REPOSITORY}/pulls/12"]


def test_a_host_that_is_gone_is_said(owner: User, project: Project) -> None:
    set_repository(Actor(owner), project, REPOSITORY, "http://127.0.0.1:9", TOKEN)
    assert refused(owner, project) == "pull_request_connect_failed"


def test_a_large_diff_is_refused(owner: User, project: Project, host: CodeHostServer, repository: Repository) -> None:
    host.diff = DIFF + "x" * 5_000_000
    assert refused(owner, project) == "pull_request_too_large"


# --- telling -------------------------------------------------------------------------------------------------------


def test_the_result_is_one_comment_and_one_status(reviewed: Session, host: CodeHostServer) -> None:
    assert tell(reviewed) == "sent"
    ((sha, status),) = host.statuses
    assert (sha, status["state"], status["context"]) == (FIRST, "failure", "crucible/review")
    (body,) = host.comments.values()
    assert "Findings: 1 critical." in body
    assert "No model read" in body or "simulated" in body
    assert f"/sessions/{reviewed.code}/" in body


def test_words_of_models_stay_words(reviewed: Session, host: CodeHostServer) -> None:
    tell(reviewed)
    (body,) = host.comments.values()
    assert r"Float \| money" in body
    assert "`@everyone`" in body


def test_telling_again_changes_the_comment_in_place(reviewed: Session, host: CodeHostServer) -> None:
    tell(reviewed)
    before = list(host.comments)
    Finding.objects.filter(session=reviewed).update(disposition="dismissed", dismissed_because="wrong")
    tell(reviewed)
    assert list(host.comments) == before
    assert [status["state"] for _, status in host.statuses] == ["failure", "success"]


def test_a_comment_whose_id_was_lost_is_found_by_its_marker(reviewed: Session, host: CodeHostServer) -> None:
    host.comments = dict.fromkeys(range(1, 150), "Somebody else's")
    tell(reviewed)
    PullRequest.objects.update(comment_id=None)
    tell(reviewed)
    assert len(host.comments) == 150
    assert PullRequest.objects.get().comment_id == 150


def test_a_comment_that_somebody_deleted_is_written_anew(reviewed: Session, host: CodeHostServer) -> None:
    tell(reviewed)
    host.comments.clear()
    assert tell(reviewed) == "sent"
    assert list(host.comments) == [PullRequest.objects.get().comment_id]


def test_of_two_first_comments_one_stays(reviewed: Session, host: CodeHostServer) -> None:
    """Another session's result comes between the look and the comment."""

    def another_session_comments() -> None:
        PullRequest.objects.update(comment_id=900)
        connection.close()

    host.while_commenting = another_session_comments
    tell(reviewed)
    assert (host.comments, len(host.asked_for("DELETE"))) == ({}, 1)


def test_after_a_force_push_the_old_commit_gets_the_status_and_the_comment_says_so(
    reviewed: Session, host: CodeHostServer
) -> None:
    host.sha = SECOND
    tell(reviewed)
    assert [sha for sha, _ in host.statuses] == [FIRST]
    (body,) = host.comments.values()
    assert f"There is a newer commit, `{SECOND[:12]}`" in body


def test_a_failed_review_is_an_error_and_says_why(owner: User, project: Project, fetched: FetchedPullRequest,
                                                  host: CodeHostServer) -> None:  # fmt: skip
    session = factories.running(owner, project, fetched.version)
    tell(factories.finish(session, reason="no_instance_answered", status="failed"))
    assert [status["state"] for _, status in host.statuses] == ["error"]
    assert "The review failed." in next(iter(host.comments.values()))


@pytest.fixture
def stopped(owner: User, project: Project, fetched: FetchedPullRequest) -> Session:
    return stop_session(Actor(owner), factories.running(owner, project, fetched.version))


def test_a_stopped_review_is_an_error_and_says_so(stopped: Session, host: CodeHostServer) -> None:
    told = Delivery.objects.get()
    asyncio.run(delivered())
    told.refresh_from_db()
    assert (told.what, told.recipient, told.state) == ("stopped", "pull_request", "sent")
    assert [(sha, status["state"]) for sha, status in host.statuses] == [(FIRST, "error")]
    assert "The review was stopped before it had a result." in next(iter(host.comments.values()))


def test_one_that_was_started_once_more_is_not_said_to_be_stopped(stopped: Session, host: CodeHostServer) -> None:
    Session.objects.filter(pk=stopped.pk).update(status="running")
    asyncio.run(delivered())
    assert (Delivery.objects.get().code, host.statuses) == ("gone", [])


def test_a_stop_is_told_to_nobody_else(owner: User, project: Project, stopped: Session) -> None:
    set_webhook(Actor(owner), project, "https://chat.example/hook", "text")
    announce([{"session": stopped.pk, "cause": str(uuid7()), "what": "stopped"}])
    assert set(Delivery.objects.values_list("recipient", flat=True)) == {"pull_request"}


def test_a_host_that_refuses_is_a_code(reviewed: Session, host: CodeHostServer) -> None:
    host.answers["POST .*/statuses/"] = (403, {})
    assert tell(reviewed) == "unauthorised"
    assert not host.comments


def test_the_end_of_a_session_is_told_once(reviewed: Session) -> None:
    for _ in range(2):
        announce([{"session": reviewed.pk, "cause": str(reviewed.code), "what": "finished"}])
    assert list(Delivery.objects.values_list("recipient", flat=True)) == ["pull_request"]


def test_a_review_of_something_else_tells_nobody(owner: User, project: Project, repository: Repository) -> None:
    session = factories.reviewed(owner, project)
    announce([{"session": session.pk, "cause": str(uuid7()), "what": "finished"}])
    assert not Delivery.objects.exists()


def test_another_repository_is_not_told(owner: User, project: Project, reviewed: Session,
                                        host: CodeHostServer) -> None:  # fmt: skip
    set_repository(Actor(owner), project, "acme/other", host.url)
    assert prepare_telling(reviewed) is None


def test_a_pull_request_that_is_only_read_is_not_told(owner: User, project: Project,
                                                      fetched: FetchedPullRequest) -> None:  # fmt: skip
    session = factories.running(owner, project, factories.artifact(owner, project), context=[fetched.version])
    assert prepare_telling(session) is None
    assert PullRequestHead.objects.exists()


# --- the API -------------------------------------------------------------------------------------------------------


def test_the_api_fetches_a_pull_request(member: User, project: Project, repository: Repository) -> None:
    reply = factories.client(member).post(
        "/api/v1/pull-requests", {"project": project.slug, "pull_request": "#12"}, "application/json"
    )
    document = reply.json()
    assert (reply.status_code, document["number"], document["sha"]) == (201, 12, FIRST)
    assert (document["artifact"]["kind"], [row["name"] for row in document["context"]]) == ("diff", ["pay.py"])


def test_a_reader_fetches_none(viewer: User, project: Project, repository: Repository) -> None:
    reply = factories.client(viewer).post(
        "/api/v1/pull-requests", {"project": project.slug, "pull_request": "12"}, "application/json"
    )
    assert reply.status_code == 403


def test_the_token_is_never_shown(owner: User, project: Project, repository: Repository, client: Client) -> None:
    client.force_login(owner)
    page = client.get(f"/projects/{project.slug}/settings/").content.decode()
    assert (REPOSITORY in page, TOKEN in page, TOKEN[-4:] in page) == (True, False, True)
