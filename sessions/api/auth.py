"""Who asks: a person's API key as a bearer token, or the cookie of somebody signed in, with CSRF for writes.

A bearer token decides alone: a wrong one is never saved by a cookie that came along.
"""

from typing import cast

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from ninja.errors import AuthenticationError
from ninja.security import HttpBearer
from ninja.security.apikey import APIKeyCookie

from sessions.access import Actor, actor_of_key
from sessions.people import User


class KeyAuth(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        actor = actor_of_key(token)
        if actor is None:
            raise AuthenticationError
        return actor


class CookieAuth(APIKeyCookie):
    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Actor | None:
        """Only somebody who is signed in is asked for the CSRF token: the others have to sign in first."""
        found: Actor | None = super().__call__(request) if request.user.is_authenticated else None
        return found

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor:
        return Actor(cast(User, request.user))  # the session middleware has read the cookie


AUTH = [KeyAuth(), CookieAuth()]


def actor_of(request: HttpRequest) -> Actor:
    return cast(Actor, request.auth)  # type: ignore[attr-defined]


def actor_still(request: HttpRequest) -> Actor | None:
    """Who the credentials of a long request stand for by now: keys are revoked and people sign out meanwhile."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return actor_of_key(token)
    again = HttpRequest()
    again.session = type(request.session)(request.session.session_key)
    user = get_user(again)
    return Actor(user) if user.is_authenticated else None
