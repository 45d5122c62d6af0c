"""Certificates: the download for those who read the session, and what anybody may see who has the code."""

from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe

from sessions import access
from sessions.access import Actor
from sessions.certificates.fetching import find_certificate, is_intact, newest_certificate, signed_certificate
from sessions.certificates.signing import key_set
from sessions.queries.certification import worth_of
from sessions.views.base import page

KEYS_PATH = ".well-known/crucible-keys.json"


@page("GET")
def download(request: HttpRequest, actor: Actor, code: UUID) -> HttpResponse:
    """The newest certificate of a session, signed with what it is worth now."""
    whole = signed_certificate(newest_certificate(access.find_session(actor, code)))
    name = {"Content-Disposition": f'attachment; filename="certificate-{whole["id"]}.json"'}
    return HttpResponse(orjson.dumps(whole, option=orjson.OPT_INDENT_2), content_type="application/json", headers=name)


@never_cache
@require_safe
def verify(request: HttpRequest, code: UUID) -> HttpResponse:
    """Without signing in: digests, verdict, date and whether the chain holds; no names, no words."""
    certificate = find_certificate(code)
    erased = certificate.content.erased_at is not None
    context = {
        "certificate": certificate,
        "document": {} if erased else orjson.loads(certificate.content.text),
        "worth": worth_of(certificate),
        "intact": is_intact(certificate),
        "keys": f"/{KEYS_PATH}",
    }
    return render(request, "sessions/certificate.html", context)


@cache_control(public=True, max_age=300)
@require_safe
def keys(request: HttpRequest) -> JsonResponse:
    """The public keys of this installation, as a JSON Web Key Set."""
    return JsonResponse(key_set())
