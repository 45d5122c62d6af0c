"""Files of a form with the places they had. Browsers name a file of a folder by its path, but the form parser keeps the
last part only, so that a page or program sends the paths beside: the n-th `<field>_path` belongs to the n-th `<field>`
(static/js/folders.js does it). Directories that a page left out itself come as `<field>_skipped`."""

from collections.abc import Iterator
from dataclasses import replace

from django.http import HttpRequest

from sessions.access import Actor
from sessions.actions.unpacking import Brought, bring_many
from sessions.engine.names import clean_name
from sessions.models import Project
from sessions.reading import IGNORED, Refusal

MAX_SKIPPED = 100


def bring_files(request: HttpRequest, actor: Actor, project: Project, field: str = "files") -> Brought:
    """What the form has in `field` as artifacts of the project: files and folders; ZIP archives wait for a worker."""
    brought = bring_many(actor, project, uploaded_files(request, field))
    skipped = [clean_name(name) for name in request.POST.getlist(f"{field}_skipped")[:MAX_SKIPPED]]
    ignored = [Refusal(name, "vendored", IGNORED["vendored"], ignored=True) for name in skipped]
    return replace(brought, unread=[*ignored, *brought.unread])


def uploaded_files(request: HttpRequest, field: str) -> list[tuple[str, bytes]]:
    """(name, content) of the files in `field`; a name has directories when its path was sent, and is a stranger's."""
    return list(_named(request, field))


def _named(request: HttpRequest, field: str) -> Iterator[tuple[str, bytes]]:
    files, paths = request.FILES.getlist(field), request.POST.getlist(f"{field}_path")
    for index, file in enumerate(files):
        path = paths[index] if len(paths) == len(files) else ""
        with file:
            yield path or file.name or "file", file.read()
