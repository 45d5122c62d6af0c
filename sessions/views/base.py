"""What every page has in common: somebody signed in acts, nothing is cached, a refusal is shown as it was said."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.context import make_context
from django.template.loader import get_template
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions.access import Actor, grants_in
from sessions.actions.errors import Refused
from sessions.models import Project
from sessions.people import User

View = Callable[..., HttpResponseBase]


def page(*methods: str) -> Callable[[View], View]:
    """A view that is called as `view(request, actor, **route)`. What it lets through as Refused becomes a page."""
    allowed = [*methods, "HEAD"] if "GET" in methods else [*methods]

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **route: Any) -> HttpResponseBase:
            try:
                return view(request, Actor(cast(User, request.user)), **route)
            except Refused as refusal:
                return render(request, "refused.html", {"refusal": refusal}, status=refusal.status)

        return require_http_methods(allowed)(login_required(never_cache(guarded)))

    return decorate


def render(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """As Django's, but what was shown is let go at once: a context refers to itself, so the thousands of values of a
    large page would wait for the garbage collector, and a later page for that."""
    bound = make_context(context, request)
    body = cast(Any, get_template(template)).template.render(bound)
    bound.dicts.clear()
    return HttpResponse(body, status=status)


def show(
    request: HttpRequest, actor: Actor, project: Project, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page inside of a project; `may` holds what the actor may do there."""
    everywhere = {"project": project, "may": grants_in(actor, project)}
    return render(request, template, everywhere | context, status=status)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is to be erased, in the words of the page that asks first. `going` lists what goes with it; `back` and
    `after` are where to go without it and once it is done."""

    name: str
    kind: str
    erase: Callable[[], object]
    going: Callable[[], list[str]]
    back: str
    after: str


def ask_and_delete(request: HttpRequest, actor: Actor, project: Project, deletion: Deletion) -> HttpResponseBase:
    """GET says what goes, POST erases it."""
    if request.method == "POST":
        deletion.erase()
        messages.success(request, f"{deletion.name} was deleted.")
        return redirect(deletion.after)
    tab = {"project": "settings", "artifact": "artifacts"}.get(deletion.kind, "sessions")
    context = {"deletion": deletion, "going": deletion.going(), "tab": tab}
    return show(request, actor, project, "sessions/delete.html", context)


def cursor_of(request: HttpRequest) -> int:
    """How far whoever asks has read, `?after=`; 0 for whatever is no number."""
    cursor = request.GET.get("after", "")
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else 0


def number_in(text: str) -> int:
    """What an address or a form counts with: a small number, or 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
