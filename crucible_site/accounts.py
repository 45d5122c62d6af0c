"""How people get in: allauth's adapter and the single-use sign-in link."""

from datetime import timedelta

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone

from crucible_site.models import LoginLink, User
from sessions.keys import digest_of_key, new_token

LINK_LIFETIME = timedelta(hours=12)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up is closed unless the operator opens it: accounts here can spend the installation's money."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.CRUCIBLE_SIGNUP)


def new_login_link(user: User) -> str:
    """The token of a link that signs `user` in once; earlier unused ones end."""
    token = new_token()
    LoginLink.objects.filter(user=user, used_at=None).delete()
    LoginLink.objects.create(user=user, digest=digest_of_key(token), expires_at=timezone.now() + LINK_LIFETIME)
    return token


def find_login_link(token: str) -> LoginLink | None:
    links = LoginLink.objects.select_related("user").filter(user__is_active=True)
    return links.filter(digest=digest_of_key(token), used_at=None, expires_at__gt=Now()).first()


def use_login_link(token: str) -> User | None:
    """The person the link belongs to, once: two posts at the same time sign in once."""
    link = find_login_link(token)
    if link is None or not LoginLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now()):
        return None
    return link.user
