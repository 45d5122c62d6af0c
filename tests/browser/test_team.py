"""Team pages as people see them, and a passkey from a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import Server, Walk

pytestmark = pytest.mark.browser

PASSWORD = "a long enough password"


def invitation(page: Page, email: str = "") -> str:
    """The link of a new invitation to the demo project."""
    page.goto("/projects/demo/members/")
    page.locator("#invite-email").fill(email)
    page.get_by_role("button", name="Make a link").click()
    return page.locator("#new-link").inner_text()


def test_the_pages_are_clean(page: Page, each_in_every_look: Walk) -> None:
    """Those of members, notifications and of the account are among the pages of test_looks.py."""
    pages = ["/projects/demo/settings/?days=30", "/accounts/2fa/webauthn/add/", "/accounts/2fa/totp/activate/"]
    assert each_in_every_look(page, pages) == {}


def test_a_stranger_without_mail_comes_in_by_a_link(
    page: Page, chromium: Browser, server: Server, problems: Any
) -> None:
    link = invitation(page)
    assert problems(page) == []
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    guest = context.new_page()
    guest.goto(link)
    assert problems(guest) == []
    guest.get_by_role("link", name="Create an account and join").click()
    guest.get_by_label("Email", exact=False).fill("mira@example.org")
    guest.locator("#id_password1").fill(PASSWORD)
    guest.locator("#id_password2").fill(PASSWORD)
    assert problems(guest) == []
    guest.get_by_role("button", name="Create account").click()
    guest.wait_for_url("**/projects/demo/")
    guest.goto(invitation(page, "jon@example.org"))
    assert "is for jon@example.org" in guest.inner_text("main") or "/projects/demo/" in guest.url
    context.close()


def test_a_passkey_is_added_and_signs_in(page: Page, chromium: Browser, server: Server) -> None:
    """On localhost, where browsers allow passkeys without TLS. The key is a virtual one of Chromium's."""
    address = server.address.replace("127.0.0.1", "localhost")
    context: BrowserContext = chromium.new_context(base_url=address)
    mine = context.new_page()
    protocol = context.new_cdp_session(mine)
    protocol.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    key |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    protocol.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    mine.goto(server.link().replace("127.0.0.1", "localhost"))
    mine.get_by_role("button", name="Sign in").click()
    mine.wait_for_url(re.compile("/$|/projects/"))
    mine.goto("/accounts/2fa/webauthn/add/")
    mine.get_by_label("Name").fill("This browser")
    assert mine.get_by_label("Sign in with it alone").is_checked()
    mine.get_by_role("button", name="Add").click()
    mine.wait_for_url(lambda url: not url.endswith("/add/"))
    mine.goto("/accounts/2fa/webauthn/")
    assert "This browser" in mine.inner_text("main")
    context.clear_cookies()
    mine.goto("/accounts/login/")
    mine.get_by_role("button", name="Sign in with a passkey").click()
    mine.wait_for_url(re.compile("/$|/projects/"))
    context.close()


def test_a_browser_without_a_passkey_says_so(chromium: Browser, server: Server) -> None:
    context = chromium.new_context(base_url=server.address)
    mine = context.new_page()
    mine.goto("/accounts/login/")
    mine.get_by_role("button", name="Sign in with a passkey").click()
    mine.get_by_role("alert").wait_for()
    context.close()


def test_everything_is_exported_and_downloaded(page: Page) -> None:
    page.goto("/projects/demo/settings/")
    with page.expect_navigation():
        page.get_by_role("button", name="Make an export").click()
    for _ in range(20):
        page.goto("/projects/demo/settings/")
        if page.get_by_role("link", name="Download").count():
            break
        page.wait_for_timeout(500)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    assert waiting.value.suggested_filename.endswith(".zip")
