"""Light, dark, or as the system has it: a person's choice, which the server writes into the page; nothing flashes."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from crucible_site.models import User


def choose_theme(user: User, theme: str) -> None:
    """Keep one of `User.Theme`; anything else changes nothing."""
    if theme in User.Theme.values:
        User.objects.filter(pk=user.pk).update(theme=theme)


@require_POST
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    """The three buttons of the account menu; goes back to the page they were pressed on."""
    choose_theme(cast(User, request.user), request.POST.get("theme", ""))
    back = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else "home")
