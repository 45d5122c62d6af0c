"""Artifacts: bringing them in, reading them, deleting them."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import escape
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString

from sessions import access
from sessions.access import MANAGE, WRITE, Actor
from sessions.actions import artifacts, purge
from sessions.actions.errors import Refused
from sessions.actions.unpacking import MAX_WAITING, brought_of, find_unpacking
from sessions.kinds import KINDS
from sessions.models import Artifact, ArtifactVersion, Project, Unpacking
from sessions.reading import Refusal
from sessions.reading.several import MAX_TOTAL_BYTES
from sessions.reading.uploads import bring_files
from sessions.views.base import Deletion, ask_and_delete, counted, page, show
from sessions.views.document import is_rendered, places_of
from sessions.views.lines import ShownLine, shown_lines
from sessions.views.paint import painted

LISTED = 200
MAX_NAMED = 12
PASTED = "pasted.txt"
# What a page tells its drop zone; the form parser takes no more files.
UPLOAD_LIMITS = {"most_bytes": MAX_TOTAL_BYTES, "most_files": 190}
TEXT_KINDS = [("", "recognise"), ("code", "code"), ("document", "document"), ("data", "data"), ("diff", "diff")]


@page("GET", "POST")
def listing(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """The artifacts of a project. POST brings in files, or one pasted text; what cannot be read is said per file."""
    project = access.find_project(actor, slug, WRITE if request.method == "POST" else access.READ)
    refusals: list[tuple[str, str]] = []
    unpackings = _unpackings(request, project)
    if request.method == "POST":
        kept, refusals, unpackings = _bring_in(request, actor, project)
        if not kept and not refusals and not unpackings:
            refusals = [("", "Choose a file or paste some text first.")]
        if kept and not refusals:
            messages.success(request, f"Kept: {_names(kept)}.")
        if len(kept) == 1 and not refusals and not unpackings:
            return redirect("sessions:artifact", kept[0].artifact.code)
        if not refusals:
            return redirect(f"{request.path}?{urlencode({'unpacking': [one.code for one in unpackings]}, doseq=True)}")
    rows = Artifact.objects.filter(project=project, deleted_at=None).annotate(
        latest=Max("versions__number"), changed_at=Max("versions__created_at")
    )
    context = {
        "rows": rows.order_by("-changed_at")[:LISTED],
        "refusals": refusals,
        "unpackings": [(row, brought_of(row)) for row in unpackings],
        "unpacking": any(row.state == Unpacking.State.WAITING for row in unpackings),
        "typed": request.POST,
        "text_kinds": TEXT_KINDS,
        **UPLOAD_LIMITS,
        "tab": "artifacts",
    }
    return show(request, actor, project, "sessions/artifacts.html", context, 422 if refusals else 200)


def _unpackings(request: HttpRequest, project: Project) -> list[Unpacking]:
    """The archives that the address names: they are being unpacked, or were."""
    codes = request.GET.getlist("unpacking")[:MAX_WAITING]
    return [row for code in codes if (row := find_unpacking(project, code))]


def _bring_in(
    request: HttpRequest, actor: Actor, project: Project
) -> tuple[list[ArtifactVersion], list[tuple[str, str]], list[Unpacking]]:
    """What the form brought as versions, (name, why not) of what could not be read, and archives that wait for a
    worker. What was passed over in a folder is said in a message."""
    brought = bring_files(request, actor, project)
    kept = brought.versions
    refusals = [(refusal.name, f"{refusal.sentence} {refusal.next_step}") for refusal in brought.refused]
    if brought.ignored:
        messages.info(request, _passed_over(brought.ignored))
    if (text := request.POST.get("text", "")).strip():
        name = request.POST.get("text_name", "").strip() or PASTED
        try:
            kept.append(artifacts.add_text_artifact(actor, project, name, text, request.POST.get("text_kind") or None))
        except Refused as refused:
            refusals.append((name, refused.sentence))
    return kept, refusals, brought.unpackings


def _passed_over(ignored: list[Refusal]) -> str:
    named = "; ".join(f"{one.name}: {one.sentence}" for one in ignored[:MAX_NAMED])
    more = f" And {len(ignored) - MAX_NAMED} more." if len(ignored) > MAX_NAMED else ""
    return f"Passed over. {named}{more}"


@page("GET")
def artifact(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """One version with numbered lines, or as a document; `?at=12-15` or, in a diff, `?at=path:12-15` shows and marks
    lines."""
    found = access.find_artifact(actor, code)
    version = _version(found, request.GET.get("version", ""))
    text = version.content.text
    rendered = is_rendered(found.name, found.kind, text)
    start = "" if rendered else request.GET.get("from", "")
    lines = shown_lines(found.kind, text, start=start, marked=request.GET.get("at", ""))
    context = {
        "artifact": found,
        "version": version,
        "versions": found.versions.all(),
        "lines": lines,
        "document": _as_document(text, lines.rows) if rendered else "",
        "rows": () if rendered else zip(lines.rows, _as_html(found, [row.text for row in lines.rows]), strict=True),
        "readers": purge.readers_of(found).filter(deleted_at=None).order_by("-created_at"),
        "tab": "artifacts",
    }
    return show(request, actor, found.project, "sessions/artifact.html", context)


def _as_document(text: str, lines: Sequence[ShownLine]) -> SafeString:
    """The places in which a marked line is are marked; at the first of them a link arrives."""

    def opening(rows: range) -> str:
        here = lines[rows.start : rows.stop]
        arrives = ' id="at"' if any(line.first for line in here) else ""
        return f'<span class="marked"{arrives}>' if any(line.marked for line in here) else "<span>"

    return SafeString(places_of(text).html(opening))


def _as_html(found: Artifact, lines: list[str]) -> list[SafeString]:
    html = painted(found.name, "\n".join(lines)) if found.kind == "code" else map(escape, lines)
    return [SafeString(line) for line in html]


@page("GET")
def download(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """The text of a version as a file; never as something a browser would run."""
    found = access.find_artifact(actor, code)
    version = _version(found, request.GET.get("version", ""))
    name = found.name.rpartition("/")[2]
    return HttpResponse(
        version.content.text,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name) or "attachment"},
    )


@page("GET", "POST")
def delete(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponseBase:
    found = access.find_artifact(actor, code, MANAGE)
    deletion = Deletion(
        name=found.name,
        kind="artifact",
        erase=lambda: purge.delete_artifact(actor, found),
        going=lambda: _going(found),
        back=reverse("sessions:artifact", args=[code]),
        after=reverse("sessions:artifacts", args=[found.project.slug]),
    )
    return ask_and_delete(request, actor, found.project, deletion)


def _going(found: Artifact) -> list[str]:
    readers = purge.readers_of(found).filter(deleted_at=None)
    texts = sum(purge.preview(purge.contents_of_artifact(found)).values())
    return [
        counted(found.versions.count(), "version", "versions"),
        *(f"what instances wrote in the {KINDS[session.kind].label.lower()} {session.title}" for session in readers),
        counted(texts, "text in all", "texts in all"),
    ]


def _version(found: Artifact, number: str) -> ArtifactVersion:
    versions = found.versions.select_related("content")
    if number:
        versions = versions.filter(number=number if number.isascii() and number.isdigit() and len(number) < 9 else 0)
    version = versions.first()
    if version is None:
        raise Http404
    return version


def _names(versions: Iterable[ArtifactVersion]) -> str:
    names = list(dict.fromkeys(version.artifact.name for version in versions))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
