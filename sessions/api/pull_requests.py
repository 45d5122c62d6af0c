"""Pull requests as artifacts. What a session found in one is told there when the session has ended."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from sessions import access
from sessions.access import WRITE
from sessions.actions.pull_requests import fetch_pull_request
from sessions.api.artifacts import ArtifactOut, SuspectOut, artifact_data
from sessions.api.auth import actor_of
from sessions.api.bodies import Body, Slug, replies
from sessions.queries.suspects import suspects_in

router = Router()


class WantedPullRequest(Body):
    """`pull_request` is its number in the project's repository (`12`, `#12`) or its address."""

    project: Slug
    pull_request: str = Field(min_length=1, max_length=300)


class PullRequestOut(Schema):
    """`artifact` is the diff, to be judged; `context` the changed files at commit `sha`, to be read. `left_out` names
    changed files that are in the diff only."""

    number: int
    title: str
    sha: str
    artifact: ArtifactOut
    context: list[ArtifactOut]
    left_out: list[str]
    likely_secrets: list[SuspectOut]


@router.post("/pull-requests", response=replies(201, PullRequestOut))
def create_pull_request_artifacts(request: HttpRequest, body: WantedPullRequest) -> Status[Any]:
    """Fetches a pull request of the project's repository as it is now."""
    actor = actor_of(request)
    found = fetch_pull_request(actor, access.find_project(actor, body.project, WRITE), body.pull_request)
    versions = [found.version, *found.context]
    return Status(
        201,
        {
            "number": found.number,
            "title": found.title,
            "sha": found.sha,
            "artifact": artifact_data(found.version.artifact, found.version),
            "context": [artifact_data(version.artifact, version) for version in found.context],
            "left_out": found.left_out,
            "likely_secrets": [suspect._asdict() for suspect in suspects_in(versions)],
        },
    )
