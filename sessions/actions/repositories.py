"""The repository of a project and its token, which can be written and never read again."""

from django.db import transaction

from sessions import vault
from sessions.access import Actor
from sessions.actions.errors import Refused
from sessions.actions.projects import keep_open
from sessions.models import Project, Repository
from sessions.providers.base import ProviderError, Secret
from sessions.providers.egress import check_url
from sessions.providers.locality import webhook_may_be_local
from sessions.pullrequests.client import CodeHost
from sessions.pullrequests.reference import REPOSITORY, clean_api_url


def set_repository(actor: Actor, project: Project, name: str, api_url: str = "", token: str = "") -> Repository:
    """The repository of the project. Without a token the present one stays, unless the host is another one: a token
    belongs to its host. Raises Refused."""
    name, api_url, token = name.strip().strip("/"), clean_api_url(api_url), token.strip()
    if not REPOSITORY.fullmatch(name):
        raise Refused("bad_repository", "Write the repository as owner/name, as it stands in its address.", 422)
    try:
        check_url(api_url, webhook_may_be_local(api_url))
    except ProviderError:
        raise Refused("address_blocked", "The API address begins with https:// and leads to a public host, unless an"
                      " operator listed it in CRUCIBLE_LOCAL_PROVIDERS.", 422) from None  # fmt: skip
    if token and not (token.isascii() and token.isprintable() and " " not in token and len(token) <= 500):
        raise Refused("bad_token", "A token is one word of letters and digits.", 422)
    with transaction.atomic():
        keep_open(project)
        before = Repository.objects.select_for_update().filter(project=project).first()
        row = before or Repository(project=project)
        if before and vault.host_of(before.api_url) != vault.host_of(api_url):
            row.sealed_token, row.token_hint = None, ""
        row.name, row.api_url, row.changed_by = name, api_url, actor.user
        if token:
            row.sealed_token = vault.seal(_seal_name(project.pk), api_url, token)
            row.token_hint = token[-4:] if len(token) >= 12 else ""
        row.save()
    return row


def remove_repository(project: Project) -> None:
    """Its token goes with it; what was fetched stays."""
    Repository.objects.filter(project=project).delete()


def code_host(repository: Repository) -> CodeHost:
    """The way to it. Raises Refused when no secret of the keyring opens the token."""
    token = Secret("")
    if repository.sealed_token:
        try:
            token = vault.reveal(_seal_name(repository.project_id), repository.api_url, bytes(repository.sealed_token))
        except vault.SealBroken:
            raise Refused(
                "token_lost", "The token cannot be opened any more. Enter it again in the settings.", 409
            ) from None
    return CodeHost(repository.api_url, repository.name, token, webhook_may_be_local(repository.api_url))


def reseal_tokens() -> tuple[int, int, list[str]]:
    """Seal every token under the keyring's newest secret: (sealed again, already under it, those no secret opens)."""
    again, current, lost = 0, 0, []
    for row in Repository.objects.exclude(sealed_token=None).select_related("project"):
        old = bytes(row.sealed_token or b"")
        try:
            new = vault.reseal(_seal_name(row.project_id), row.api_url, old)
        except vault.SealBroken:
            lost.append(f"repository of {row.project.slug}")
            continue
        if new is None:
            current += 1
        else:
            again += Repository.objects.filter(pk=row.pk, sealed_token=old).update(sealed_token=new)
    return again, current, lost


def _seal_name(project_id: int) -> str:
    """What a token is sealed for: copied to another project it does not open."""
    return f"repository {project_id}"
