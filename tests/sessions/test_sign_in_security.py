"""Passkeys, authenticator apps and recovery codes: in our frame, and asked for when they are on."""

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from crucible_site.models import User
from sessions.actions.keys import reseal_keys
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture(autouse=True)
def _no_limits_used_up() -> None:
    cache.clear()


@pytest.fixture
def mira() -> User:
    found = factories.user("mira")
    factories.project(found)
    return found


def sign_in(user: User) -> tuple[Client, Any]:
    client = Client()
    return client, client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})


def code_of(secret: str) -> str:
    return str(totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time())))))


def switch_on(client: Client) -> str:
    """Set up an authenticator app, which asks for the password again; returns its secret."""
    assert client.get(reverse("mfa_activate_totp")).headers["Location"].startswith(reverse("account_reauthenticate"))
    assert "This changes how you sign in" in client.get(reverse("account_reauthenticate")).content.decode()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    assert 'src="data:image/svg+xml' in page
    found = re.search(r'<code class="secret"[^>]*>([A-Z2-7]+)<', page)
    assert found is not None
    client.post(reverse("mfa_activate_totp"), {"code": code_of(found[1])})
    return found[1]


@pytest.mark.parametrize("name", ["mfa_index", "mfa_add_webauthn", "mfa_list_webauthn", "mfa_activate_totp"])
def test_the_pages_stand_in_our_frame(name: str, mira: User) -> None:
    client, _ = sign_in(mira)
    answer = client.get(reverse(name), follow=True)
    assert answer.status_code == 200
    assert 'id="content"' in answer.content.decode()


def test_an_app_is_set_up_and_asked_for_after_the_password(mira: User) -> None:
    client, _ = sign_in(mira)
    secret = switch_on(client)
    assert Authenticator.objects.filter(user=mira, type="totp").exists()
    again, answer = sign_in(mira)
    assert answer.headers["Location"] == reverse("mfa_authenticate")
    assert "_auth_user_id" not in again.session
    cache.clear()  # a code is good for one sign-in
    again.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert again.session["_auth_user_id"] == str(mira.pk)


def test_a_wrong_code_lets_nobody_in(mira: User) -> None:
    client, _ = sign_in(mira)
    secret = switch_on(client)
    again, _ = sign_in(mira)
    wrong = f"{(int(code_of(secret)) + 1) % 1_000_000:06d}"
    assert again.post(reverse("mfa_authenticate"), {"code": wrong}).status_code == 200
    assert "_auth_user_id" not in again.session


def test_a_recovery_code_lets_in_once(mira: User) -> None:
    client, _ = sign_in(mira)
    switch_on(client)
    client.post(reverse("mfa_generate_recovery_codes"))
    code = RecoveryCodes(Authenticator.objects.get(user=mira, type="recovery_codes")).get_unused_codes()[0]
    assert code in client.get(reverse("mfa_view_recovery_codes")).content.decode()
    for lets_in in (True, False):
        again, _ = sign_in(mira)
        again.post(reverse("mfa_authenticate"), {"code": code})
        assert ("_auth_user_id" in again.session) is lets_in


def test_secrets_are_sealed_and_outlive_a_rotation_of_the_keyring(mira: User, settings: Any) -> None:
    client, _ = sign_in(mira)
    secret = switch_on(client)
    client.post(reverse("mfa_generate_recovery_codes"))
    assert secret not in str(list(Authenticator.objects.values_list("data")))
    settings.CRUCIBLE_KEYRING = f"newer,{settings.CRUCIBLE_KEYRING}"
    assert reseal_keys().again == 2
    settings.CRUCIBLE_KEYRING = "newer"
    assert TOTP(Authenticator.objects.get(type="totp")).validate_code(code_of(secret))


def test_a_secret_that_no_longer_opens_lets_nobody_in(mira: User, settings: Any) -> None:
    client, _ = sign_in(mira)
    secret = switch_on(client)
    settings.CRUCIBLE_KEYRING = "another"
    again, _ = sign_in(mira)
    assert again.post(reverse("mfa_authenticate"), {"code": code_of(secret)}).status_code == 403
    assert "_auth_user_id" not in again.session
    assert set(reseal_keys().lost) == {"second factor of mira@example.org"}


def test_the_sign_in_page_offers_a_passkey(client: Client) -> None:
    page = client.get(reverse("account_login")).content.decode()
    assert 'id="passkey_login"' in page
    asked = json.loads(client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"}).content)
    assert asked["request_options"]["publicKey"]["rpId"] == "testserver"


def test_somebody_who_came_by_link_may_add_a_passkey_without_a_password(client: Client) -> None:
    linked = User.objects.create_superuser("linked@example.org", None)
    client.force_login(linked)
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200
