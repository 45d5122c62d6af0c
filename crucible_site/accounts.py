"""How people get in: allauth's adapter, invitations, and the single-use links that sign in or set a password."""

import re
from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from crucible_site.models import LoginLink, User
from sessions.actions.errors import Refused
from sessions.actions.invitations import accept_invitation, find_invitation, require_usable
from sessions.keys import digest_of_key, new_token
from sessions.models import Invitation

LINK_LIFETIME = timedelta(hours=12)
_JOIN = re.compile(r"/join/([\w-]{1,64})/")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up is closed unless the operator opens it: accounts here can spend the installation's money. An invitation
    opens it for one account, which is a member as soon as it exists."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.CRUCIBLE_SIGNUP) or invitation_of(request) is not None

    def clean_email(self, email: str) -> str:
        email = super().clean_email(email)
        invitation = invitation_of(self.request)
        if invitation and invitation.email and invitation.email != email.lower():
            raise ValidationError(f"This invitation is for {invitation.email}.")
        return email

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """One account for one invitation: of two that sign up with the same link one is told, and has none."""
        invitation = invitation_of(request)
        try:
            with transaction.atomic():
                saved: User = super().save_user(request, user, form, commit)
                if invitation is not None:
                    accept_invitation(invitation, saved)
        except Refused:
            raise ImmediateHttpResponse(redirect(_way_on(request))) from None
        return saved


def invitation_of(request: HttpRequest) -> Invitation | None:
    """The invitation somebody signs up with: its page is where they go on to. None for one that has ended."""
    link = _JOIN.fullmatch(_way_on(request))
    invitation = find_invitation(link[1]) if link else None
    try:
        if invitation is not None:
            require_usable(invitation)
    except Refused:
        return None
    return invitation


def _way_on(request: HttpRequest) -> str:
    return str(request.POST.get("next") or request.GET.get("next") or "")


def set_password_path(user: User) -> str:
    """The path of a link with which `user` sets a password and is signed in; it ends with the next password."""
    names = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return reverse("account_reset_password_from_key", kwargs=names)


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
